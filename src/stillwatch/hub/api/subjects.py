"""The objects that members speak about, each as far as the member who asks may see it."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection

from stillwatch.hub.collections import list_collections
from stillwatch.hub.http import HubError
from stillwatch.hub.members import Member
from stillwatch.hub.storage.pages import Filter, Found, read_page

_OBJECT_ID = re.compile(r"[a-z][a-z0-9-]{0,199}--[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_IDS, _PAGE = 500, 500
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The latest version of one owner's object that a member may see, and the collection that it is in."""

    collection: int
    found: Found

    @property
    def owner(self) -> int:
        """Number of the member whose it is; never told."""
        return self.found.owner

    @property
    def item(self) -> dict[str, Any]:
        """The object, decoded."""
        return _decode(self.found.raw)


def look(db: Connection, member: Member, object_ids: Iterable[str], *, every: bool = False) -> Iterator[Seen]:
    """Yield what a member may see under these ids, a page in memory at a time.

    Args:
        db: a connection.
        member: who asks.
        object_ids: the ids, of which those that are none are passed over.
        every: every version, and not the latest alone of each owner.
    """
    yield from _pages(db, member, object_ids, "all" if every else "last", raw=True)


def visible(db: Connection, member: Member, object_ids: Iterable[str]) -> set[tuple[int, int, str]]:
    """Return collection, owner and id of what a member may see under these ids."""
    seen = _pages(db, member, object_ids, "last", raw=False)
    return {(one.collection, one.owner, one.found.id) for one in seen}


def _pages(db: Connection, member: Member, object_ids: Iterable[str], versions: str, *, raw: bool) -> Iterator[Seen]:
    ids = sorted({name for name in object_ids if _OBJECT_ID.fullmatch(name)})
    for collection in list_collections(db):
        if not collection.readable_by(member):
            continue
        for start in range(0, len(ids), _IDS):
            wanted = Filter(ids=tuple(ids[start : start + _IDS]), versions=frozenset({versions}))
            after, more = -1, True
            while more:
                page = read_page(db, collection.number, member.number, wanted, after=after, limit=_PAGE, raw=raw)
                for one in page.found:
                    yield Seen(collection=collection.number, found=one)
                more, after = page.more, page.found[-1].seq if page.found else after


def subject(db: Connection, member: Member, object_id: str) -> list[Seen]:
    """Return what a member may see under an id, one entry for each owner, in the order of adding: at least one.

    Raises:
        HubError: 404, there is nothing that it may see.
    """
    seen = sorted(look(db, member, [object_id]), key=lambda one: one.found.seq)
    if not seen:
        raise HubError(404, "there is no such object")
    return seen


def kind_of(object_id: str) -> str:
    """Return the type that an id names."""
    return object_id.partition("--")[0]
