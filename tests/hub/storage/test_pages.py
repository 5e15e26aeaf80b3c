"""A page in one piece is the page row by row, on both engines."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from tests.hub.postgres import Postgres
from tests.hub.site import RED, Desk, Site, address, for_whom, indicator, newer, open_site

from stillwatch.hub.storage import statements
from stillwatch.hub.storage.pages import Filter, read_joined, read_page
from stillwatch.hub.storage.statements import Shape, Which

ALL = frozenset({"all"})
WANTED = {
    "the latest": Filter(),
    "all versions": Filter(versions=ALL),
    "first and last": Filter(versions=frozenset({"first", "last"})),
    "one type": Filter(types=("ipv4-addr",)),
    "two types": Filter(types=("ipv4-addr", "indicator"), versions=ALL),
    "a type that nobody posted": Filter(types=("malware",)),
    "an id that nobody posted": Filter(ids=("indicator--00000000-0000-4000-8000-000000000000",)),
}


@pytest.fixture
def shared(site: Site, north: Desk, south: Desk) -> Site:
    """A hub with objects of every visibility, of unlike lengths, some of them in versions."""
    for number in range(4):
        first = indicator(description="x" * 97 * number)
        north.share(first, address(f"192.0.2.{number}"), indicator(object_marking_refs=[RED]))
        south.share(indicator(**for_whom(north)), newer(indicator()))
        north.share(newer(first, description="y" * 31 * number), newer(first, month=3))
    return site


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Pages end after 700 bytes."""
    caches = (statements.page_statement, statements.joined_statement)
    for cached in caches:
        cached.cache_clear()
    monkeypatch.setattr(statements, "PAGE_BYTES", 700)
    yield 700
    for cached in caches:
        cached.cache_clear()


def check(site: Site, reader: Desk, wanted: Filter, limit: int) -> list[int]:
    """Read to the end both ways; return how many objects the pages have."""
    lengths, after = [], -1
    with site.hub.storage.reading() as db:
        while True:
            rows = read_page(db, 1, reader.member.number, wanted, after=after, limit=limit)
            joined = read_joined(db, 1, reader.member.number, wanted, after=after, limit=limit)
            assert (joined.count, joined.more) == (rows.count, rows.more)
            assert joined.objects == b",".join(one.raw for one in rows.found)
            if not rows.found:
                return lengths
            assert (joined.first, joined.last) == (rows.first, rows.last)
            lengths.append(joined.count)
            after = joined.last
            if not joined.more:
                return lengths


@pytest.mark.parametrize("wanted", WANTED.values(), ids=WANTED)
def test_a_page_in_one_piece_is_the_page_row_by_row(shared: Site, north: Desk, south: Desk, wanted: Filter) -> None:
    for reader in (north, south):
        lengths = {limit: check(shared, reader, wanted, limit) for limit in (1, 3, 7, 1000)}
        assert len({sum(each) for each in lengths.values()}) == 1
        assert all(length <= limit for limit, each in lengths.items() for length in each)


def test_a_page_ends_before_it_is_too_long(shared: Site, north: Desk, short_pages: int) -> None:
    lengths = check(shared, north, Filter(versions=ALL), 1000)
    assert len(lengths) > 5
    with shared.hub.storage.reading() as db:
        page = read_joined(db, 1, north.member.number, Filter(versions=ALL), after=-1, limit=1000)
    assert page.more
    assert len(page.objects) < short_pages + 700


def test_an_object_longer_than_a_page_has_one_for_itself(site: Site, north: Desk, short_pages: int) -> None:
    north.share(indicator(description="z" * 2 * short_pages), indicator())
    assert check(site, north, Filter(), 1000) == [1, 1]


@pytest.mark.parametrize("versions", [frozenset({"last"}), frozenset({"first", "moments"}), frozenset()])
def test_sqlite_looks_ids_up_and_does_not_go_through_what_a_reader_sees(lite: Site, versions: frozenset[Which]) -> None:
    query = statements.joined_statement(Shape(by_id=True, kinds=0, versions=versions))
    bound = {"collection": 1, "reader": 2, "after": -1, "most": 3, "ids": ("a", "b"), "moments": [5]}
    with lite.hub.storage.reading() as db:
        told = query.compile(dialect=db.dialect).construct_expanded_state(bound)
        values = tuple(told.parameters[name] for name in told.positiontup or ())
        plan = db.exec_driver_sql(f"EXPLAIN QUERY PLAN {told.statement}", values).all()
    steps = [row[-1] for row in plan]
    assert any(step.startswith("SEARCH hub_object USING INDEX hub_object_id (collection=? AND id=?") for step in steps)
    ranged = [step for step in steps if "hub_audience" in step or "seen" in step]
    assert ranged
    assert all("seq=?" in step for step in ranged if step.startswith("SEARCH")), steps


def test_postgresql_needs_one_index_to_know_what_a_page_has(tmp_path: Path, postgres: Postgres) -> None:
    query = statements.joined_statement(Shape(by_id=False, kinds=0, versions=frozenset({"last"})))
    database = postgres.new_database()
    with open_site(tmp_path, database) as site:
        north, south = site.desk("north"), site.desk("south")
        north.share(*(indicator(**for_whom(south)) for _ in range(100)))
        with contextlib.closing(psycopg.connect(database, autocommit=True)) as connection:
            connection.execute("VACUUM ANALYZE")
        with site.hub.storage.reading() as db:
            told = query.compile(dialect=db.dialect).construct_expanded_state(
                {"collection": 1, "reader": south.member.number, "after": -1, "most": 51}
            )
            db.execute(text("SET LOCAL enable_seqscan = off"))  # a table this small is read as a whole
            db.execute(text("SET LOCAL enable_bitmapscan = off"))
            plan = db.exec_driver_sql(f"EXPLAIN {told.statement}", told.parameters).scalars().all()
    scans = [line for line in plan if " on hub_audience" in line]
    assert len(scans) >= 3, plan
    assert all("Index Only Scan using hub_audience_pkey" in line for line in scans), plan
