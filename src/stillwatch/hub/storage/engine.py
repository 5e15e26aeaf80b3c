"""Connections to SQLite or PostgreSQL, set so that what was committed survives the loss of the process or the power."""

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from stillwatch.errors import UsageError

WRITES = {"stillwatch_writes": True}
"""Execution options of a connection that is going to write."""
_POOL, _OVERFLOW = 8, 32
_WAIT_S = 10
_MAPPED_BYTES = 2**40
"""SQLite takes as much of it as it was built for, 2 GiB mostly; what lies behind that is read."""
_REPEATABLE_READ = 3
"""As `psycopg.IsolationLevel` numbers it."""


def sqlite_url(data_dir: Path) -> URL:
    """Return the URL of the database below a data directory."""
    return URL.create("sqlite", database=str(data_dir / "hub.sqlite"))


def open_engine(url: str | URL) -> Engine:
    """Return an engine for a database.

    Raises:
        UsageError: it is a database that we do not know.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise UsageError("the database URL cannot be read", hint="postgresql://user@host/database") from error
    name = parsed.get_backend_name()
    if name == "sqlite":
        engine = sqlalchemy.create_engine(parsed, pool_size=_POOL, max_overflow=_OVERFLOW, pool_timeout=_WAIT_S)
        event.listen(engine, "connect", _set_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if name == "postgresql":
        return _open_postgresql(parsed)
    raise UsageError(f"a hub cannot keep its data in {name}", hint="leave --database-url out, or postgresql://…")


def open_reader(url: str | URL) -> Engine | None:
    """Return an engine for PostgreSQL whose transactions only read, in one snapshot each; None where all do that."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "postgresql":
        return None
    engine = _open_postgresql(parsed)
    event.listen(engine, "connect", _only_read)
    return engine


def _open_postgresql(url: URL) -> Engine:
    try:
        from stillwatch.hub.storage.binary import CURSORS  # noqa: PLC0415 - the driver is an extra
    except ImportError as error:
        raise UsageError("PostgreSQL needs a driver", hint='pip install "stillwatch[postgresql]"') from error
    return sqlalchemy.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=_POOL,
        max_overflow=_OVERFLOW,
        pool_timeout=_WAIT_S,
        connect_args={"connect_timeout": _WAIT_S, "application_name": "stillwatch hub", **CURSORS},
    )


def _only_read(connection: Any, _record: Any) -> None:
    # To plan a page takes longer than to read a small one.
    connection.autocommit = True
    connection.execute("SET plan_cache_mode = force_generic_plan")
    connection.autocommit = False
    connection.isolation_level = _REPEATABLE_READ  # the driver says so with each BEGIN, at no further cost
    connection.read_only = True


def _set_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says, not where the driver guesses
    for pragma in (
        "page_size = 16384",  # objects of one KB leave a fifth of a page of 4,096 empty
        "journal_mode = WAL",
        "synchronous = FULL",
        "busy_timeout = 30000",
        "cache_size = -32768",
        f"mmap_size = {_MAPPED_BYTES}",  # a page that no cache holds is then as near as one that a cache holds
        "secure_delete = ON",  # what was deleted is gone
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("stillwatch_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
