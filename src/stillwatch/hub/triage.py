"""What is to become of each object of a post, seen beside what is stored: taken, already there, or refused."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, select

from stillwatch.hub import anonymity
from stillwatch.hub.candidates import Candidate, Fault
from stillwatch.hub.collections import Collection
from stillwatch.hub.markings import Markings
from stillwatch.hub.members import HUB, Member, find_member, numbers_of, removed_of
from stillwatch.hub.standings import Version, raws, versions_of
from stillwatch.hub.storage import schema
from stillwatch.hub.storage.moments import version_text
from stillwatch.hub.visibility import defined_level, recipients_of
from stillwatch.sharing.objects.tlp import LEVEL_OF_ID

_decode = msgspec.json.Decoder().decode
_AT_ONCE = 500
WHOLE = 0
"""Version in the tombstone of an object that has no versions."""


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """An object that is going to be stored, and the numbers of the members that may see it, None for everyone."""

    candidate: Candidate
    readers: frozenset[int] | None


class Triage:
    """Looks at one post under the writers' lock.

    Attributes:
        ready: what is to be stored, in the order of the post.
        present: what is there already, with its `seq` (None: in this very post), and is told as a success.
        faults: what is refused.
        own: what the owner has stored under the ids of the post.
    """

    def __init__(self, db: Connection, collection: Collection, owner: Member, candidates: Iterable[Candidate]) -> None:
        self.ready: list[Ready] = []
        self.present: list[tuple[Candidate, int | None]] = []
        self.faults: list[Fault] = []
        self.own: dict[str, list[Version]] = {}
        self._db, self._collection, self._owner = db, collection, owner
        self._reads = collection.readable_by(owner)
        self._others: dict[str, list[Version]] = {}
        self._here: dict[str, list[Candidate]] = {}
        self._sort(list(candidates))

    def _sort(self, candidates: list[Candidate]) -> None:
        for name, versions in versions_of(self._db, self._collection.number, (one.id for one in candidates)).items():
            self.own[name] = [one for one in versions if one.owner == self._owner.number]
            self._others[name] = [
                one
                for one in versions
                if self._reads and one.owner != self._owner.number and one.visible_to(self._owner.number)
            ]
        self._gone = self._tombstones(candidates)
        self._contents = raws(self._db, (seq for one in candidates if (seq := self._like(one)) is not None))
        named = {who for one in candidates for who in recipients_of(one.item) or ()}
        named |= {creator for one in candidates if (creator := _creator(one)) is not None}
        self._numbers = numbers_of(self._db, named) if named else {}
        self._left = removed_of(self._db, named) if named - self._numbers.keys() else set()
        self._beside = anonymity.is_beside_others(one.item for one in candidates)
        rest = [one for one in candidates if not self._is_shown_by_others(one)]
        self._markings = Markings(self._db, self._collection, self._owner, rest, self._numbers)
        hub = find_member(self._db, HUB)
        self._hub_id = "" if hub is None else hub.member_id
        for candidate in candidates:
            self._judge(candidate)

    def _judge(self, candidate: Candidate) -> None:
        reason = self._refusal(candidate)
        if reason is not None:
            said = None if candidate.version is None else version_text(candidate.version)
            self.faults.append(Fault(index=candidate.index, id=candidate.id, version=said, message=reason))
            return
        like = self._like(candidate)
        if self._repeats(candidate) or (like is not None and self._same(candidate, like)):
            self.present.append((candidate, like))
            return
        self._here.setdefault(candidate.id, []).append(candidate)
        self.ready.append(Ready(candidate=candidate, readers=self._markings.readers_of(candidate.item)))

    def _refusal(self, one: Candidate) -> str | None:
        if (one.id, WHOLE if one.version is None else one.version) in self._gone:
            return "you deleted it, and it is not taken again"
        if one.id in LEVEL_OF_ID and defined_level(one.item) != (True, LEVEL_OF_ID[one.id]):
            return "the id is that of a published TLP marking, which this is not"
        unfit = self._pretence(one) or anonymity.refusal(one.item, self._owner.member_id, self._hub_id)
        if unfit is not None:
            return unfit
        if self._is_shown_by_others(one):
            return "it is to be anonymous and others of the post are not: post it apart, at another moment"
        gone = self._left if self._takes_back(one) else set()
        unknown = [who for who in recipients_of(one.item) or () if who not in self._numbers and who not in gone]
        if unknown:
            return f"recipient {min(unknown)[:80]} is no member"
        return None if one.version is None or one.id in LEVEL_OF_ID else self._conflict(one)

    def _takes_back(self, one: Candidate) -> bool:
        """Whether an object takes its poster's own back, for those who may see it: some may have left since."""
        return one.item.get("revoked") is True and bool(self.own.get(one.id))

    def _is_shown_by_others(self, one: Candidate) -> bool:
        """Whether an object is anonymous, and the others of the post would show whose it is."""
        return self._beside and anonymity.is_anonymous(one.item)

    def _pretence(self, one: Candidate) -> str | None:
        """Return why an object is not its poster's to say; what its poster sees stored already is none of its words."""
        creator = _creator(one)
        if creator is None or creator in {self._owner.member_id, self._hub_id}:
            return None
        if creator not in self._numbers and creator not in self._left:
            return None
        like = self._like(one)
        if like is not None and self._same(one, like):
            return None
        return "created_by_ref: it speaks in another member's name"

    def _conflict(self, one: Candidate) -> str | None:
        """Return why a version cannot stand beside those that its poster has or sees under the same id."""
        like, here = self._like(one), self._here.get(one.id, [])
        same = like is not None and self._same(one, like)
        if not here and not self.own.get(one.id):
            return "it belongs to another member: propose a change" if self._others.get(one.id) and not same else None
        other = any(before.version == one.version and before.item != one.item for before in here)
        if other or (like is not None and not same):
            return "this version is stored with other content; a change needs a new version"
        return None

    def _repeats(self, one: Candidate) -> bool:
        """Whether the post itself has the same before."""
        return any(before.version == one.version and before.item == one.item for before in self._here.get(one.id, ()))

    def _like(self, one: Candidate) -> int | None:
        """Return `seq` of the stored object that this one might be once more."""
        own = self.own.get(one.id, ())
        if one.version is None:
            return max((held.seq for held in own), default=None)
        held = own or self._others.get(one.id, ())
        if one.id in LEVEL_OF_ID and held:
            return held[0].seq
        return next((other.seq for other in held if other.version == one.version), None)

    def _same(self, one: Candidate, seq: int) -> bool:
        """Whether a stored object says the same, in whatever order and spacing."""
        raw = self._contents[seq]
        return one.id in LEVEL_OF_ID or raw == one.raw or bool(_decode(raw) == one.item)

    def _tombstones(self, candidates: list[Candidate]) -> set[tuple[str, int]]:
        table = schema.tombstone
        wanted = sorted({one.id for one in candidates})
        found: set[tuple[str, int]] = set()
        for start in range(0, len(wanted), _AT_ONCE):
            rows = self._db.execute(
                select(table.c.id, table.c.version).where(
                    table.c.collection == self._collection.number,
                    table.c.id.in_(wanted[start : start + _AT_ONCE]),
                    table.c.owner == self._owner.number,
                )
            )
            found.update((row.id, row.version) for row in rows)
        return found


def _creator(one: Candidate) -> str | None:
    """Return whom an object names as its creator; on an observable that may be anything."""
    named = one.item.get("created_by_ref")
    return named if isinstance(named, str) and named.isprintable() else None
