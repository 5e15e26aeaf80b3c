"""What members report of an object, counted so that nobody can be picked out: sightings and opinions.

A report counts a day after it was made, and only where three members beside the owner made one. Until a changed report
is a day old, the one before it counts, so that a count does not go down and up again and show who changed his mind.

A report is on all versions that its author saw, and counts for those who see one of them. So reports of those who see
none of one's versions do not count, and a newer version that is hidden takes nothing from the count; but which of the
versions that he saw moved an author to report, nobody can tell.
"""

from collections.abc import Iterable
from operator import attrgetter
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, func, select

from stillwatch.hub.anonymity import is_anonymous
from stillwatch.hub.api.subjects import Seen
from stillwatch.hub.api.tables import report
from stillwatch.hub.members import Member
from stillwatch.hub.standings import Version, versions_of
from stillwatch.hub.storage.schema import stored
from stillwatch.hub.storage.storage import Storage

LEAST, MANY = 3, 10
DELAY_S = 86_400
Kind = Literal["sighting", "opinion"]
Members = Literal["under 3", "3-9", "10+"]


def band_of(count: int) -> Members:
    """Return the band of a number of members; none, one and two look the same."""
    return "under 3" if count < LEAST else "3-9" if count < MANY else "10+"


class _Report(msgspec.Struct, frozen=True, kw_only=True):
    """What of a member's report counts now."""

    member: int
    reported: float
    value: bytes


def keep(db: Connection, storage: Storage, kind: Kind, member: Member, seen: Iterable[Seen], value: Any) -> None:
    """Put a member's report on what it sees under an id in the place of its last one."""
    now, table = storage.now(), report
    said = {
        "value": msgspec.json.encode(value),
        "reported": now,
        "newest": db.scalar(select(func.max(stored.c.seq))),
    }
    for one in seen:
        key = {
            "kind": kind,
            "collection": one.collection,
            "object_id": one.found.id,
            "owner": one.owner,
            "member": member.number,
        }
        this = [table.c[name] == part for name, part in key.items()]
        held = db.execute(select(table).where(*this)).first()
        before: dict[str, Any] = {}
        if held is not None and held.reported <= now - DELAY_S:
            before = {"before": held.value, "before_newest": held.newest}
        elif held is not None:
            before = {"before": held.before, "before_newest": held.before_newest}
        db.execute(table.delete().where(*this))
        db.execute(table.insert().values({**key, **said, **before}))


def counted(db: Connection, kind: Kind, member: Member, seen: Iterable[Seen], now: float) -> list[Any]:
    """Return the reports that count for a member, one for each author, of no order that says whose they are.

    Owners do not count, but where that would show whose an anonymous object is.

    Args:
        db: a connection.
        kind: of the reports.
        member: who asks.
        seen: what it sees under one id.
        now: Unix seconds.
    """
    given = list(seen)
    owners = {one.owner for one in given if not is_anonymous(one.item)}
    reports = [found for one in given for found in _reports(db, kind, member, one, now) if found.member not in owners]
    latest = {one.member: one.value for one in sorted(reports, key=attrgetter("reported"))}
    return [msgspec.json.decode(value) for value in sorted(latest.values())]


def _reports(db: Connection, kind: Kind, member: Member, one: Seen, now: float) -> list[_Report]:
    """Return the reports on one owner's object whose authors saw a version of it that this member sees too."""
    stored_versions = versions_of(db, one.collection, [one.found.id], one.owner)[one.found.id]
    versions = [version for version in stored_versions if version.visible_to(member.number)]
    table = report
    rows = db.execute(
        select(table).where(
            table.c.kind == kind,
            table.c.collection == one.collection,
            table.c.object_id == one.found.id,
            table.c.owner == one.owner,
        )
    )
    found = []
    for row in rows:
        counts = row.reported <= now - DELAY_S
        value, newest = (row.value, row.newest) if counts else (row.before, row.before_newest)
        if value is not None and _saw(row.member, newest, versions):
            found.append(_Report(member=row.member, reported=row.reported, value=bytes(value)))
    return found


def _saw(author: int, newest: int, versions: Iterable[Version]) -> bool:
    """Whether an author saw one of these versions when it reported."""
    return any(one.seq <= newest and one.visible_to(author) for one in versions)
