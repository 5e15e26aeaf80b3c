"""Whether bytes are an object of STIX 2.1 that every member can read: schemas, extensions, times, patterns.

The checks beyond the schemas are those whose breach would stop a reader: days that no calendar has, a property given
twice (readers differ on which one counts), a pattern that cannot be parsed. Values never show in a message.
"""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
from jsonschema_rs import Draft202012Validator, ValidationError

from stillwatch.sharing.objects.extensions import LLM_ACCOUNT, MAY_EXTEND
from stillwatch.sharing.objects.patterns import PatternChecker
from stillwatch.sharing.objects.standard import standard

MAX_OBJECT = 1_048_576
"""Largest object in bytes."""
_LONGEST_MESSAGE = 300
_ORDERED = (
    ("created", "modified"),
    ("first_seen", "last_seen"),
    ("first_observed", "last_observed"),
    ("start_time", "stop_time"),
)


class ObjectValidator:
    """Checks objects one by one; may be used by many threads at once."""

    def __init__(self) -> None:
        self._standard = standard()
        self._patterns = PatternChecker()

    def errors(self, raw: bytes, decoded: object) -> list[str]:
        """Return what is wrong with an object, a few messages at most; empty where nothing is.

        Args:
            raw: the bytes of this object alone, as they came.
            decoded: what they decode to.
        """
        if not isinstance(decoded, dict):
            return ["an object of STIX is a JSON object"]
        if len(raw) > MAX_OBJECT:
            return [f"an object has at most {MAX_OBJECT} bytes"]
        found = self._of_schema(decoded)
        if not found:
            found = [*_of_extensions(decoded), *_of_times(decoded), *self._of_pattern(decoded)]
        if not found and _may_repeat(raw, decoded) and _repeats(raw):
            found = ["a property is given twice"]
        return found

    def _of_schema(self, decoded: dict[str, Any]) -> list[str]:
        kind = decoded.get("type")
        if not isinstance(kind, str):
            return ["type: it is missing or no text"]
        if kind == "bundle":
            return ["a bundle is no object of a collection: send its objects"]
        schema = self._standard.by_type.get(kind)
        if schema is not None:
            fault = _first_fault(schema, decoded)
            return [] if fault is None else [fault]
        if any(core.is_valid(decoded) for core in self._standard.cores) and _own_type(decoded, kind):
            return []
        return [f"{kind[:80]}: this type is not in STIX 2.1, and the object is not a valid custom object"]

    def _of_pattern(self, decoded: dict[str, Any]) -> list[str]:
        if decoded["type"] != "indicator" or decoded["pattern_type"] != "stix":
            return []
        fault = self._patterns.fault(decoded["pattern"])
        return [] if fault is None else [f"pattern: {fault}"]


def _first_fault(schema: Draft202012Validator, decoded: object) -> str | None:
    """Return the first fault alone: an object can be made that has a million, and to list them takes half a minute."""
    try:
        schema.validate(decoded)
    except ValidationError as error:
        place = ".".join(str(step) for step in error.instance_path)
        return (f"{place}: {error.message}" if place else error.message)[:_LONGEST_MESSAGE]
    return None


def _own_type(decoded: dict[str, Any], kind: str) -> bool:
    return str(decoded.get("id", "")).partition("--")[0] == kind


def _of_extensions(decoded: dict[str, Any]) -> Iterator[str]:
    for key, body in decoded.get("extensions", {}).items():
        allowed = MAY_EXTEND.get(key)
        if allowed is not None and decoded["type"] not in allowed:
            yield f"{key}: this extension stands on {' and '.join(sorted(allowed))} only"
        elif key == LLM_ACCOUNT:
            prefix = f"{body.get('token_scheme')}:{body.get('token_epoch')}:"
            if not all(token["token"].startswith(prefix) for token in body.get("tokens", ())):
                yield f"{key}: a token is of another scheme or epoch than the account says"


def _of_times(decoded: dict[str, Any]) -> Iterator[str]:
    for first, last in _ORDERED:
        if first in decoded and last in decoded and _moment(decoded[last]) < _moment(decoded[first]):
            yield f"{last}: it is before {first}"
    begins, ends = decoded.get("valid_from"), decoded.get("valid_until")
    if begins is not None and ends is not None and _moment(ends) <= _moment(begins):
        yield "valid_until: it is not after valid_from"


def _moment(text: str) -> str:
    """Return a time that compares as text, however many digits its fraction has; schemas have checked its form."""
    return text[:-1].rstrip("0").rstrip(".") if "." in text else text[:-1]


def _may_repeat(raw: bytes, decoded: object) -> bool:
    r"""Whether a property could be given twice: quick, and wrong only towards yes.

    A property given twice is decoded once, so its quotes are missing when the object is encoded anew. Only the escape
    \u0022 becomes more quotes than it had.
    """
    return raw.count(b'"') != msgspec.json.encode(decoded).count(b'"') or b"\\u0022" in raw


class _RepeatedError(ValueError):
    """A property is given twice."""


def _repeats(raw: bytes) -> bool:
    try:
        json.loads(raw, object_pairs_hook=_once)
    except _RepeatedError:
        return True
    return False


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _RepeatedError
