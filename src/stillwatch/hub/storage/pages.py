"""Reads: what one member may see of a collection, in the order in which it was added.

A page is the merge of a few ranges of an index, each read in order and no further than the page needs. So its cost
depends on its own size: not on that of the collection, nor on how much of it the member may see.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from stillwatch.hub.storage import schema
from stillwatch.hub.storage.statements import Shape, Which, joined_statement, page_statement


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. Within a field: any of them; between the fields: all of them. Empty asks for nothing.

    `versions` holds moments (microseconds), "first", "last" and "all".
    """

    ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    versions: frozenset[int | str] = frozenset({"last"})


class Found(NamedTuple):
    """One version of one object, as a member sees it; `size` counts its bytes, also where they were not read."""

    seq: int
    id: str
    version: int
    owner: int
    leaf: int
    size: int
    raw: bytes = b""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A part of what there is, and whether there is more after it."""

    found: list[Found]
    more: bool

    @property
    def count(self) -> int:
        """How many objects there are in it."""
        return len(self.found)

    @property
    def first(self) -> int:
        """`seq` of the first of them."""
        return self.found[0].seq

    @property
    def last(self) -> int:
        """`seq` of the last of them."""
        return self.found[-1].seq


class JoinedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A part of what there is in one piece, the objects separated by commas; `first` and `last` are their `seq`."""

    count: int = 0
    first: int = 0
    last: int = 0
    more: bool = False
    objects: bytes = b""


def read_page(
    db: Connection, collection: int, reader: int, wanted: Filter, *, after: int, limit: int, raw: bool = True
) -> Page:
    """Return the first `limit` objects that a reader may see after a moment (`seq`, exclusive).

    Args:
        db: a connection.
        collection: number of the collection.
        reader: number of the member.
        wanted: what is asked for.
        after: a moment (microseconds).
        limit: at least 1.
        raw: whether to read the bytes as well.
    """
    shape, bound = _asked(db, wanted)
    if shape is None:
        return Page(found=[], more=False)
    bound |= {"collection": collection, "reader": reader, "after": after, "most": limit + 1}
    rows = db.execute(page_statement(shape, raw=raw), bound).all()
    found = [Found(*row[1:]) for row in rows[:limit]]
    return Page(found=found, more=bool(rows) and rows[0].total > len(found))


def read_joined(db: Connection, collection: int, reader: int, wanted: Filter, *, after: int, limit: int) -> JoinedPage:
    """Return what `read_page` does, in one piece."""
    shape, bound = _asked(db, wanted)
    if shape is None:
        return JoinedPage()
    bound |= {"collection": collection, "reader": reader, "after": after, "most": limit + 1}
    total, count, first, last, objects = db.execute(joined_statement(shape), bound).one()
    if not count:
        return JoinedPage()
    return JoinedPage(count=count, first=first, last=last, more=total > count, objects=objects)


def sees(db: Connection, collection: int, reader: int, object_id: str) -> bool:
    """Return whether a reader may see any version of an object."""
    everything = Filter(ids=(object_id,), versions=frozenset({"all"}))
    return bool(read_page(db, collection, reader, everything, after=-1, limit=1, raw=False).found)


def _asked(db: Connection, wanted: Filter) -> tuple[Shape | None, dict[str, Any]]:
    """Return the shape of a request and what it binds; no shape where nothing can match."""
    kinds = _kinds(db, wanted.types)
    if wanted.types and not kinds:
        return None, {}
    moments = sorted(version for version in wanted.versions if isinstance(version, int))
    bound: dict[str, Any] = {f"kind{place}": kind for place, kind in enumerate(kinds)}
    bound |= ({"ids": wanted.ids} if wanted.ids else {}) | ({"moments": moments} if moments else {})
    return Shape(bool(wanted.ids), len(kinds), _which(wanted, moments)), bound


def _which(wanted: Filter, moments: Sequence[int]) -> frozenset[Which]:
    if "all" in wanted.versions:
        return frozenset()
    which: set[Which] = {"moments"} if moments else set()
    if "last" in wanted.versions:
        which.add("last")
    if "first" in wanted.versions:
        which.add("first")
    return frozenset(which)


def _kinds(db: Connection, types: Sequence[str]) -> list[int]:
    if not types:
        return []
    return list(db.execute(select(schema.kind.c.number).where(schema.kind.c.name.in_(types))).scalars())
