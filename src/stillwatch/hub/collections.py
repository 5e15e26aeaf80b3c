"""The collections of a hub, and what each role may do in them."""

import uuid

import msgspec
from sqlalchemy import Connection, select

from stillwatch.hub.members import Member
from stillwatch.hub.storage import schema

SHARED, INBOX = "shared", "inbox"


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """One collection."""

    number: int
    id: str
    alias: str
    title: str
    description: str

    def readable_by(self, member: Member) -> bool:
        """Whether a member may read it: the inbox is for stewards, and a contributor reads nothing."""
        return member.role == "steward" or (self.alias != INBOX and member.role != "contributor")

    def writable_by(self, member: Member) -> bool:
        """Whether a member may add to it."""
        return member.role != "reader"


_ALL = select(schema.collection).order_by(schema.collection.c.id)


def make_collections(db: Connection) -> None:
    """Make the two collections of a new hub."""
    if list_collections(db):
        return
    rows = [
        (SHARED, "Shared", "What members share: all members read it and write to it, as far as markings let them."),
        (INBOX, "Inbox", "For the stewards of the hub: members write to it and read nothing of it."),
    ]
    made = [{"alias": a, "title": t, "description": d, "id": str(uuid.uuid4())} for a, t, d in rows]
    db.execute(schema.collection.insert(), made)


def list_collections(db: Connection) -> list[Collection]:
    """Return all collections in the order of their ids, as the interoperability document wants."""
    return [Collection(**row._mapping) for row in db.execute(_ALL)]  # noqa: SLF001 - SQLAlchemy's name for it


def find_collection(db: Connection, name: str) -> Collection | None:
    """Return a collection by its id or its alias."""
    return next((one for one in list_collections(db) if name in {one.id, one.alias}), None)
