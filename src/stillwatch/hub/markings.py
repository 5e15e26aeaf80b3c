"""The marking definitions that the objects of a post refer to: what each stands for, and who may see it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import Connection

from stillwatch.hub.candidates import Candidate
from stillwatch.hub.collections import Collection, list_collections
from stillwatch.hub.members import Member, list_members
from stillwatch.hub.standings import Version, raws, versions_of
from stillwatch.hub.visibility import EVERYONE, audience_of, defined_level, marking_refs, narrowed
from stillwatch.sharing.objects.tlp import LEVEL_OF_ID, Tlp

Readers = frozenset[int] | None
"""Numbers of the members that may see something, None for everyone in the collection."""
_decode = msgspec.json.Decoder().decode
_MOST_DEPTH = 16


class Markings:
    """Says who may see an object of a post, by its markings as they are now; later changes of them are not followed.

    Args:
        db: a connection.
        collection: where the post goes.
        owner: whose the objects are.
        candidates: the post.
        numbers: of the members whom its objects name, by id.
    """

    def __init__(
        self,
        db: Connection,
        collection: Collection,
        owner: Member,
        candidates: Iterable[Candidate],
        numbers: Mapping[str, int],
    ) -> None:
        self._db, self._collection, self._owner, self._numbers = db, collection, owner, numbers
        self._told: dict[str, list[tuple[bool, Tlp | None]]] = defaultdict(list)
        self._limits: dict[str, list[Readers]] = defaultdict(list)
        self._posted: dict[str, list[Candidate]] = defaultdict(list)
        self._pending: list[str] = []
        given = list(candidates)
        refs = {ref for one in given for ref in _custom(one)}
        if refs:
            self._look(refs, given)
        known = {ref: told for ref, told in self._told.items() if told and all(read for read, _ in told)}
        self._known = {ref: _strictest(told) for ref, told in known.items()}

    def readers_of(self, item: Mapping[str, object]) -> Readers:
        """Return who may see an object."""
        audience = audience_of(item, self._known, self._owner.member_id)
        readers = None
        if audience is not EVERYONE:
            readers = frozenset({self._owner.number, *(self._numbers[who] for who in audience if who in self._numbers)})
        limits = (limit for ref in marking_refs(item) if isinstance(ref, str) for limit in self._limits_of(ref))
        return narrowed(readers, limits, self._owner.number)

    def _look(self, refs: set[str], candidates: Iterable[Candidate]) -> None:
        for one in candidates:
            if one.id in refs:
                self._told[one.id].append(defined_level(one.item))
                self._posted[one.id].append(one)
        stored: dict[str, list[tuple[Collection, Version]]] = defaultdict(list)
        for collection in list_collections(self._db):
            reads = collection.readable_by(self._owner)
            for ref, versions in versions_of(self._db, collection.number, refs).items():
                stored[ref] += [
                    (collection, held)
                    for held in versions
                    if held.owner == self._owner.number or (reads and held.visible_to(self._owner.number))
                ]
        bodies = raws(self._db, (one.seq for found in stored.values() for _, one in found))
        for ref, found in stored.items():
            self._told[ref] += [defined_level(_decode(bodies[one.seq])) for _, one in found]
            self._limits[ref] += self._of_stored(found)

    def _of_stored(self, found: list[tuple[Collection, Version]]) -> list[Readers]:
        """Return the audiences of a definition that is stored: the owner's before others', here before elsewhere."""
        own = [pair for pair in found if pair[1].owner == self._owner.number] or found
        here = [one.readers for place, one in own if place.number == self._collection.number]
        return here or [self._elsewhere(place) if one.readers is None else one.readers for place, one in own]

    def _elsewhere(self, collection: Collection) -> Readers:
        return frozenset(one.number for one in list_members(self._db) if collection.readable_by(one))

    def _limits_of(self, ref: str) -> list[Readers]:
        """Return the audiences of a definition; those of one in the post follow from its own markings."""
        if ref in self._pending or len(self._pending) >= _MOST_DEPTH:
            return [frozenset({self._owner.number})]
        self._pending.append(ref)
        self._limits[ref] += [self.readers_of(one.item) for one in self._posted.pop(ref, ())]
        self._pending.pop()
        return self._limits[ref]


def _custom(one: Candidate) -> Iterable[str]:
    return (ref for ref in marking_refs(one.item) if isinstance(ref, str) and ref not in LEVEL_OF_ID)


def _strictest(told: list[tuple[bool, Tlp | None]]) -> Tlp | None:
    return max((level for _, level in told if level is not None), default=None)
