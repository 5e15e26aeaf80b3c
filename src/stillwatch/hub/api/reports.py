"""What members report of an object, counted so that nobody can be picked out: sightings and opinions.

A report counts a day after it was made, and only where three members beside the owner made one. Until a changed report
is a day old, the one before it counts, so that a count does not go down and up again and show who changed his mind.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, select

from stillwatch.hub.api.subjects import Seen
from stillwatch.hub.api.tables import report
from stillwatch.hub.members import Member
from stillwatch.hub.storage.storage import Storage

LEAST, MANY = 3, 10
DELAY_S = 86_400
Kind = Literal["sighting", "opinion"]
Members = Literal["under 3", "3-9", "10+"]


def band_of(count: int) -> Members:
    """Return the band of a number of members; none, one and two look the same."""
    return "under 3" if count < LEAST else "3-9" if count < MANY else "10+"


def keep(db: Connection, storage: Storage, kind: Kind, member: Member, seen: Iterable[Seen], value: Any) -> None:
    """Put a member's report on what it sees under an id in the place of its last one."""
    now = storage.now()
    encoded = msgspec.json.encode(value)
    table = report
    for owner, object_id in {(one.owner, one.found.id) for one in seen}:
        key = {"kind": kind, "object_id": object_id, "owner": owner, "member": member.number}
        this = [table.c[name] == part for name, part in key.items()]
        held = db.execute(select(table.c.value, table.c.reported, table.c.before).where(*this)).first()
        before = None if held is None else held.value if held.reported <= now - DELAY_S else held.before
        db.execute(table.delete().where(*this))
        db.execute(table.insert().values({**key, "value": encoded, "reported": now, "before": before}))


def counted(db: Connection, kind: Kind, seen: Sequence[Seen], now: float) -> list[Any]:
    """Return the reports that count, one for each member beside the owners, of no order that says whose they are."""
    if not seen:
        return []
    table = report
    owners = {one.owner for one in seen}
    query = select(table.c.member, table.c.value, table.c.reported, table.c.before).where(
        table.c.kind == kind,
        table.c.object_id == seen[0].found.id,
        table.c.owner.in_(sorted(owners)),
        table.c.member.not_in(sorted(owners)),
    )
    found: dict[int, bytes] = {}
    for row in db.execute(query.order_by(table.c.reported)):
        value = row.value if row.reported <= now - DELAY_S else row.before
        if value is not None:
            found[row.member] = bytes(value)
    return [msgspec.json.decode(value) for value in sorted(found.values())]
