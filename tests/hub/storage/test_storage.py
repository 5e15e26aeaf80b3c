import contextlib
import threading
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, func, select, text
from sqlalchemy.exc import InternalError
from tests.hub.postgres import Postgres
from tests.hub.site import NOW, indicator, open_site

from stillwatch.errors import UsageError
from stillwatch.hub.storage import schema
from stillwatch.hub.storage.engine import sqlite_url
from stillwatch.hub.storage.storage import Storage, StoreUnavailableError


def opened(data: Path, database: str | None) -> Storage:
    return Storage(sqlite_url(data) if database is None else database, lambda: NOW)


def test_what_was_written_is_there_after_a_restart(tmp_path: Path, database: str | None) -> None:
    one = opened(tmp_path, database)
    with one.writing() as db:
        assert [one.audit(db, "a"), one.audit(db, "b", root="00")] == [0, 1]
    secret = one.secret("x")
    one.close()
    again = opened(tmp_path, database)
    with again.reading() as db:
        leaves = [msgspec.json.decode(data) for data in db.scalars(select(schema.leaf.c.data))]
    assert leaves == [{"kind": "a", "ts": int(NOW)}, {"kind": "b", "root": "00", "ts": int(NOW)}]
    assert again.secret("x") == secret != again.secret("y")
    again.close()


def test_a_block_that_fails_leaves_nothing(tmp_path: Path, database: str | None) -> None:
    storage = opened(tmp_path, database)
    with contextlib.suppress(ZeroDivisionError), storage.writing() as db:
        storage.audit(db, "a")
        storage.take(db, "n", 0, 5)
        _ = 1 / 0
    with storage.writing() as db:
        assert storage.audit(db, "b") == 0
        assert storage.take(db, "n", 0, 5) == 0
    storage.close()


def test_numbers_are_given_once_and_only_grow(tmp_path: Path, database: str | None) -> None:
    storage = opened(tmp_path, database)
    taken: list[int] = []

    def take() -> None:
        for _ in range(10):
            with storage.writing() as db:
                taken.append(storage.take(db, "n", 7, 3))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(taken) == list(range(7, 7 + 3 * 40, 3))
    with storage.writing() as db:
        assert storage.take(db, "n", 10_000, 1) == 10_000
        assert storage.take(db, "n", 0, 1) == 10_001
    storage.close()


def test_a_reader_sees_what_is_committed_and_no_more(tmp_path: Path, database: str | None) -> None:
    storage = opened(tmp_path, database)
    with storage.writing() as db:
        storage.audit(db, "a")
        with storage.reading() as other:
            assert other.execute(select(schema.leaf)).first() is None
    storage.close()


def test_others_may_add_tables_of_their_own(tmp_path: Path, database: str | None) -> None:
    own = MetaData()
    table = Table("hub_own", own, Column("n", Integer, primary_key=True))
    storage = opened(tmp_path, database)
    for _ in range(2):
        storage.create(own)
    with storage.writing() as db:
        db.execute(table.insert().values(n=1))
    storage.close()


def test_the_tables_of_another_version_are_refused(tmp_path: Path, database: str | None) -> None:
    storage = opened(tmp_path, database)
    with storage.writing() as db:
        db.execute(schema.setting.update().where(schema.setting.c.name == "format").values(value=b"0"))
    storage.close()
    with pytest.raises(UsageError, match="another version"):
        opened(tmp_path, database)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "hub.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreUnavailableError):
        opened(tmp_path, None)


def test_a_database_that_is_not_there() -> None:
    with pytest.raises(StoreUnavailableError):
        Storage("postgresql://nobody@127.0.0.1:1/none", lambda: NOW)


def test_postgresql_plans_anew_as_the_hub_grows(tmp_path: Path, postgres: Postgres) -> None:
    with open_site(tmp_path, postgres.new_database()) as site:
        north = site.desk("north")
        with site.hub.storage.writing() as db:
            db.execute(text("ALTER TABLE hub_object SET (autovacuum_enabled = false)"))
        for posted in range(1, 9):
            north.share(*(indicator() for _ in range(100)))
            with site.hub.storage.reading() as db:
                known = db.execute(text("SELECT reltuples FROM pg_class WHERE relname = 'hub_object'")).scalar_one()
            assert posted < 4 or known >= 100 * (posted - 2) / 2.5


def test_a_block_that_reads_sees_one_moment_and_writes_nothing(tmp_path: Path, postgres: Postgres) -> None:
    with contextlib.closing(opened(tmp_path, postgres.new_database())) as storage:
        count = select(func.count()).select_from(schema.leaf)
        with storage.reading() as db:
            assert db.scalar(count) == 0
            other = threading.Thread(target=lambda: add_leaf(storage))
            other.start()
            other.join()
            assert db.scalar(count) == 0
        with storage.reading() as db:
            assert db.scalar(count) == 1
        with pytest.raises(InternalError, match="read-only"), storage.reading() as db:
            db.execute(schema.leaf.delete())


def add_leaf(storage: Storage) -> None:
    with storage.writing() as db:
        storage.audit(db, "a")


def test_options_of_the_url_are_kept(tmp_path: Path, postgres: Postgres) -> None:
    url = postgres.new_database()
    with contextlib.closing(opened(tmp_path, url)) as storage, storage.writing() as db:
        db.execute(text("CREATE SCHEMA lab"))
    with contextlib.closing(opened(tmp_path, f"{url}?options=-csearch_path%3Dlab")) as storage:
        add_leaf(storage)
        with storage.reading() as db:
            assert db.scalar(text("SELECT count(*) FROM lab.hub_leaf")) == 1
            assert db.scalar(text("SELECT current_schema()")) == "lab"


def test_a_look_waits_for_nobody_and_is_not_undone(tmp_path: Path, postgres: Postgres) -> None:
    url = postgres.new_database()
    told = text("SELECT count(*) FROM pg_stats WHERE tablename = 'hub_object'")

    def seen(storage: Storage) -> int:
        with storage.reading() as db:
            return int(db.execute(told).scalar_one())

    with open_site(tmp_path, url) as site, contextlib.closing(opened(tmp_path, url)) as other:
        north, storage = site.desk("north"), site.hub.storage
        with other.engine.connect() as db, db.begin():
            db.execute(text("LOCK TABLE hub_object IN SHARE UPDATE EXCLUSIVE MODE"))  # as a VACUUM does
            for _ in range(4):
                north.share(*(indicator() for _ in range(50)))
            assert seen(storage) == 0
        for _ in range(3):
            with contextlib.suppress(ZeroDivisionError), storage.writing():
                _ = 1 / 0
        assert seen(storage) > 0
