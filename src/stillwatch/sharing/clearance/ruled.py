"""Facts with the rulings on them, and what of that the log says."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from stillwatch.sharing.clearance.events import FieldRuled
from stillwatch.sharing.clearance.model import Fact, Ruling
from stillwatch.sharing.clearance.outbox import Outbox


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
