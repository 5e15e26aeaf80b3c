"""What is said of an object after it was shared: that it is withdrawn, corrected or disputed.

A correction goes to everyone who may have pulled the object, so it keeps the audience that the object had: also of one
that is gone since. It never says who speaks.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Index, Integer, SmallInteger, Table, Text, func, select

from stillwatch.hub.standings import Version
from stillwatch.hub.storage.schema import BIG, EVERYONE, METADATA
from stillwatch.hub.storage.storage import Storage

Kind = Literal["withdrawn", "corrected", "disputed"]
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
    Index("hub_correction_object", "object_id", "owner", "number"),
)
reader = Table(
    "hub_correction_reader",
    METADATA,
    Column("collection", SmallInteger, primary_key=True, autoincrement=False),
    Column("reader", Integer, primary_key=True, autoincrement=False),
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


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """A correction as a reader sees it; `number` is when it was made, in microseconds since 1970."""

    number: int
    object_id: str
    kind: Kind
    reason: str


def write(db: Connection, storage: Storage, said: Said, readers: Iterable[int]) -> int:
    """Keep a correction for these readers (`EVERYONE` stands for all of the collection); return its number."""
    number = storage.take(db, "correction", int(storage.now() * 1_000_000), 1)
    db.execute(correction.insert().values(number=number, **msgspec.structs.asdict(said)))
    rows = [{"collection": said.collection, "reader": one, "number": number} for one in sorted(set(readers))]
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
    for collection, who in ranges:
        query = select(reader.c.number).where(
            reader.c.collection == collection, reader.c.reader == who, reader.c.number > after
        )
        if collection in others:
            query = query.join(correction, correction.c.number == reader.c.number).where(correction.c.owner == member)
        numbers.update(db.scalars(query.order_by(reader.c.number).limit(limit + 1)))
    wanted = sorted(numbers)[:limit]
    columns = (correction.c[name] for name in Correction.__struct_fields__)
    rows = db.execute(select(*columns).where(correction.c.number.in_(wanted)).order_by(correction.c.number))
    return [Correction(**row._mapping) for row in rows], len(numbers) > limit  # noqa: SLF001 - SQLAlchemy's name


def readers_of(versions: Iterable[Version]) -> frozenset[int]:
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
    """Tell those who lose sight of an object by a deletion, in its transaction, that it was withdrawn.

    Args:
        db: a connection of `Storage.writing`.
        storage: keeps the numbers.
        collection: number of the collection.
        owner: number of the member whose the object is.
        versions: all versions of the one object, as they were.
        gone: `seq` of those that are deleted.
    """
    before = readers_of(one for one in versions if one.seq in gone)
    after = readers_of(one for one in versions if one.seq not in gone)
    lost = frozenset() if EVERYONE in after else before - after
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


def is_disputed(db: Connection, object_id: str, owner: int, author: int | None = None) -> bool:
    """Whether an object is disputed, by anyone or by one member, since its owner last corrected it."""
    table = correction
    of_it = (table.c.object_id == object_id, table.c.owner == owner)
    corrected = select(func.max(table.c.number)).where(*of_it, table.c.kind == "corrected").scalar_subquery()
    since = table.c.number > func.coalesce(corrected, -1)
    query = select(table.c.number).where(*of_it, table.c.kind == "disputed", since).limit(1)
    return db.scalar(query if author is None else query.where(table.c.author == author)) is not None
