"""Identifiers of accounts into tokens: for facts that are to be cleared, and to find accounts that others reported."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from stillwatch.errors import InputRejectedError, UsageError
from stillwatch.sharing.clearance.model import Fact, Item
from stillwatch.sharing.matching.normalise import canonical
from stillwatch.sharing.objects.extensions import llm_account_of
from stillwatch.sharing.received import Received

KINDS = ("email", "payment", "phone", "device")
Tokeniser = Callable[[Sequence[bytes]], Sequence[str]]
"""Takes canonical identifiers and returns the token of each."""


class TokenMatch(NamedTuple):
    """An account of ours whose holder has an identifier that a member reported."""

    account_id: str
    kind: str
    object_id: str
    source: str


def with_tokens(items: Sequence[Item], tokenise: Tokeniser) -> list[Item]:
    """Return items whose facts about identifiers carry their tokens; a victim's identifiers are not even asked for.

    A value that is none of its kind gets an empty token, so that clearance can say why it stays.
    """
    wanted = {_place(fact): name for item in items for fact in item.facts if (name := _identifier(fact)) is not None}
    names = sorted(set(wanted.values()))
    tokens = dict(zip(names, tokenise(names), strict=True)) if names else {}

    def tokened(fact: Fact) -> Fact:
        if not _is_asked_for(fact):
            return fact
        token = tokens.get(wanted.get(_place(fact), b""), "")
        return msgspec.structs.replace(fact, context={**fact.context, "token": token})

    return [msgspec.structs.replace(item, facts=tuple(map(tokened, item.facts))) for item in items]


def matches(
    holders: Mapping[str, Mapping[str, str | None]], received: Iterable[Received], tokenise: Tokeniser
) -> Iterator[TokenMatch]:
    """Yield our accounts whose holders others reported; `holders` has each account's identifiers by kind, in clear."""
    ours: dict[bytes, list[tuple[str, str]]] = {}
    for account_id, identifiers in holders.items():
        for kind in KINDS:
            name = _canonical(kind, identifiers.get(kind))
            if name is not None:
                ours.setdefault(name, []).append((account_id, kind))
    reported = _reported(received)
    if not ours or not reported:
        return
    for name, token in zip(ours, tokenise(list(ours)), strict=True):
        for one in reported.get(token, ()):
            for account_id, kind in ours[name]:
                yield TokenMatch(account_id, kind, one.object_id, one.source or "")


def unusable(holders: Mapping[str, Mapping[str, str | None]], kinds: Iterable[str] = KINDS) -> dict[str, int]:
    """Return how many identifiers are none of their kind, by kind; they get no token and are compared with nothing."""
    found = dict.fromkeys(kinds, 0)
    for identifiers in holders.values():
        for kind in found:
            value = identifiers.get(kind)
            found[kind] += value is not None and _canonical(kind, value) is None
    return {kind: count for kind, count in found.items() if count}


def named_by(holders: Mapping[str, Mapping[str, str | None]], kind: str) -> dict[bytes, list[str]]:
    """Return the accounts that each identifier of a kind stands for, by its canonical bytes.

    Raises:
        UsageError: there is no such kind.
    """
    if kind not in KINDS:
        raise UsageError(f"there is no kind {kind!r} of identifier", hint=f"one of {', '.join(KINDS)}")
    found: dict[bytes, list[str]] = {}
    for account_id, identifiers in holders.items():
        name = _canonical(kind, identifiers.get(kind))
        if name is not None:
            found.setdefault(name, []).append(account_id)
    return found


def _reported(received: Iterable[Received]) -> dict[str, list[Received]]:
    found: dict[str, list[Received]] = {}
    for one in received:
        if one.kind == "user-account":
            for token in _tokens_of(one.raw):
                found.setdefault(token, []).append(one)
    return found


def _tokens_of(raw: bytes) -> list[str]:
    try:
        account = llm_account_of(msgspec.json.decode(raw, type=dict[str, Any]))
    except msgspec.MsgspecError:
        return []
    return [] if account is None else [one.token for one in account.tokens]


def _place(fact: Fact) -> tuple[str, str]:
    return fact.field, str(fact.value)


def _is_asked_for(fact: Fact) -> bool:
    area, _, kind = fact.field.partition(".")
    return area == "identity" and kind in KINDS and fact.context.get("role") not in (None, "victim")


def _identifier(fact: Fact) -> bytes | None:
    return _canonical(fact.field.partition(".")[2], fact.value) if _is_asked_for(fact) else None


def _canonical(kind: Any, value: object) -> bytes | None:
    if kind not in KINDS or not isinstance(value, str):
        return None
    try:
        return canonical(kind, value)
    except InputRejectedError:
        return None
