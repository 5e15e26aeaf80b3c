"""Which version of an object is the latest for whom.

A version stands in the way of the older ones only for those who may see it. Versions of one object have one owner: what
another member posts under the same id is another object.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, select

from stillwatch.hub.storage import schema
from stillwatch.hub.storage.parts import insert_rows
from stillwatch.hub.storage.schema import DEPENDS, EVERYONE, LATEST, SUPERSEDED

_AT_ONCE = 500
_ROW_BYTES = 64  # six small numbers


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One stored version of an object. `readers` are numbers of members, None for everyone."""

    seq: int
    id: str
    owner: int
    version: int
    type: int
    size: int
    readers: frozenset[int] | None

    def visible_to(self, reader: int) -> bool:
        """Whether a member may see it."""
        return self.readers is None or reader in self.readers


def readers_text(readers: frozenset[int] | None) -> str | None:
    """Return an audience as the table keeps it."""
    return None if readers is None else json.dumps(sorted(readers), separators=(",", ":"))


def versions_of(
    db: Connection, collection: int, ids: Iterable[str], owner: int | None = None
) -> dict[str, list[Version]]:
    """Return what is stored under each of these ids, by one owner or by all."""
    wanted = sorted(set(ids))
    table = schema.stored
    found: dict[str, list[Version]] = defaultdict(list)
    for start in range(0, len(wanted), _AT_ONCE):
        columns = (table.c[name] for name in ("seq", "id", "owner", "version", "type", "size", "readers"))
        query = select(*columns).where(
            table.c.collection == collection, table.c.id.in_(wanted[start : start + _AT_ONCE])
        )
        for row in db.execute(query if owner is None else query.where(table.c.owner == owner)):
            readers = None if row.readers is None else frozenset(json.loads(row.readers))
            found[row.id].append(Version(**{**row._mapping, "readers": readers}))  # noqa: SLF001 - SQLAlchemy's name for it
    return found


def raws(db: Connection, seqs: Iterable[int]) -> dict[int, bytes]:
    """Return the bytes of stored objects by their `seq`."""
    wanted = sorted(set(seqs))
    found: dict[int, bytes] = {}
    table = schema.stored
    for start in range(0, len(wanted), _AT_ONCE):
        rows = db.execute(select(table.c.seq, table.c.raw).where(table.c.seq.in_(wanted[start : start + _AT_ONCE])))
        found.update({row.seq: bytes(row.raw) for row in rows})
    return found


def standings_of(versions: Sequence[Version]) -> list[tuple[Version, int, int]]:
    """Return version, reader and standing for all readers of all versions of one owner's object."""
    ordered = sorted(versions, key=lambda one: (one.version, one.seq))
    told = []
    for place, one in enumerate(ordered):
        newer = ordered[place + 1 :]
        told += [(one, reader, _standing(reader, newer)) for reader in _readers(one)]
    return told


def _readers(one: Version) -> list[int]:
    return [EVERYONE] if one.readers is None else sorted(one.readers)


def _standing(reader: int, newer: Sequence[Version]) -> int:
    if any(one.visible_to(reader) for one in newer):
        return SUPERSEDED
    return DEPENDS if reader == EVERYONE and newer else LATEST


def clear(db: Connection, collection: int, versions: Iterable[Version]) -> None:
    """Delete who may see these versions."""
    table = schema.audience
    for one in versions:
        db.execute(
            table.delete().where(
                table.c.collection == collection,
                table.c.reader.in_(_readers(one)),
                table.c.standing.in_((SUPERSEDED, LATEST, DEPENDS)),
                table.c.seq == one.seq,
            )
        )


def write(db: Connection, collection: int, groups: Iterable[Sequence[Version]]) -> None:
    """Write who may see the versions of objects, one group for each object; nothing of them may be written yet."""
    rows = (
        {
            "collection": collection,
            "reader": reader,
            "standing": standing,
            "seq": one.seq,
            "type": one.type,
            "size": one.size,
        }
        for group in groups
        for one, reader, standing in standings_of(group)
    )
    insert_rows(db, schema.audience, rows, lambda _row: _ROW_BYTES)
