"""Proposals: what a reader thinks an object should say. They go to its owner alone, who decides alone."""

import copy
import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from sqlalchemy import Connection, func, or_, select

from stillwatch.hub.api import bodies
from stillwatch.hub.api.journal import write_down
from stillwatch.hub.api.paging import AFTER, LIMIT, Pager, limit_of
from stillwatch.hub.api.subjects import Seen, subject
from stillwatch.hub.api.tables import proposal
from stillwatch.hub.http import Answer, Call, HubError, json_answer
from stillwatch.hub.hub import Hub
from stillwatch.hub.members import list_members
from stillwatch.hub.operations import Operation

MOST_OPEN = 1000
"""Proposals of one member that wait for an answer."""
_MOST_CHANGES = 50
_MOST_BYTES = 65_536
_FIXED = frozenset({"type", "id", "created", "modified", "created_by_ref", "spec_version"})
State = Literal["open", "accepted", "declined"]

Path = Annotated[str, msgspec.Meta(min_length=1, max_length=300, pattern="^[^\\x00]*$")]


class Proposal(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """New values by path (names and places in lists, with dots between them); null takes a property away."""

    object_id: bodies.ObjectId
    change: Annotated[dict[Path, Any], msgspec.Meta(min_length=1, max_length=_MOST_CHANGES)]
    reason: bodies.Text


class Reply(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the owner says to a proposal."""

    accepted: bool
    reason: bodies.Text


class Shown(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A proposal to the caller, with who made it, or by the caller, without whom it went to."""

    id: str
    object_id: str
    direction: Literal["received", "sent"]
    change: dict[str, Any]
    reason: str
    state: State
    by: str | None = None
    answer: str | None = None


class Proposals(msgspec.Struct, kw_only=True):
    """A page of proposals, the oldest first."""

    proposals: list[Shown]
    more: bool
    next: str | None


class Suggestions:
    """Handlers for proposals."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._pager = Pager(hub.storage.secret("cursor"), "proposals")

    def operations(self) -> list[Operation]:
        """Return the operations."""
        return [
            Operation(
                "/v1/proposals",
                "post",
                "Propose a change of another member's object.",
                self.add,
                Proposal,
                ((202, Shown),),
                (400, 409, 413, 422),
            ),
            Operation(
                "/v1/proposals",
                "get",
                "Proposals to the caller and by the caller.",
                self.page,
                None,
                ((200, Proposals),),
                (400,),
                (AFTER, LIMIT),
            ),
            Operation(
                "/v1/proposals/{proposal_id}/answer",
                "post",
                "Answer a proposal; the object changes by a new version that the owner posts.",
                self.answer,
                Reply,
                ((200, Shown),),
                (400, 409, 413, 422),
            ),
        ]

    def add(self, call: Call) -> Answer:
        """Keep a proposal for the owner of what the caller sees."""
        given = bodies.read(call.body, Proposal)
        storage = self._hub.storage
        with storage.reading() as db:
            one = _anothers(subject(db, call.member, given.object_id), call)
        self._check(one.item, given.change)
        with storage.writing() as db:
            one = _anothers(subject(db, call.member, given.object_id), call)
            self._check_open(db, call.member.number)
            row = {
                "id": str(uuid.uuid4()),
                "number": storage.take(db, "proposal", int(storage.now() * 1_000_000), 1),
                "object_id": given.object_id,
                "owner": one.owner,
                "author": call.member.number,
                "change": msgspec.json.encode(given.change),
                "reason": given.reason,
                "state": "open",
            }
            db.execute(proposal.insert().values(row))
            write_down(db, storage, "statement.added", member=call.member.member_id, proposal=given)
        shown = Shown(
            id=str(row["id"]),
            object_id=given.object_id,
            direction="sent",
            change=given.change,
            reason=given.reason,
            state="open",
        )
        return json_answer(shown, 202)

    def page(self, call: Call) -> Answer:
        """Answer a page of proposals."""
        after, limit, me = self._pager.after(call), limit_of(call), call.member.number
        with self._hub.storage.reading() as db:
            mine = or_(proposal.c.owner == me, proposal.c.author == me)
            query = select(proposal).where(mine, proposal.c.number > after).order_by(proposal.c.number)
            rows = db.execute(query.limit(limit + 1)).all()
            names = {one.number: one.member_id for one in list_members(db)}
        shown = [_shown(row, me, names) for row in rows[:limit]]
        last = rows[:limit][-1].number if rows else after
        return json_answer(Proposals(proposals=shown, more=len(rows) > limit, next=self._pager.next(call, last)))

    def answer(self, call: Call) -> Answer:
        """Keep what the owner says."""
        given = bodies.read(call.body, Reply)
        storage, me = self._hub.storage, call.member.number
        with storage.writing() as db:
            this = (proposal.c.id == call.path["proposal_id"], proposal.c.owner == me)
            row = db.execute(select(proposal).where(*this)).first() if call.path["proposal_id"].isprintable() else None
            if row is None:
                raise HubError(404, "there is no such proposal")
            if row.state != "open":
                raise HubError(409, "it is answered already")
            state = "accepted" if given.accepted else "declined"
            db.execute(proposal.update().where(*this).values(state=state, answer=given.reason))
            write_down(db, storage, "statement.added", member=call.member.member_id, proposal=row.id, answer=given)
            row = db.execute(select(proposal).where(*this)).one()
            names = {one.number: one.member_id for one in list_members(db)}
        return json_answer(_shown(row, me, names))

    def _check(self, item: Mapping[str, Any], change: Mapping[str, Any]) -> None:
        """Refuse what the hub would not take as an object: a proposal can say no more than an object can.

        Raises:
            HubError: 422.
        """
        if len(msgspec.json.encode(change)) > _MOST_BYTES:
            raise HubError(422, "the change is too long", f"at most {_MOST_BYTES} bytes")
        paths = [path.split(".") for path in change]
        if any(one != other and other[: len(one)] == one for one in paths for other in paths):
            raise HubError(422, "one of the changes is inside another", "what is undone again is not judged")
        changed = copy.deepcopy(dict(item))
        for path, value in change.items():
            _change(changed, path.split("."), value)
        faults = self._hub.intake.inspect([msgspec.json.encode(changed)]).faults
        if faults:
            raise HubError(422, "the object would not be taken so", faults[0].message[:300])

    def _check_open(self, db: Connection, author: int) -> None:
        query = select(func.count()).where(proposal.c.author == author, proposal.c.state == "open")
        if (db.scalar(query) or 0) >= MOST_OPEN:
            raise HubError(409, "too many of your proposals wait for an answer", f"at most {MOST_OPEN}")


def _anothers(seen: list[Seen], call: Call) -> Seen:
    """Return the first of what is seen that belongs to another member.

    Raises:
        HubError: 409, it is all the caller's own.
    """
    for one in seen:
        if one.owner != call.member.number:
            return one
    raise HubError(409, "it is your own", "post a new version")


def _change(item: dict[str, Any], path: list[str], value: Any) -> None:
    """Set the value at a path, or take it away.

    Raises:
        HubError: 422, there is no such place, or it is fixed.
    """
    if path[0] in _FIXED:
        raise HubError(422, "this property of an object is fixed", path[0])
    inside: Any = item
    try:
        for part in path[:-1]:
            inside = inside[int(part)] if isinstance(inside, list) else inside[part]
        last: Any = int(path[-1]) if isinstance(inside, list) else path[-1]
        if value is None:
            del inside[last]
        else:
            inside[last] = value
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise HubError(422, "the object has no such place", ".".join(path)[:300]) from error


def _shown(row: Any, me: int, names: Mapping[int, str]) -> Shown:
    received = row.owner == me
    return Shown(
        id=row.id,
        object_id=row.object_id,
        direction="received" if received else "sent",
        change=msgspec.json.decode(row.change),
        reason=row.reason,
        state=row.state,
        by=names.get(row.author) if received else None,
        answer=row.answer,
    )
