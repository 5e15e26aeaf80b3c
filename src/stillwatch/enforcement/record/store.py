"""What people decided: rulings, the events behind them, appeals. SQLite, on the disk before it is acknowledged."""

import sqlite3
from pathlib import Path
from typing import Any, Literal

import msgspec

from stillwatch.errors import UsageError

SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE ruling (key TEXT PRIMARY KEY, ts REAL NOT NULL, until_s REAL NOT NULL, body BLOB NOT NULL);
CREATE TABLE event (
  event_id INTEGER PRIMARY KEY, ts REAL NOT NULL, account_id TEXT NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX event_by_account ON event (account_id, event_id);
CREATE TABLE appeal (appeal_id TEXT PRIMARY KEY, decision_id TEXT NOT NULL UNIQUE, body BLOB NOT NULL);
CREATE TABLE overturned (ts REAL NOT NULL, cohort TEXT NOT NULL, rule TEXT NOT NULL);
"""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that people did to an account, in the order it happened."""

    ts: float
    account_id: str
    kind: str
    body: dict[str, Any]


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What holds until it lapses or a later ruling of the same kind and name takes its place; the same in all replicas.

    Attributes:
        kind: `verdict` or `asked` (for an approval) of an account, `cohort` in shadow or not.
        name: the account, the account and who asked, or the cohort.
        ts, until: when it was decided, and when it no longer matters (Unix seconds).
        body: what was decided.
        event: what goes into the account's history with it.
    """

    kind: Literal["verdict", "asked", "cohort"]
    name: str
    ts: float
    until: float
    body: dict[str, Any]
    event: Event | None = None

    @property
    def key(self) -> str:
        """Kind and name in one."""
        return f"{self.kind}:{self.name}"


class Store:
    """One file, one process. Each method that writes returns when the disk has it (`synchronous=FULL`)."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            UsageError: it is no such file, or one of a later version.
        """
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            raise UsageError(
                f"{path} is no store of this program: {error}", hint="give another data directory"
            ) from error
        if version == 0:
            self._db.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version={SCHEMA_VERSION};COMMIT;")
        elif version != SCHEMA_VERSION:
            self._db.close()
            raise UsageError(
                f"{path} is of version {version}, not {SCHEMA_VERSION}", hint="use the program that made it"
            )
        path.chmod(0o600)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def put_ruling(self, ruling: Ruling) -> bool:
        """Keep a ruling and its event, both or neither, if it is the latest of its name; returns whether it is."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            latest = self.moment_of(ruling)
            if latest is not None and latest >= ruling.ts:
                return False
            row = (ruling.key, ruling.ts, ruling.until, msgspec.json.encode(ruling))
            self._db.execute("INSERT OR REPLACE INTO ruling VALUES (?, ?, ?, ?)", row)
            if ruling.event is not None:
                self._add(ruling.event)
        return True

    def moment_of(self, ruling: Ruling) -> float | None:
        """Return when the ruling that is held under a ruling's name was decided."""
        held = self._db.execute("SELECT ts FROM ruling WHERE key = ?", (ruling.key,)).fetchone()
        return None if held is None else float(held[0])

    def rulings(self, now_s: float) -> list[Ruling]:
        """Return what holds, oldest first, and forget what has lapsed."""
        self._db.execute("DELETE FROM ruling WHERE until_s <= ?", (now_s,))
        rows = self._db.execute("SELECT body FROM ruling ORDER BY ts")
        return [msgspec.json.decode(body, type=Ruling) for (body,) in rows]

    def add_event(self, event: Event) -> None:
        """Keep an event."""
        self._add(event)

    def events(self, account_id: str, most: int = 100) -> list[Event]:
        """Return an account's latest events, newest first."""
        rows = self._db.execute(
            "SELECT ts, account_id, kind, body FROM event WHERE account_id = ? ORDER BY event_id DESC LIMIT ?",
            (account_id, most),
        )
        return [
            Event(ts=ts, account_id=account, kind=kind, body=msgspec.json.decode(body, type=dict[str, Any]))
            for ts, account, kind, body in rows
        ]

    def _add(self, event: Event) -> None:
        self._db.execute(
            "INSERT INTO event (ts, account_id, kind, body) VALUES (?, ?, ?, ?)",
            (event.ts, event.account_id, event.kind, msgspec.json.encode(event.body)),
        )

    def put_appeal(self, appeal_id: str, decision_id: str, body: bytes) -> None:
        """Keep an appeal as it is now."""
        self._db.execute(
            "INSERT INTO appeal VALUES (?, ?, ?) ON CONFLICT (appeal_id) DO UPDATE SET body = excluded.body",
            (appeal_id, decision_id, body),
        )

    def appeal(self, appeal_id: str) -> bytes | None:
        """Return an appeal by its id, or by the decision it is against."""
        row = self._db.execute(
            "SELECT body FROM appeal WHERE appeal_id = ? OR decision_id = ?", (appeal_id, appeal_id)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def appeals(self) -> list[bytes]:
        """Return all appeals, oldest first."""
        return [bytes(body) for (body,) in self._db.execute("SELECT body FROM appeal ORDER BY rowid")]

    def add_overturned(self, ts: float, cohort: str, rule: str) -> None:
        """Count a decision that a reviewer overturned."""
        self._db.execute("INSERT INTO overturned VALUES (?, ?, ?)", (ts, cohort, rule))

    def overturned(self, cohort: str, since_s: float) -> int:
        """Return how many decisions on a cohort were overturned since a moment."""
        found = self._db.execute("SELECT count(*) FROM overturned WHERE cohort = ? AND ts > ?", (cohort, since_s))
        return int(found.fetchone()[0])

    def forget_overturned(self, cohort: str, ts: float) -> None:
        """Begin a cohort's count of overturned decisions anew."""
        self._db.execute("DELETE FROM overturned WHERE cohort = ? AND ts <= ?", (cohort, ts))
