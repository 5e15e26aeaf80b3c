"""Correlation: which objects of different members have so much in common that they speak of the same.

Only objects whose owners both consent (`correlate` in the sharing extension) are compared, also where neither can see
the other's. What is compared are hashes: bands of prompt templates, and keyed tokens of account holders. An index of
them makes the work for one object bounded, however many there are.

Nothing that others are told depends on whose an anonymous object is: each is compared and counted as if a member of its
own had posted it, and what matches within one member is left out only where that member reads.
"""

import hmac
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, Literal, NamedTuple, get_args

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Select,
    SmallInteger,
    Table,
    Text,
    bindparam,
    func,
    select,
)

from stillwatch.hub.anonymity import is_anonymous
from stillwatch.hub.standings import versions_of
from stillwatch.hub.storage.schema import BIG, METADATA, stored
from stillwatch.hub.storage.storage import Storage
from stillwatch.sharing.objects.extensions import HARVEST, LLM_ACCOUNT, SHARING

Kind = Literal["template_bands", "tokens"]
Strength = Literal["low", "moderate", "high"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LEAST_SHARED: Final[dict[Kind, int]] = {"template_bands": 3, "tokens": 2}
"""One band in common is chance between texts that are a third alike, three are not. One token may be a shared office
address or a reseller's card; a second one of the same holder is not."""
MOST_HOLDERS = 1000
"""A value that more objects hold than this tells nothing about any of them, and would make the work unbounded."""
STRONG: Final[dict[Kind, tuple[int, int]]] = {"template_bands": (6, 12), "tokens": (4, 8)}
"""From how many values in common a match is moderate, and from how many it is high."""
MOST_OF_OWNER, MOST_PARTNERS = 10, 200
"""The most partners that one object gets: of one other member, so that nobody can crowd out the rest, and in all. For
the same reason members go before anonymous objects, which may all be of one."""
AT_ONCE = 1000
_IDS = 500
_KEY = "correlation"

marked = Table(
    "hub_marked",
    METADATA,
    Column("number", BIG, primary_key=True, autoincrement=False),
    Column("collection", SmallInteger, nullable=False),
    Column("owner", Integer, nullable=False),
    Column("party", BigInteger, nullable=False),  # as whose it counts: its owner's, or negative, by itself
    Column("object_id", Text, nullable=False),
    Column("seq", BIG, nullable=False, unique=True),
    Index("hub_marked_object", "collection", "object_id", "owner", unique=True),
)
mark = Table(
    "hub_mark",
    METADATA,
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, primary_key=True),
    Column("object", BigInteger, primary_key=True, autoincrement=False),
    Index("hub_mark_object", "object"),
    sqlite_with_rowid=False,
)
pair = Table(
    "hub_pair",
    METADATA,
    Column("object", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("other", BigInteger, primary_key=True, autoincrement=False),
    Column("shared", Integer, nullable=False),
    Index("hub_pair_other", "other"),
    sqlite_with_rowid=False,
)
match = Table(
    "hub_match",
    METADATA,
    Column("owner", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # renewed when the match changes
    Column("object", BigInteger, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Index("hub_match_object", "object", "kind", unique=True),
    sqlite_with_rowid=False,
)
waiting = Table("hub_waiting", METADATA, Column("seq", BIG, primary_key=True, autoincrement=False))


class Partner(msgspec.Struct, frozen=True, kw_only=True):
    """Another member's object that a match is with."""

    collection: int
    owner: int
    object_id: str


class _Marked(NamedTuple):
    """An object that is compared: its number, its owner, and as whose it counts."""

    number: int
    owner: int
    party: int


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """An object of a member, and what it matches. `number` grows when the match changes.

    Attributes:
        members: how many other members have a partner of it, each anonymous object taken for a member.
        shared: the most values that it has in common with one of them.
    """

    number: int
    kind: Kind
    object_id: str
    members: int
    shared: int
    partners: list[Partner]


def values_of(item: Mapping[str, Any]) -> dict[Kind, frozenset[str]]:
    """Return what of a valid object is compared, by kind; nothing without its owner's consent."""
    extensions = item.get("extensions", {})
    if item.get("revoked") or not extensions.get(SHARING, {}).get("correlate", False):
        return {}
    harvest, account = extensions.get(HARVEST, {}), extensions.get(LLM_ACCOUNT, {})
    found: dict[Kind, frozenset[str]] = {
        "template_bands": frozenset([*harvest.get("template_bands", ()), *account.get("template_bands", ())]),
        "tokens": frozenset(f"{one['kind']}|{one['token']}" for one in account.get("tokens", ())),
    }
    return {kind: values for kind, values in found.items() if values}


def enqueue(
    db: Connection, collection: int, owner: int, items: Mapping[int, Mapping[str, Any]], older: Iterable[str]
) -> None:
    """Let what was stored be compared when somebody asks: what takes part, and what may end that an older version does.

    Args:
        db: a connection, in the transaction that stored them.
        collection: where to.
        owner: number of the member whose they are.
        items: the objects, decoded, by `seq`.
        older: ids of those of which there were versions before.
    """
    ids = sorted(older)
    held: set[str] = set()
    for start in range(0, len(ids), _IDS):
        query = select(marked.c.object_id).where(marked.c.collection == collection, marked.c.owner == owner)
        held.update(db.scalars(query.where(marked.c.object_id.in_(ids[start : start + _IDS]))))
    seqs = [seq for seq, item in items.items() if values_of(item) or item["id"] in held]
    if seqs:
        db.execute(waiting.insert(), [{"seq": seq} for seq in seqs])


def catch_up(storage: Storage) -> tuple[bool, Counter[int]]:
    """Compare what waits for it, `AT_ONCE` objects at most.

    Returns:
        Whether nothing is left to do, and for how many tokens of each member (number) a partner was found.
    """
    with storage.reading() as db:
        if db.scalar(select(waiting.c.seq).limit(1)) is None:
            return True, Counter()
    met: Counter[int] = Counter()
    with storage.writing() as db:
        query = select(stored.c.seq, stored.c.collection, stored.c.owner, stored.c.id, stored.c.raw)
        query = query.join(waiting, waiting.c.seq == stored.c.seq).order_by(waiting.c.seq).limit(AT_ONCE)
        found = db.execute(query).all()
        for row in found:
            met += _compare(db, storage, row, msgspec.json.decode(row.raw))
        if found:
            db.execute(waiting.delete().where(waiting.c.seq <= found[-1].seq))
    return len(found) < AT_ONCE, met


def read(db: Connection, owner: int, *, after: int, limit: int) -> tuple[list[Match], bool]:
    """Return a member's matches after a number, in order, and whether there are more."""
    query = select(match.c.number, match.c.kind, match.c.object, marked.c.object_id)
    query = query.join(marked, marked.c.number == match.c.object)
    query = query.where(match.c.owner == owner, match.c.number > after).order_by(match.c.number).limit(limit + 1)
    rows = db.execute(query).all()
    found = []
    for row in rows[:limit]:
        members, shared, partners = _partners(db, row.object, row.kind, owner)
        found.append(
            Match(
                number=row.number,
                kind=KINDS[row.kind],
                object_id=row.object_id,
                members=members,
                shared=shared,
                partners=partners,
            )
        )
    return found, len(rows) > limit


def forget(db: Connection, storage: Storage, seqs: Iterable[int]) -> None:
    """Forget what is known of versions of objects that are deleted; `db` of their transaction."""
    gone = sorted(seqs)
    db.execute(waiting.delete().where(waiting.c.seq.in_(gone)))
    for row in db.execute(select(marked.c.number, marked.c.owner).where(marked.c.seq.in_(gone))).all():
        _unmark(db, storage, row.number, row.owner)


def strength(kind: Kind, shared: int) -> Strength:
    """Return the band of a number of values in common."""
    moderate, high = STRONG[kind]
    return "low" if shared < moderate else "moderate" if shared < high else "high"


def _compare(db: Connection, storage: Storage, row: Any, item: Mapping[str, Any]) -> Counter[int]:
    """Put one version in the place of an older one, and find its partners."""
    values = values_of(item)
    held = db.execute(
        select(marked.c.number, marked.c.seq).where(
            marked.c.collection == row.collection, marked.c.object_id == row.id, marked.c.owner == row.owner
        )
    ).first()
    if not values and held is None:
        return Counter()
    versions = versions_of(db, row.collection, [row.id], row.owner)[row.id]
    if max(versions, key=lambda one: (one.version, one.seq)).seq != row.seq:
        return Counter()  # an older version that came late
    if held is not None:
        _unmark(db, storage, held.number, row.owner)
    if not values:
        return Counter()
    number = storage.take(db, "marked", 0, 1)
    new = _Marked(number=number, owner=row.owner, party=-1 - number if is_anonymous(item) else row.owner)
    place = {"collection": row.collection, "object_id": row.id, "seq": row.seq}
    db.execute(marked.insert().values(new._asdict() | place))
    met: Counter[int] = Counter()
    key = storage.secret(_KEY)
    for kind, texts in values.items():
        digests = sorted(hmac.digest(key, f"{kind}|{text}".encode(), "sha256")[:16] for text in texts)
        met += _match(db, storage, new, KINDS.index(kind), digests)
    return met


def _match(db: Connection, storage: Storage, new: _Marked, kind: int, digests: list[bytes]) -> Counter[int]:
    """Mark an object with values of one kind and pair it with those of other parties that share enough of them."""
    held = db.execute(_holders(), {"kind": kind, "digests": digests})
    counts = {bytes(digest): count for digest, count in held}
    counted = [digest for digest in digests if counts.get(digest, 0) <= MOST_HOLDERS]
    common = [digest for digest in counted if counts.get(digest, 0) < MOST_HOLDERS]
    rows = _found(db, new.party, kind, common)
    if counted:  # one more than MOST_HOLDERS is enough to know that a value is too common
        db.execute(mark.insert(), [{"kind": kind, "digest": digest, "object": new.number} for digest in counted])
    if rows:
        ways = [(a, b, row.shared) for row in rows for a, b in ((new.number, row.object), (row.object, new.number))]
        db.execute(pair.insert(), [{"object": a, "kind": kind, "other": b, "shared": shared} for a, b, shared in ways])
    met: Counter[int] = Counter()
    others = [row for row in rows if row.owner != new.owner]
    for row in others:
        _renew(db, storage, row.owner, row.object, kind)
        met.update({row.owner: row.shared, new.owner: row.shared})
    if others:
        _renew(db, storage, new.owner, new.number, kind)
    return met if KINDS[kind] == "tokens" else Counter()


@cache
def _alike() -> Select[Any]:
    """Return the query for the objects of others that hold enough of some values; to build it takes long."""
    alike = (
        select(mark.c.object, marked.c.owner, marked.c.party, func.count().label("shared"))
        .join(marked, marked.c.number == mark.c.object)
        .where(
            mark.c.kind == bindparam("kind"),
            mark.c.digest.in_(bindparam("digests", expanding=True)),
            marked.c.party != bindparam("party"),
        )
        .group_by(mark.c.object, marked.c.owner, marked.c.party)
        .having(func.count() >= bindparam("least"))
        .subquery()
    )
    order = (alike.c.shared.desc(), alike.c.object)
    ranked = select(alike, func.row_number().over(partition_by=alike.c.party, order_by=order).label("rank")).subquery()
    query = select(ranked.c.object, ranked.c.owner, ranked.c.shared).where(ranked.c.rank <= bindparam("of_owner"))
    return query.order_by(ranked.c.rank, ranked.c.party < 0, ranked.c.object).limit(bindparam("most"))


def _found(db: Connection, party: int, kind: int, digests: list[bytes]) -> Sequence[Any]:
    """Return the objects of other parties that hold enough of these values, the most alike first."""
    bound = {"party": party, "kind": kind, "digests": digests, "least": LEAST_SHARED[KINDS[kind]]}
    return db.execute(_alike(), {**bound, "of_owner": MOST_OF_OWNER, "most": MOST_PARTNERS}).all()


@cache
def _holders() -> Select[Any]:
    """Return the query for how many objects hold each of some values."""
    of_them = (mark.c.kind == bindparam("kind"), mark.c.digest.in_(bindparam("digests", expanding=True)))
    return select(mark.c.digest, func.count()).where(*of_them).group_by(mark.c.digest)


def _renew(db: Connection, storage: Storage, owner: int, number: int, kind: int) -> None:
    """Let a match come again after its owner's last cursor."""
    db.execute(match.delete().where(match.c.object == number, match.c.kind == kind))
    moment = storage.take(db, "match", int(storage.now() * 1_000_000), 1)
    db.execute(match.insert().values(owner=owner, number=moment, object=number, kind=kind))


def _partners(db: Connection, number: int, kind: int, owner: int) -> tuple[int, int, list[Partner]]:
    """Return how many parties the partners belong to, the most values in common with one, and the partners."""
    columns = (marked.c.collection, marked.c.object_id, marked.c.owner, marked.c.party, pair.c.shared)
    query = _of_others(number, kind, owner).with_only_columns(*columns)
    rows = db.execute(query.order_by(marked.c.object_id).limit(2 * MOST_PARTNERS)).all()
    partners = [Partner(collection=row.collection, owner=row.owner, object_id=row.object_id) for row in rows]
    return len({row.party for row in rows}), max(row.shared for row in rows), partners


def _of_others(number: int, kind: int, owner: int) -> Select[Any]:
    """Return the query for the partners of an object that its owner is told of."""
    query = select(pair.c.other).join(marked, marked.c.number == pair.c.other)
    return query.where(pair.c.object == number, pair.c.kind == kind, marked.c.owner != owner)


def _unmark(db: Connection, storage: Storage, number: int, owner: int) -> None:
    query = select(pair.c.other, pair.c.kind, marked.c.owner).join(marked, marked.c.number == pair.c.other)
    others = db.execute(query.where(pair.c.object == number, marked.c.owner != owner)).all()
    db.execute(pair.delete().where((pair.c.object == number) | (pair.c.other == number)))
    db.execute(mark.delete().where(mark.c.object == number))
    db.execute(match.delete().where(match.c.object == number))
    db.execute(marked.delete().where(marked.c.number == number))
    for row in others:
        if db.scalar(_of_others(row.other, row.kind, row.owner).limit(1)) is None:
            db.execute(match.delete().where(match.c.object == row.other, match.c.kind == row.kind))
        else:
            _renew(db, storage, row.owner, row.other, row.kind)
