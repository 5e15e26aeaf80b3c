"""Posts: what is stored, whose it is, who may see it, and what its poster is told.

A poster is told of the objects of others only as far as it may see them: an id that a hidden object has is free.
"""

import hashlib
import hmac
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, select

from stillwatch.hub import correlation, standings, statuses
from stillwatch.hub.anonymity import apart
from stillwatch.hub.candidates import Candidate, Fault, Validator, inspect
from stillwatch.hub.collections import Collection
from stillwatch.hub.members import Member
from stillwatch.hub.placing import WINDOW, place
from stillwatch.hub.standings import Version, readers_text
from stillwatch.hub.statuses import Detail, Outcome
from stillwatch.hub.storage import schema
from stillwatch.hub.storage.moments import added_text, version_text
from stillwatch.hub.storage.parts import Row, insert_rows
from stillwatch.hub.storage.storage import Storage
from stillwatch.hub.triage import Ready, Triage
from stillwatch.transparency.tree import leaf_hash, root_of


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """What was posted, looked at, and waiting for its turn to be stored."""

    candidates: list[Candidate]
    faults: list[Fault]


class Intake:
    """Takes what members post."""

    def __init__(self, storage: Storage, validator: Validator, window: int = WINDOW) -> None:
        self._storage, self._validator, self._window = storage, validator, window
        self._place_key = storage.secret("place")
        self._salt_key = storage.secret("salt")

    def inspect(self, raws: Sequence[bytes | msgspec.Raw]) -> Post:
        """Look at objects before a turn at writing is taken: this is the long part of a post."""
        candidates, faults = inspect(raws, self._validator)
        return Post(candidates=candidates, faults=faults)

    def store(
        self, db: Connection, collection: Collection, owner: Member, post: Post, poster: Member | None = None
    ) -> Outcome:
        """Store what may be stored, with its audit leaf and its status, in the transaction of `db`.

        Args:
            db: a connection of `Storage.writing`.
            collection: where to.
            owner: whose the objects are from now on.
            post: what `inspect` returned.
            poster: to whom the status belongs; the owner, if None.
        """
        triage = Triage(db, collection, owner, post.candidates)
        now = moment = int(self._storage.now() * 1_000_000)
        placed: list[tuple[int, Ready]] = []
        for group in apart(triage.ready):
            begin = self._storage.take(db, "seq", now, self._window)
            moment = moment if placed else begin
            marked = [(one.readers, one.candidate.digest) for one in group]
            seqs = place(self._place_key, begin, marked, self._window)
            together = sorted(zip(seqs, group, strict=True), key=lambda pair: pair[0])
            self._write(db, collection, owner, together, triage.own)
            placed += together
        outcome = Outcome(
            status_id=str(uuid.uuid4()),
            added=moment,
            successes=_successes(placed, triage.present, moment),
            failures=_failures([*post.faults, *triage.faults], moment),
            seqs=[seq for seq, _ in placed],
        )
        statuses.keep(db, outcome, poster or owner)
        return outcome

    def digest(self, seq: int, raw: bytes) -> bytes:
        """Return the digest under which an object stands in the audit log (32 bytes).

        Salted, so that whoever has the log cannot tell by trying what a short object was.
        """
        return hashlib.sha256(self.salt(seq) + raw).digest()

    def salt(self, seq: int) -> bytes:
        """Return the salt of an object (16 bytes), which goes to those who may see it."""
        return hmac.digest(self._salt_key, seq.to_bytes(8, "big"), "sha256")[:16]

    def _write(
        self,
        db: Connection,
        collection: Collection,
        owner: Member,
        placed: list[tuple[int, Ready]],
        own: dict[str, list[Version]],
    ) -> None:
        digests = [self.digest(seq, one.candidate.raw) for seq, one in placed]
        leaf = self._storage.audit(db, "objects.added", objects=root_of([leaf_hash(one) for one in digests]).hex())
        db.execute(schema.receipt.insert().values(leaf=leaf, member=owner.number, digests=b"".join(digests)))
        kinds = _kinds(db, {one.candidate.type for _, one in placed})
        rows = []
        groups: dict[str, list[Version]] = defaultdict(list)
        for seq, one in placed:
            made = Version(
                seq=seq,
                id=one.candidate.id,
                owner=owner.number,
                version=seq if one.candidate.version is None else one.candidate.version,
                type=kinds[one.candidate.type],
                size=len(one.candidate.raw),
                readers=one.readers,
            )
            groups[made.id].append(made)
            rows.append(
                {
                    "seq": seq,
                    "collection": collection.number,
                    "owner": owner.number,
                    "type": made.type,
                    "version": made.version,
                    "leaf": leaf,
                    "size": made.size,
                    "id": made.id,
                    "readers": readers_text(one.readers),
                    "raw": one.candidate.raw,
                }
            )
        for name, group in groups.items():
            if own.get(name):
                standings.clear(db, collection.number, own[name])
                group.extend(own[name])
        insert_rows(db, schema.stored, rows, _weight)
        standings.write(db, collection.number, groups.values())
        items = {seq: one.candidate.item for seq, one in placed}
        correlation.enqueue(db, collection.number, owner.number, items, [name for name in groups if own.get(name)])
        own.update(groups)


def _weight(row: Row) -> int:
    return int(row["size"]) + 100  # what is beside `raw`


def _kinds(db: Connection, names: set[str]) -> dict[str, int]:
    """Return the numbers of types, new ones for new types."""
    table = schema.kind
    known = {row.name: row.number for row in db.execute(select(table).where(table.c.name.in_(sorted(names))))}
    for name in sorted(names - known.keys()):
        known[name] = db.execute(table.insert().values(name=name).returning(table.c.number)).scalar_one()
    return known


def _successes(
    placed: Iterable[tuple[int, Ready]], present: Iterable[tuple[Candidate, int | None]], moment: int
) -> list[Detail]:
    told = [
        (one.candidate.index, Detail(id=one.candidate.id, version=_said(one.candidate, seq))) for seq, one in placed
    ]
    for one, seq in present:
        version = _said(one, moment if seq is None else seq)
        told.append((one.index, Detail(id=one.id, version=version, message="already stored")))
    return [detail for _, detail in sorted(told, key=lambda pair: pair[0])]


def _failures(faults: Iterable[Fault], moment: int) -> list[Detail]:
    ordered = sorted(faults, key=lambda one: one.index)
    return [Detail(id=one.id, version=one.version or added_text(moment), message=one.message) for one in ordered]


def _said(one: Candidate, seq: int) -> str:
    return version_text(seq if one.version is None else one.version)
