"""What clearance speaks of: facts that somebody would like to tell, rules about their classes, and rulings on them."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from stillwatch.sharing.objects.tlp import DEFAULT, Tlp

Decision = Literal["share", "transform", "counsel", "never"]
Channel = Literal["hub", "government"]
State = Literal["leaves", "held", "withheld"]


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that could be told.

    Attributes:
        field: its name in the closed vocabulary of rules.toml, such as `volume.exchanges`.
        value: what it is, in clear; it leaves only as its rule transforms it.
        context: what conditions judge (see conditions.py), such as `accounts` or `observed_at` (Unix seconds).
    """

    field: str
    value: Any
    context: Mapping[str, Any] = msgspec.field(default_factory=dict)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Facts that belong together and leave as one campaign or one note.

    Attributes:
        item_id: the provider's own name for it; it never leaves.
        circumvention: what kinds of circumvention the evidence shows (see circumvention.py).
        first_seen, last_seen: Unix seconds.
    """

    item_id: str
    facts: tuple[Fact, ...]
    circumvention: tuple[str, ...] = ()
    first_seen: float = 0.0
    last_seen: float = 0.0


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """For whom something is shared, and how. They stay with an item: what counsel releases, it releases under them."""

    tlp: Tlp = DEFAULT
    recipients: tuple[str, ...] = ()
    correlate: bool = False
    anonymous: bool = False


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An item as it was given to clearance, and the terms that it was cleared under."""

    item: Item
    terms: Terms


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done with some fields of a class where all its conditions hold."""

    fields: tuple[str, ...]
    decision: Literal["share", "transform", "counsel"]
    transformation: str
    when: tuple[str, ...] = ()


class DataClass(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One class of data: who may learn of it, why, and on what authority. A fact that no rule fits does not leave.

    Attributes:
        rule: tried in order; the first that names the field and whose conditions hold decides.
        bases: legal bases; in each jurisdiction that a member names, one of those listed for it must be in force.
        incident: whether it tells of one incident, to which the circumvention test applies.
        channel: where it may go at all.
    """

    number: int
    title: str
    fields: tuple[str, ...]
    reason: str
    source: str
    rule: tuple[Rule, ...] = ()
    bases: tuple[str, ...] = ()
    incident: bool = False
    channel: Channel = "hub"


class RuleTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All classes of one version."""

    version: str
    classes: tuple[DataClass, ...] = msgspec.field(name="class")


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided on one fact, and why.

    Attributes:
        number: the class, 0 where no class names the field.
        state: `leaves` (with `value` as it leaves), `held` for counsel (`value` in clear), or `withheld`.
        why: one sentence: the rule's reason, the condition that failed, or the basis that lapsed.
        bases: those it rests on.
        opinion: the standing opinion of counsel that let it pass, if one did.
        review: the key under which two persons released it, if they did.
        account: the provider's own name of the account that the fact is about; it never leaves.
        expires_at: when the fact goes stale (Unix seconds), where it says so.
    """

    field: str
    number: int
    decision: Decision
    state: State
    transformation: str
    why: str
    source: str
    rules_version: str
    value: Any = None
    bases: tuple[str, ...] = ()
    opinion: str | None = None
    review: str | None = None
    channel: Channel = "hub"
    account: str | None = None
    expires_at: float | None = None
