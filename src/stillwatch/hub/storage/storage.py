"""The one door to the hub's data: transactions, the clock, the audit leaves, the secrets that cursors rest on."""

import contextlib
import hashlib
import hmac
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator

import msgspec
from sqlalchemy import Connection, MetaData, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from stillwatch.errors import RemoteError, UsageError
from stillwatch.hub.storage import schema
from stillwatch.hub.storage.engine import WRITES, open_engine, open_reader

Clock = Callable[[], float]
FORMAT = 2
"""Version of the tables."""
_LOCK = 0x5357_4855_4201
"""Number of the advisory lock under which writers of PostgreSQL take turns."""
_TAKE_TURN = text(
    "SELECT (SELECT pg_relation_size(oid) > 2.0 * relpages * current_setting('block_size')::int"
    " FROM pg_class WHERE oid = to_regclass('hub_object')), pg_advisory_xact_lock(:lock)"
)
"""Waits for the turn; says whether the table has doubled since PostgreSQL last looked at what is in it."""
_LOOK_ANEW = text("ANALYZE (SKIP_LOCKED) hub_object, hub_audience")
"""Plans that were made, and kept, for an empty hub would read all of a full one. Waits for nobody's VACUUM."""
_encode = msgspec.json.Encoder(order="sorted").encode


class StoreUnavailableError(RemoteError):
    """The database did not answer; nothing is known to have been written."""


class Storage:
    """One per process. All calls block: in the service they run in threads."""

    def __init__(self, url: str | URL, clock: Clock = time.time) -> None:
        self.engine = open_engine(url)
        self._reader = open_reader(url) or self.engine
        self.clock = clock
        self._turn = threading.Lock()
        self._doubled = False
        self._here = threading.local()
        try:
            self.create(schema.METADATA)
            with self.writing() as db:
                self._secret = self._settle(db)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        self._reader.dispose()

    def now(self) -> float:
        """Return the time (Unix seconds)."""
        return self.clock()

    def create(self, metadata: MetaData) -> None:
        """Make the tables that are not there yet."""
        with self.writing() as db:
            metadata.create_all(db)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that sees only what is committed. Within a block it is the block's own, in one snapshot.

        Raises:
            StoreUnavailableError: the database is lost.
        """
        held: Connection | None = getattr(self._here, "db", None)
        if held is not None:
            yield held
            return
        with told_apart(), self._reader.connect() as db, db.begin():
            self._here.db = db
            try:
                yield db
            finally:
                self._here.db = None

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection that alone writes; what it did is durable when the block has ended, or undone.

        Writers take turns, also those of other processes, so that they become visible in the order of `seq`.

        Raises:
            StoreUnavailableError: the database is lost; whether the block took effect is not known.
        """
        self._here.db = None  # what a block around this one reads after it sees what this one wrote
        with self._turn, told_apart(), self.engine.connect() as made:
            db = made.execution_options(**WRITES)
            if self._doubled:  # in a transaction of its own: what is undone would count as looked at
                with db.begin():
                    db.execute(_LOOK_ANEW)
                self._doubled = False
            with db.begin():
                if db.dialect.name == "postgresql":
                    self._doubled = bool(db.execute(_TAKE_TURN, {"lock": _LOCK}).scalar())
                yield db

    def secret(self, purpose: str) -> bytes:
        """Return the hub's own 32 secret bytes for a purpose; the same after a restart."""
        return hmac.digest(self._secret, purpose.encode(), hashlib.sha256)

    def take(self, db: Connection, name: str, least: int, count: int) -> int:
        """Return the first of `count` numbers never given out before, and not below `least`."""
        table = schema.counter
        held = db.execute(select(table.c.value).where(table.c.name == name)).scalar_one_or_none()
        first = least if held is None else max(held, least)
        if held is None:
            db.execute(table.insert().values(name=name, value=first + count))
        else:
            db.execute(table.update().where(table.c.name == name).values(value=first + count))
        return first

    def audit(self, db: Connection, kind: str, **digests: str) -> int:
        """Add a leaf to the audit log, in the transaction of what it records; return its number, from 0 without gaps.

        Args:
            db: a connection of `writing`.
            kind: what happened, as `objects.added`.
            digests: digests and bands; never content, a name or a member.
        """
        number = self.take(db, "leaf", 0, 1)
        data = _encode({"ts": int(self.now()), "kind": kind, **digests})
        db.execute(schema.leaf.insert().values(number=number, data=data))
        return number

    def _settle(self, db: Connection) -> bytes:
        """Return the secret, made once; refuse the tables of another version."""
        table = schema.setting
        held: dict[str, bytes] = {row.name: row.value for row in db.execute(select(table))}
        if not held:
            held = {"format": str(FORMAT).encode(), "secret": secrets.token_bytes(32)}
            db.execute(table.insert(), [{"name": name, "value": value} for name, value in held.items()])
        if held.get("format") != str(FORMAT).encode():
            raise UsageError(
                "the database belongs to another version of the hub", hint="start the version that made it"
            )
        return held["secret"]


@contextlib.contextmanager
def told_apart() -> Iterator[None]:
    """Turn what the database says when it is lost, locked or full into one error; all else is a bug and stays one."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise StoreUnavailableError("the database does not answer", hint="try again") from error
    except DatabaseError as error:
        if type(error.orig) is sqlite3.DatabaseError:  # what SQLite says of a file that is none of its own, or damaged
            raise StoreUnavailableError("the database is damaged", hint="restore it from a backup") from error
        if not error.connection_invalidated:
            raise
        raise StoreUnavailableError("the connection to the database was lost", hint="try again") from error
