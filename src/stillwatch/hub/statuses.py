"""What became of a post: the status resource of TAXII, kept for its poster alone."""

import uuid
import zlib
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from stillwatch.hub.members import Member
from stillwatch.hub.storage import schema
from stillwatch.hub.storage.moments import added_text

KEPT_S = 7 * 86_400
"""For so long a status is kept; the interoperability document asks for a day at least."""


class Detail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one object of a post."""

    id: str
    version: str
    message: str | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a post. `added` is microseconds since 1970, `seqs` those of the objects that were stored."""

    status_id: str
    added: int
    successes: list[Detail]
    failures: list[Detail]
    seqs: list[int]


def keep(db: Connection, outcome: Outcome, member: Member) -> None:
    """Write an outcome down."""
    detail = zlib.compress(msgspec.json.encode({"successes": outcome.successes, "failures": outcome.failures}), 1)
    good, bad = len(outcome.successes), len(outcome.failures)
    row = {"id": outcome.status_id, "member": member.number, "added": outcome.added, "total": good + bad}
    db.execute(schema.status.insert().values({**row, "success": good, "failure": bad, "detail": detail}))


def find(db: Connection, member: Member, status_id: str) -> dict[str, Any] | None:
    """Return the status resource of a member's own post; None where there is none of that id."""
    try:
        wanted = str(uuid.UUID(status_id))
    except ValueError:
        return None
    table = schema.status
    row = db.execute(select(table).where(table.c.id == wanted, table.c.member == member.number)).first()
    return None if row is None else _resource(row, msgspec.json.decode(zlib.decompress(row.detail)))


def resource_of(outcome: Outcome) -> dict[str, Any]:
    """Return the status resource of an outcome."""
    good, bad = msgspec.to_builtins((outcome.successes, outcome.failures))
    return _told(outcome.status_id, outcome.added, good, bad)


def forget(db: Connection, now: float) -> int:
    """Delete the statuses that are old enough; return how many there were."""
    table = schema.status
    return db.execute(table.delete().where(table.c.added < int((now - KEPT_S) * 1_000_000))).rowcount


def _resource(row: Any, detail: dict[str, list[Any]]) -> dict[str, Any]:
    return _told(row.id, row.added, detail["successes"], detail["failures"])


def _told(status_id: str, added: int, successes: list[Any], failures: list[Any]) -> dict[str, Any]:
    told = {
        "id": status_id,
        "status": "complete",
        "request_timestamp": added_text(added),
        "total_count": len(successes) + len(failures),
        "success_count": len(successes),
        "successes": successes,
        "failure_count": len(failures),
        "failures": failures,
        "pending_count": 0,
    }
    return {name: value for name, value in told.items() if value != []}
