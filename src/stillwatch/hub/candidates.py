"""What was posted, looked at without the database: which objects may be stored, and what is wrong with the others."""

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from stillwatch.hub.storage.moments import parse_moment
from stillwatch.sharing.objects import hub_rules

MOST_OBJECTS = 10_000
"""The most objects of one post."""
_MOST_DEPTH = 100
_SHOWN = 80
_decode = msgspec.json.Decoder().decode


class Validator(Protocol):
    """Says what is wrong with one object, its bytes and what they decode to; nothing where it may be stored."""

    def errors(self, raw: bytes, decoded: object) -> list[str]:
        """Return what is wrong."""
        ...


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """An object that is valid. `version` is microseconds, None where the object has no versions."""

    index: int
    id: str
    type: str
    version: int | None
    raw: bytes
    item: dict[str, Any]
    digest: bytes


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """An object that is refused, and why; `version` as it was given."""

    index: int
    id: str
    version: str | None
    message: str


def inspect(raws: Sequence[bytes | msgspec.Raw], validator: Validator) -> tuple[list[Candidate], list[Fault]]:
    """Tell what may be stored from what may not, both in the order in which they came."""
    candidates: list[Candidate] = []
    faults: list[Fault] = []
    for index, given in enumerate(raws):
        raw = bytes(given)
        looked_at = _look(index, raw, validator)
        if isinstance(looked_at, Candidate):
            candidates.append(looked_at)
        else:
            faults.append(looked_at)
    return candidates, faults


def _look(index: int, raw: bytes, validator: Validator) -> Candidate | Fault:
    try:
        item = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Fault(index=index, id=_unnamed(index), version=None, message="it is no JSON")
    if not isinstance(item, dict):
        return Fault(index=index, id=_unnamed(index), version=None, message="an object of STIX is a JSON object")
    shown = item.get("id")
    name = shown[:_SHOWN] if isinstance(shown, str) and shown else _unnamed(index)
    given = item.get("modified", item.get("created"))
    said = given[:_SHOWN] if isinstance(given, str) else None
    if _is_deep(raw, item):
        message = f"it is nested more than {_MOST_DEPTH} deep"
        return Fault(index=index, id=name, version=said, message=message)
    wrong = validator.errors(raw, item) or hub_rules.refusals(item)
    version = None if given is None or wrong else parse_moment(str(given))
    if not wrong and given is not None and version is None:
        wrong = ["modified: it is before 1970 or no time"]
    if wrong:
        return Fault(index=index, id=name, version=said, message="; ".join(wrong))
    digest = hashlib.sha256(raw).digest()
    return Candidate(index=index, id=item["id"], type=item["type"], version=version, raw=raw, item=item, digest=digest)


def _unnamed(index: int) -> str:
    """Return the id under which a status speaks of an object that has none."""
    return f"unnamed--00000000-0000-0000-0000-{index:012d}"


def _is_deep(raw: bytes, item: object) -> bool:
    if raw.count(b"[") + raw.count(b"{") <= _MOST_DEPTH:
        return False
    level = [item]
    for _ in range(_MOST_DEPTH):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
