"""What others shared: kept byte for byte with its signature and the cursor from which the next pull goes on.

One SQLite file; a page and the cursor behind it are one transaction, so a pull that is killed loses nothing and repeats
nothing.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, Self

from stillwatch.errors import UsageError

_FORMAT = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS object (
    sha256 TEXT PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL, modified TEXT NOT NULL, raw BLOB NOT NULL,
    source TEXT, pulled REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS object_id ON object (id, modified);
CREATE TABLE IF NOT EXISTS correction (
    object_id TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (object_id, kind, at, reason)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pin (member_id TEXT, public_key TEXT, PRIMARY KEY (member_id, public_key)) WITHOUT ROWID;
"""


class Received(NamedTuple):
    """An object as it came.

    Attributes:
        source: the member whose signature on it holds, `anonymous` where the hub vouches, None where nobody does.
    """

    sha256: str
    object_id: str
    kind: str
    modified: str
    raw: bytes
    source: str | None


class Inbox:
    """What one member received from one hub's collection."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            UsageError: it is no such file.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = sqlite3.connect(path, isolation_level=None)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _FORMAT):
                raise UsageError(f"{path} is of another version of stillwatch", hint="give another directory")
            self._db.executescript(_TABLES)
            self._db.execute(f"PRAGMA user_version={_FORMAT}")
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise UsageError(f"{path} is not what a pull keeps: {error}", hint="give another directory") from error
        path.chmod(0o600)

    def cursor(self, name: str) -> str | None:
        """Return where a feed goes on."""
        row = self._db.execute("SELECT value FROM cursor WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def keep(self, objects: Iterable[Received], cursors: dict[str, str | None], now_s: float) -> int:
        """Keep a page and where to go on after it, both or neither; return how many were new."""
        rows = [(*one, now_s) for one in objects]
        with self._transaction():
            before = self._db.total_changes
            self._db.executemany("INSERT OR IGNORE INTO object VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            new = self._db.total_changes - before
            self._set(cursors)
        return new

    def keep_corrections(self, rows: Iterable[tuple[str, str, str, str]], cursors: dict[str, str | None]) -> int:
        """Keep corrections (object id, kind, reason, time) and where to go on; return how many were new."""
        with self._transaction():
            before = self._db.total_changes
            self._db.executemany("INSERT OR IGNORE INTO correction VALUES (?, ?, ?, ?)", list(rows))
            new = self._db.total_changes - before
            self._set(cursors)
        return new

    def pin(self, member_id: str, public_key: str) -> bool:
        """Remember a member's key; return whether it is the first or a known one, and not a later one."""
        known = {row[0] for row in self._db.execute("SELECT public_key FROM pin WHERE member_id = ?", (member_id,))}
        self._db.execute("INSERT OR IGNORE INTO pin VALUES (?, ?)", (member_id, public_key))
        return not known or public_key in known

    def latest(self) -> Iterator[Received]:
        """Yield the latest version of each object that nobody withdrew, of those that somebody vouches for."""
        query = """
            SELECT sha256, id, type, max(modified), raw, source FROM object
            WHERE source IS NOT NULL
            AND id NOT IN (SELECT object_id FROM correction WHERE kind = 'withdrawn')
            GROUP BY id, source ORDER BY id
        """
        with closing(self._db.execute(query)) as rows:
            yield from (Received(*row) for row in rows)

    def disputed(self) -> set[str]:
        """Return the ids of objects that somebody disputes, and that their owners did not correct since."""
        query = """
            SELECT object_id FROM correction GROUP BY object_id
            HAVING max(CASE kind WHEN 'disputed' THEN at END) > max(CASE kind WHEN 'corrected' THEN at ELSE '' END)
        """
        return {str(row[0]) for row in self._db.execute(query)}

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self.close()

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)

    def _set(self, cursors: dict[str, str | None]) -> None:
        known = [(name, value) for name, value in cursors.items() if value is not None]
        self._db.executemany("INSERT OR REPLACE INTO cursor VALUES (?, ?)", known)


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
