"""What is said of an object after it was shared: that it is withdrawn, corrected or disputed.

A correction goes to everyone who may have pulled the object, so it keeps the audience that the object had: also of one
that is gone since. A dispute is of the newest version that its author sees, and goes to those who see that version: of
another they may know nothing. No correction says who speaks.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    and_,
    exists,
    select,
)

from stillwatch.hub.standings import Version
from stillwatch.hub.storage.schema import BIG, EVERYONE, METADATA
from stillwatch.hub.storage.storage import Storage

Kind = Literal["withdrawn", "corrected", "disputed"]
Readers = frozenset[int]
"""Numbers of members; beside `EVERYONE`, negative numbers are those of members that are left out, unless named too."""
DELETED = "its owner deleted it"

correction = Table(
    "hub_correction",
    METADATA,
    Column("number", BIG, primary_key=True, autoincrement=False),  # microseconds since 1970, strictly growing
    Column("collection", SmallInteger, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("owner", Integer, nullable=False),
    Column("author", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("hub_correction_object", "collection", "object_id", "owner", "number"),
)
reader = Table(
    "hub_correction_reader",
    METADATA,
    Column("collection", SmallInteger, primary_key=True, autoincrement=False),
    Column("reader", Integer, primary_key=True, autoincrement=False),  # as in `Readers`
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one owner's object, and by which member (numbers)."""

    collection: int
    object_id: str
    owner: int
    author: int
    kind: Kind
    reason: str


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of an object by which member (number), and who is told."""

    kind: Kind
    author: int
    readers: Readers


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """A correction as a reader sees it; `number` is when it was made, in microseconds since 1970."""

    number: int
    object_id: str
    kind: Kind
    reason: str


def write(db: Connection, storage: Storage, said: Said, readers: Readers) -> int:
    """Keep a correction for these readers (`EVERYONE` stands for all of the collection); return its number."""
    number = storage.take(db, "correction", int(storage.now() * 1_000_000), 1)
    db.execute(correction.insert().values(number=number, **msgspec.structs.asdict(said)))
    rows = [{"collection": said.collection, "reader": one, "number": number} for one in sorted(readers)]
    db.execute(reader.insert(), rows)
    return number


def read(
    db: Connection, member: int, readable: Sequence[int], others: Sequence[int], *, after: int, limit: int
) -> tuple[list[Correction], bool]:
    """Return a member's corrections after a number, in order, and whether there are more.

    Args:
        db: a connection.
        member: number of the member.
        readable: the collections that it reads.
        others: the other collections, of which it is told what concerns its own objects.
        after: a number, exclusive.
        limit: at least 1.
    """
    ranges = [(one, who) for one in readable for who in (EVERYONE, member)] + [(one, member) for one in others]
    numbers: set[int] = set()
    but = reader.alias()
    for collection, who in ranges:
        query = select(reader.c.number).where(
            reader.c.collection == collection, reader.c.reader == who, reader.c.number > after
        )
        if who == EVERYONE:
            left_out = (but.c.collection == collection, but.c.reader == -member, but.c.number == reader.c.number)
            query = query.where(~exists(select(but.c.number).where(*left_out)))
        if collection in others:
            query = query.join(correction, correction.c.number == reader.c.number).where(correction.c.owner == member)
        numbers.update(db.scalars(query.order_by(reader.c.number).limit(limit + 1)))
    wanted = sorted(numbers)[:limit]
    columns = (correction.c[name] for name in Correction.__struct_fields__)
    rows = db.execute(select(*columns).where(correction.c.number.in_(wanted)).order_by(correction.c.number))
    return [Correction(**row._mapping) for row in rows], len(numbers) > limit  # noqa: SLF001 - SQLAlchemy's name


def readers_of(versions: Iterable[Version]) -> Readers:
    """Return who may see any of these versions; `EVERYONE` alone where everyone may."""
    readers: set[int] = set()
    for one in versions:
        if one.readers is None:
            return frozenset({EVERYONE})
        readers |= one.readers
    return frozenset(readers)


def announce(
    db: Connection, storage: Storage, collection: int, owner: int, versions: Sequence[Version], gone: frozenset[int]
) -> None:
    """Tell those who see no version of an object any more after a deletion, in its transaction, that it was withdrawn.

    Who still sees another owner's object under the same id is not told: to that reader it is there.

    Args:
        db: a connection of `Storage.writing`.
        storage: keeps the numbers.
        collection: number of the collection.
        owner: number of the member whose the object is.
        versions: all that is stored under the one id, whosever it is, as it was.
        gone: `seq` of those that are deleted.
    """
    before = readers_of(one for one in versions if one.seq in gone)
    after = readers_of(one for one in versions if one.seq not in gone)
    lost = _without(before, after)
    if not lost:
        return
    said = Said(
        collection=collection,
        object_id=versions[0].id,
        owner=owner,
        author=owner,
        kind="withdrawn",
        reason=DELETED,
    )
    write(db, storage, said, lost)


def without_others(readers: Readers, versions: Iterable[Version], owner: int) -> Readers:
    """Return which of these readers see nothing that another owner has under the same id."""
    return _without(readers, readers_of(one for one in versions if one.owner != owner))


def has_disputed(said: Iterable[Known], author: int) -> bool:
    """Whether a member disputes an object already, and its owner has told it of no correction since."""
    disputes = False
    for one in said:
        if one.kind == "disputed" and one.author == author:
            disputes = True
        elif one.kind == "corrected" and _is_told(one.readers, author):
            disputes = False
    return disputes


def unaware(said: Iterable[Known], readers: Readers) -> Readers:
    """Return which of these readers are to be told of a dispute: those who know of none since a correction."""
    aware: Readers = frozenset()
    for one in said:
        if one.kind == "disputed":
            aware = _joined(aware, one.readers)
        elif one.kind == "corrected":
            aware = _without(aware, one.readers)
    return _without(readers, aware)


def known_of(db: Connection, collection: int, object_id: str, owner: int) -> list[Known]:
    """Return what was said of one owner's object, in order."""
    table = correction
    of_it = (table.c.collection == collection, table.c.object_id == object_id, table.c.owner == owner)
    told = and_(reader.c.collection == table.c.collection, reader.c.number == table.c.number)
    columns = (table.c.number, table.c.kind, table.c.author, reader.c.reader)
    rows = db.execute(select(*columns).join(reader, told).where(*of_it).order_by(table.c.number))
    return [
        Known(kind=kind, author=author, readers=frozenset(row.reader for row in group))
        for (_, kind, author), group in itertools.groupby(rows, key=lambda row: (row.number, row.kind, row.author))
    ]


def _is_told(readers: Readers, member: int) -> bool:
    return member in readers or (EVERYONE in readers and -member not in readers)


def _joined(some: Readers, more: Readers) -> Readers:
    """Return who is in either."""
    if EVERYONE not in some and EVERYONE not in more:
        return some | more
    left_out = {-one for one in some | more if one < 0}
    return frozenset({EVERYONE, *(-one for one in left_out if not _is_told(some, one) and not _is_told(more, one))})


def _without(readers: Readers, others: Readers) -> Readers:
    """Return who is in the first alone."""
    if EVERYONE not in readers:
        return frozenset(one for one in readers if not _is_told(others, one))
    if EVERYONE not in others:
        return readers - others | {-one for one in others}
    return frozenset(-one for one in others if one < 0 and not _is_told(others, -one) and _is_told(readers, -one))
