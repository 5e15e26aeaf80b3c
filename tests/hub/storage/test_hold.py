import contextlib
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.hub.postgres import Postgres
from tests.hub.site import NOW

from stillwatch.errors import UsageError
from stillwatch.hub.storage.engine import sqlite_url
from stillwatch.hub.storage.hold import Hold
from stillwatch.hub.storage.storage import Storage

_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = :low"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def end_session(storage: Storage) -> None:
    with storage.writing() as db:
        assert db.execute(_END, {"low": 0x4855_4202}).all() == [(True,)]


def test_a_database_is_one_hub_s_until_it_ends(postgres: Postgres) -> None:
    url = postgres.new_database()
    with contextlib.closing(Storage(url)) as one, contextlib.closing(Storage(url)) as other:
        for _ in range(2):
            with Hold(one) as hold:
                hold.check()
                with other.writing() as db:
                    other.audit(db, "a command beside the hub")
                with pytest.raises(UsageError, match="another hub"), Hold(other):
                    pass
            with Hold(other):
                pass


def test_a_lost_session_is_begun_again(postgres: Postgres) -> None:
    url = postgres.new_database()
    with contextlib.closing(Storage(url)) as one, contextlib.closing(Storage(url)) as other, Hold(one) as hold:
        end_session(other)
        hold.check()
        with pytest.raises(UsageError, match="another hub"), Hold(other):
            pass


def test_who_lost_it_to_another_hub_is_told(postgres: Postgres) -> None:
    url = postgres.new_database()
    with contextlib.closing(Storage(url)) as one, contextlib.closing(Storage(url)) as other, Hold(one) as hold:
        end_session(other)
        with Hold(other), pytest.raises(UsageError, match="another hub"):
            hold.check()
        hold.check()


def test_a_file_needs_no_hold_of_its_own(tmp_path: Path) -> None:
    with contextlib.closing(Storage(sqlite_url(tmp_path), lambda: NOW)) as storage, Hold(storage), Hold(storage) as one:
        one.check()
