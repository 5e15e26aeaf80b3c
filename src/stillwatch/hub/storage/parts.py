"""Inserts of many rows, a part at a time.

The driver sends rows to PostgreSQL in a pipeline. Over TCP a megabyte of them closes the server's window now and then,
and the pipeline stands still until a timer of 200 ms opens it again: a quarter of all posts took three times as long.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Table

_PART_BYTES = 128 * 2**10
Row = Mapping[str, Any]


def insert_rows(db: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Insert rows of a table that has a column `size`, in bytes."""
    statement = table.insert()
    for part in _parts(rows):
        db.execute(statement, part)


def _parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    part: list[Row] = []
    held = 0
    for row in rows:
        if part and held + row["size"] > _PART_BYTES:
            yield part
            part, held = [], 0
        part.append(row)
        held += row["size"]
    if part:
        yield part
