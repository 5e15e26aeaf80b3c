"""Inserts of many rows, a part at a time.

The driver sends rows to PostgreSQL in a pipeline. Over TCP a megabyte of them closes the server's window now and then,
and the pipeline stands still until a timer of 200 ms opens it again: a quarter of all posts took three times as long.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Table

_PART_BYTES = 128 * 2**10
Row = Mapping[str, Any]


def insert_rows(db: Connection, table: Table, rows: Iterable[Row], weigh: Callable[[Row], int]) -> None:
    """Insert rows; `weigh` says how long one is on the wire, roughly, in bytes."""
    statement = table.insert()
    for part in _parts(rows, weigh):
        db.execute(statement, part)


def _parts(rows: Iterable[Row], weigh: Callable[[Row], int]) -> Iterator[list[Row]]:
    part: list[Row] = []
    held = 0
    for row in rows:
        weight = weigh(row)
        if part and held + weight > _PART_BYTES:
            yield part
            part, held = [], 0
        part.append(row)
        held += weight
    if part:
        yield part
