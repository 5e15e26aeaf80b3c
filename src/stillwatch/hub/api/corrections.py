"""Corrections: withdrawn, corrected, disputed, and who is told."""

import msgspec
from sqlalchemy import Connection

from stillwatch.hub import corrections
from stillwatch.hub.api import bodies
from stillwatch.hub.api.journal import write_down
from stillwatch.hub.api.paging import AFTER, LIMIT, Pager, limit_of
from stillwatch.hub.api.subjects import Seen, subject
from stillwatch.hub.collections import list_collections
from stillwatch.hub.http import Answer, Call, HubError, json_answer
from stillwatch.hub.hub import Hub
from stillwatch.hub.operations import Operation
from stillwatch.hub.standings import versions_of
from stillwatch.hub.storage.moments import added_text


class Correction(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to be known of an object: withdrawn and corrected are its owner's words, disputed is a reader's."""

    object_id: bodies.ObjectId
    kind: corrections.Kind
    reason: bodies.Text


class Told(msgspec.Struct, kw_only=True):
    """A correction, and when it was made; it never says by whom."""

    object_id: str
    kind: corrections.Kind
    reason: str
    at: str


class Corrections(msgspec.Struct, kw_only=True):
    """A page of corrections, the oldest first; `next` also where there are no more, for the next time."""

    corrections: list[Told]
    more: bool
    next: str | None


class Errata:
    """Handlers for corrections."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._pager = Pager(hub.storage.secret("cursor"), "corrections")

    def operations(self) -> list[Operation]:
        """Return the operations."""
        return [
            Operation(
                "/v1/corrections",
                "post",
                "Correct, withdraw or dispute; who may have the object is told.",
                self.add,
                Correction,
                ((202, bodies.Taken),),
                (400, 409, 413, 422),
            ),
            Operation(
                "/v1/corrections",
                "get",
                "Corrections of all objects that one may have got, also of those that are gone.",
                self.page,
                None,
                ((200, Corrections),),
                (400,),
                (AFTER, LIMIT),
            ),
        ]

    def add(self, call: Call) -> Answer:
        """Keep a correction."""
        given = bodies.read(call.body, Correction)
        storage = self._hub.storage
        with storage.writing() as db:
            seen = subject(db, call.member, given.object_id)
            mine = [one for one in seen if one.owner == call.member.number]
            if given.kind == "disputed":
                self._dispute(db, call, given, [one for one in seen if one not in mine])
            elif mine:
                for one in mine:
                    self._write(db, call, given, one, _told(db, given.kind, one))
            else:
                raise HubError(403, "it belongs to another member", "dispute it, or propose a change")
            write_down(db, storage, "statement.added", member=call.member.member_id, correction=given)
        return json_answer(bodies.Taken(object_id=given.object_id), 202)

    def page(self, call: Call) -> Answer:
        """Answer a page of corrections."""
        after, limit = self._pager.after(call), limit_of(call)
        with self._hub.storage.reading() as db:
            collections = list_collections(db)
            readable = [one.number for one in collections if one.readable_by(call.member)]
            others = [one.number for one in collections if one.number not in readable]
            found, more = corrections.read(db, call.member.number, readable, others, after=after, limit=limit)
        told = [
            Told(object_id=one.object_id, kind=one.kind, reason=one.reason, at=added_text(one.number)) for one in found
        ]
        last = found[-1].number if found else after
        return json_answer(Corrections(corrections=told, more=more, next=self._pager.next(call, last)))

    def _dispute(self, db: Connection, call: Call, given: Correction, seen: list[Seen]) -> None:
        """Tell the owner, and who sees the disputed version and knows of no dispute: nobody else is to get a count."""
        if not seen:
            raise HubError(409, "it is your own", "correct it, or withdraw it")
        known = [(one, corrections.known_of(db, one.collection, one.found.id, one.owner)) for one in seen]
        new = [(one, said) for one, said in known if not corrections.has_disputed(said, call.member.number)]
        if not new:
            raise HubError(409, "you have disputed it already")
        for one, said in new:
            versions = versions_of(db, one.collection, [one.found.id], one.owner)[one.found.id]
            disputed = [version for version in versions if version.seq == one.found.seq]
            self._write(db, call, given, one, corrections.unaware(said, corrections.readers_of(disputed)))

    def _write(self, db: Connection, call: Call, given: Correction, one: Seen, readers: corrections.Readers) -> None:
        said = corrections.Said(
            collection=one.collection,
            object_id=given.object_id,
            owner=one.owner,
            author=call.member.number,
            kind=given.kind,
            reason=given.reason,
        )
        corrections.write(db, self._hub.storage, said, readers | {one.owner})


def _told(db: Connection, kind: corrections.Kind, one: Seen) -> corrections.Readers:
    """Return whom an owner's word goes to; that it is withdrawn is no word for those who see it as another's too."""
    everyones = versions_of(db, one.collection, [one.found.id])[one.found.id]
    readers = corrections.readers_of(version for version in everyones if version.owner == one.owner)
    return corrections.without_others(readers, everyones, one.owner) if kind == "withdrawn" else readers
