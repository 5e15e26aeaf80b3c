"""Deletion: what its owner takes back is gone for every reader, and the same is not taken again."""

import hashlib
from collections.abc import Sequence

from sqlalchemy import Connection

from stillwatch.hub import corrections, correlation, standings
from stillwatch.hub.members import Member
from stillwatch.hub.storage import schema
from stillwatch.hub.storage.pages import Found
from stillwatch.hub.storage.storage import Storage
from stillwatch.hub.triage import WHOLE


def retract(db: Connection, storage: Storage, collection: int, owner: Member, found: Sequence[Found]) -> None:
    """Delete versions of objects of one owner, and leave a tombstone and an audit leaf.

    Args:
        db: a connection of `Storage.writing`.
        storage: keeps the audit leaves.
        collection: number of the collection.
        owner: whose the objects are.
        found: the versions.
    """
    if not found:
        return
    gone = {one.seq for one in found}
    stones = {(one.id, WHOLE if one.version == one.seq else one.version) for one in found}
    for name, versions in standings.versions_of(db, collection, {one.id for one in found}).items():
        corrections.announce(db, storage, collection, owner.number, versions, frozenset(gone))
        own = [one for one in versions if one.owner == owner.number]
        standings.clear(db, collection, own)
        standings.write(db, collection, [[one for one in own if one.seq not in gone]])
        for version in (version for stone, version in stones if stone == name):
            key = {"collection": collection, "id": name, "owner": owner.number, "version": version}
            db.execute(schema.tombstone.insert().values(key))
    correlation.forget(db, storage, gone)
    db.execute(schema.stored.delete().where(schema.stored.c.seq.in_(sorted(gone))))
    said = hashlib.sha256(storage.secret("retracted") + b"".join(one.to_bytes(8, "big") for one in sorted(gone)))
    storage.audit(db, "objects.deleted", objects=said.hexdigest())
