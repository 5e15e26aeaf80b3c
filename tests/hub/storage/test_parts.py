import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, event, select
from tests.hub.site import NOW

from stillwatch.hub.storage import parts
from stillwatch.hub.storage.engine import sqlite_url
from stillwatch.hub.storage.parts import Row, insert_rows
from stillwatch.hub.storage.storage import Storage

ROWS = Table(
    "rows",
    MetaData(),
    Column("number", Integer, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("raw", LargeBinary, nullable=False),
)


def weight(row: Row) -> int:
    return int(row["size"])


def test_all_rows_are_there_and_no_part_is_long(tmp_path: Path, database: str | None) -> None:
    sizes = [7, 200_000, 60_000, 60_000, 60_000, 1, 300_000, 2] * 3
    sent: list[int] = []
    url = sqlite_url(tmp_path) if database is None else database
    with contextlib.closing(Storage(url, lambda: NOW)) as storage:
        storage.create(ROWS.metadata)

        @event.listens_for(storage.engine, "before_execute")
        def note(_db: object, _statement: object, many: list[Row], one: Row, _options: object) -> None:
            sent.append(sum(row["size"] for row in (*many, one) if "size" in row))

        with storage.writing() as db:
            insert_rows(
                db, ROWS, ({"number": n, "size": size, "raw": bytes(size)} for n, size in enumerate(sizes)), weight
            )
        assert sum(sent) == sum(sizes)
        assert [size for size in sent if size > 2**17] == [200_000, 300_000] * 3
        with storage.reading() as db:
            assert [len(raw) for raw in db.scalars(select(ROWS.c.raw).order_by(ROWS.c.number))] == sizes


@pytest.mark.parametrize("most", [1, 50])
@given(sizes=st.lists(st.integers(0, 60)))
def test_parts_are_the_rows_in_order(most: int, sizes: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_PART_BYTES", most)
        found = list(parts._parts(({"size": size} for size in sizes), weight))
    assert [row["size"] for part in found for row in part] == sizes
    assert all(part and (len(part) == 1 or sum(row["size"] for row in part) <= most) for part in found)
