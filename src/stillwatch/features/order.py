"""Rows of a Parquet file in order, sorted by the query engine: what does not fit into its memory goes to disk."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from stillwatch.features.engine import Engine

_MEMORY = "1GB"
_BATCH_ROWS = 20_480


def ordered_batches(path: Path, by: Sequence[str], spill: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file sorted by columns that together tell every row from every other.

    Args:
        path: a Parquet file.
        by: the columns, ascending.
        spill: directory for what does not fit into 1 GB.
    """
    with Engine.open(memory=_MEMORY, spill=spill) as engine:
        yield from engine.batches(engine.parquet(path).order_by(*by), _BATCH_ROWS)
