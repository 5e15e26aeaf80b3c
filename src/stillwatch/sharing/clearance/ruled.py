"""Facts with the rulings on them, and what of that the log says."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from stillwatch.sharing.clearance.build import OF_CAMPAIGN, Draft
from stillwatch.sharing.clearance.events import FieldRuled
from stillwatch.sharing.clearance.model import Fact, Item, Ruling
from stillwatch.sharing.clearance.outbox import Outbox

_NAMING = {"user-account": "account.id", "autonomous-system": "infrastructure.asn"}
"""Of observables: what each is about, whatever finding tells of it."""


class Ruled(NamedTuple):
    """A fact and the ruling on it."""

    fact: Fact
    ruling: Ruling


def fields_ruled(outbox: Outbox, ruled: Sequence[Ruled]) -> tuple[FieldRuled, ...]:
    """Group facts that were ruled on alike, so that an item with many accounts is one entry of the log."""
    alike: dict[FieldRuled, list[str]] = defaultdict(list)
    for fact, ruling in ruled:
        kind = FieldRuled(
            field=ruling.field if ruling.number else "",
            facts=0,
            values="",
            number=ruling.number,
            decision=ruling.decision,
            state=ruling.state,
            why=ruling.why,
            source=ruling.source,
            bases=ruling.bases,
            opinion=ruling.opinion,
        )
        alike[kind].append(outbox.value_digest(fact))
    return tuple(
        msgspec.structs.replace(kind, facts=len(values), values=outbox.digest("values", *sorted(values)))
        for kind, values in alike.items()
    )


def told_in(outbox: Outbox, item: Item, draft: Draft, ruled: Sequence[Ruled]) -> tuple[str, ...]:
    """Return keyed digests of the facts that an object is about, by which its withdrawal is remembered.

    Ids change with the audience and with what else a finding holds, so a withdrawal that knew ids alone would not last.
    What a campaign says stands under one id for good, and in other objects too.
    """
    kind = draft.body["type"]
    if kind == "campaign":
        return ()
    fact_of = {id(one.ruling): one.fact for one in ruled}
    facts = [fact_of[id(ruling)] for ruling in draft.rulings if ruling.field not in OF_CAMPAIGN]
    if kind in _NAMING:
        return tuple(outbox.value_digest(fact) for fact in facts if fact.field == _NAMING[kind])
    return tuple(outbox.key_of(item, fact) for fact in facts)
