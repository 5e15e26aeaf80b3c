"""What people decided: verdicts set and lifted, approvals, appeals. SQLite, on the disk before it is acknowledged."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from stillwatch.errors import UsageError

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE verdict (account_id TEXT PRIMARY KEY, until_s REAL NOT NULL, body BLOB NOT NULL);
CREATE TABLE event (
  event_id INTEGER PRIMARY KEY, ts REAL NOT NULL, account_id TEXT NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX event_by_account ON event (account_id, event_id);
CREATE TABLE appeal (appeal_id TEXT PRIMARY KEY, decision_id TEXT NOT NULL UNIQUE, body BLOB NOT NULL);
CREATE TABLE overturned (ts REAL NOT NULL, cohort TEXT NOT NULL, rule TEXT NOT NULL);
CREATE TABLE fallback (cohort TEXT PRIMARY KEY, ts REAL NOT NULL, reason TEXT NOT NULL);
"""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that people did to an account, in the order it happened."""

    ts: float
    account_id: str
    kind: str
    body: dict[str, Any]


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

    def put_verdict(self, event: Event, until_s: float, body: bytes) -> None:
        """Keep a verdict and the event of its setting, both or neither."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("INSERT OR REPLACE INTO verdict VALUES (?, ?, ?)", (event.account_id, until_s, body))
            self._add(event)

    def verdicts(self, now_s: float) -> Iterator[tuple[str, bytes]]:
        """Yield account and verdict of what holds, and forget what has lapsed."""
        self._db.execute("DELETE FROM verdict WHERE until_s <= ?", (now_s,))
        yield from self._db.execute("SELECT account_id, body FROM verdict")

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

    def put_fallback(self, cohort: str, ts: float, reason: str) -> None:
        """Remember that a cohort fell back to shadow."""
        self._db.execute("INSERT OR REPLACE INTO fallback VALUES (?, ?, ?)", (cohort, ts, reason))

    def drop_fallback(self, cohort: str, ts: float) -> bool:
        """Let a cohort's rules enforce again, its budget whole; returns whether they did not."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM overturned WHERE cohort = ? AND ts <= ?", (cohort, ts))
            return self._db.execute("DELETE FROM fallback WHERE cohort = ?", (cohort,)).rowcount > 0

    def fallbacks(self) -> dict[str, str]:
        """Return the cohorts that fell back to shadow, and why."""
        return dict(self._db.execute("SELECT cohort, reason FROM fallback"))
