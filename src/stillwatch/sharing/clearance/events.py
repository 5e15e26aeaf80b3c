"""What the clearance log records: keyed digests and never values, so that counsel may show it to an agency."""

import datetime as dt
from typing import Literal, Self

import msgspec

from stillwatch.sharing.clearance.model import Decision, State


class RulesUsed(msgspec.Struct, frozen=True, kw_only=True, tag="rules"):
    """From here on, facts were judged by these rules and these adopted bases; `table` is a digest of all rules.

    Attributes:
        stated: which of `rules` and `bases` came from a file that somebody named; None where nobody can tell.
    """

    ts: float
    version: str
    table: str
    adoptions: str
    in_force: tuple[str, ...]
    stated: tuple[str, ...] | None = None


class BasisAdopted(msgspec.Struct, frozen=True, kw_only=True, tag="adoption"):
    """Counsel's adoption of a basis, as the first clearance after it found it; days in force, both included."""

    ts: float
    basis: str
    by: str
    reason: str
    start: dt.date
    until: dt.date


class FieldRuled(msgspec.Struct, frozen=True, kw_only=True):
    """A ruling on all facts of an item that it fits: how many, and a keyed digest of what they were.

    Attributes:
        field: its name; empty for fields that no rule names, since a name may be anybody's word.
    """

    field: str
    facts: int
    values: str
    number: int
    decision: Decision
    state: State
    why: str
    source: str
    bases: tuple[str, ...] = ()
    opinion: str | None = None


class ItemRuled(msgspec.Struct, frozen=True, kw_only=True, tag="ruling"):
    """The rulings on all facts of an item under one version of the rules; objects name this entry by its SHA-256."""

    ts: float
    item: str
    rules_version: str
    circumvention: tuple[str, ...]
    fields: tuple[FieldRuled, ...]


class Reviewed(msgspec.Struct, frozen=True, kw_only=True, tag="review"):
    """One person's word on a fact that was held. Two different persons release it; one refuses it.

    Attributes:
        terms: digest of how and for whom it would leave; a release is for these alone.
        bases: legal bases of its class that held; a release falls with any of them.
    """

    ts: float
    key: str
    item: str
    field: str
    value: str
    verdict: Literal["release", "refuse"]
    by: str
    reason: str
    terms: str = ""
    bases: tuple[str, ...] = ()

    @classmethod
    def word(cls, key: str, verdict: Literal["release", "refuse"], *, by: str, reason: str) -> Self:
        """Return a word as a person gives it; when it was given and what it is about, clearance fills in."""
        return cls(ts=0.0, key=key, item="", field="", value="", verdict=verdict, by=by, reason=reason)


class OpinionGiven(msgspec.Struct, frozen=True, kw_only=True, tag="opinion"):
    """One person's word for a standing opinion. It stands from the second person's word on.

    Attributes:
        bases: legal bases of the class that held when it was given; the opinion falls with any of them.
    """

    ts: float
    opinion: str
    number: int
    fields: tuple[str, ...]
    until_s: float
    by: str
    reason: str
    bases: tuple[str, ...] = ()


class OpinionEnded(msgspec.Struct, frozen=True, kw_only=True, tag="opinion-ended"):
    """One person's word that a standing opinion stands no more."""

    ts: float
    opinion: str
    by: str
    reason: str


class ObjectMade(msgspec.Struct, frozen=True, kw_only=True, tag="object"):
    """An object that may go to the wire, byte for byte: its SHA-256, and what it rests on.

    Attributes:
        ts: when it was made, as its versions say it too: of what is anonymous, the day.
        file: where its bytes lie below `objects`.
        numbers: classes of what is in it.
        released: keys of reviews that let parts of it pass.
        opinions: standing opinions that let parts of it pass.
        withdrawn: who took it back and why, from then on.
        revokes: SHA-256 of the version that this one takes back.
        audience: keyed digest of who may have it.
        anonymous: whether it leaves without the member's name.
        facts: keyed digests of the facts that it is about; once it is withdrawn, they leave no more.
    """

    ts: float
    sha256: str
    file: str
    object_id: str
    item: str
    rules_version: str
    numbers: tuple[int, ...]
    bases: tuple[str, ...]
    released: tuple[str, ...] = ()
    opinions: tuple[str, ...] = ()
    withdrawn: str | None = None
    revokes: str = ""
    audience: str = ""
    anonymous: bool = False
    facts: tuple[str, ...] = ()


class Sending(msgspec.Struct, frozen=True, kw_only=True, tag="sending"):
    """Objects, by SHA-256, are about to go to a collection of a hub, so that it may have them from now on."""

    ts: float
    hub: str
    collection: str
    objects: tuple[str, ...]


class Pushed(msgspec.Struct, frozen=True, kw_only=True, tag="pushed"):
    """A hub acknowledged an object in one of its collections, or refused it."""

    ts: float
    sha256: str
    hub: str
    accepted: bool
    message: str = ""
    collection: str = ""


class Deleted(msgspec.Struct, frozen=True, kw_only=True, tag="deleted"):
    """A hub deleted an observable that was withdrawn from a collection; it has no version that could say so."""

    ts: float
    object_id: str
    hub: str
    collection: str = ""


class OverlapOffered(msgspec.Struct, frozen=True, kw_only=True, tag="overlap"):
    """An offer in a private set intersection, ours or the other side's, before anything was compared.

    Attributes:
        by, second: the two persons who decided to take part; entries of older versions have one.
        reason: why they did.
        rules_version: the rules that hold lists of accounts to be never shared, and this to be the only way.
    """

    ts: float
    role: str
    sha256: str
    by: str
    second: str = ""
    reason: str = ""
    rules_version: str = ""


Event = (
    BasisAdopted
    | Deleted
    | ItemRuled
    | ObjectMade
    | OpinionEnded
    | OpinionGiven
    | OverlapOffered
    | Pushed
    | Reviewed
    | RulesUsed
    | Sending
)
