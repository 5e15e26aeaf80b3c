from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import RecordError
from stillwatch.records.exchange import EXCHANGE_SCHEMA
from stillwatch.records.parquet import ParquetSource, filled_fields, is_parquet


def write(path: Path, rows: int = 10, **options: object) -> Path:
    records = [
        {
            "exchange_id": f"e{row}",
            "ts": datetime(2026, 5, 1, tzinfo=UTC),
            "account_id": "a",
            "model": "m",
            "turn": row if row == 7 else None,
            "tool_names": ["f"] if row == 3 else None,
        }
        for row in range(rows)
    ]
    pq.write_table(pa.Table.from_pylist(records, schema=EXCHANGE_SCHEMA), path, row_group_size=4, **options)
    return path


@pytest.mark.parametrize("statistics", [True, False])
def test_filled_fields_with_and_without_statistics(tmp_path: Path, *, statistics: bool) -> None:
    path = write(tmp_path / "a.parquet", write_statistics=statistics)
    assert filled_fields(path) == {"turn", "tool_names"}
    assert filled_fields(write(tmp_path / "b.parquet", rows=0)) == frozenset()


def test_copy_leaves_rows_out(tmp_path: Path) -> None:
    source = ParquetSource(write(tmp_path / "a.parquet"))
    assert source.as_is
    assert source.copy(tmp_path / "b.parquet", np.array([0, 5, 9])) == 7
    ids = pq.read_table(tmp_path / "b.parquet").column("exchange_id").to_pylist()
    assert ids == ["e1", "e2", "e3", "e4", "e6", "e7", "e8"]


def test_is_parquet_by_name_or_content(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"text")
    assert not is_parquet(plain)
    assert is_parquet(write(tmp_path / "no-ending"))
    assert is_parquet(Path("anything.parquet"))


def test_what_is_checked_reads_no_numbers(tmp_path: Path) -> None:
    batch = next(ParquetSource(write(tmp_path / "a.parquet")).to_check())
    assert "turn" not in batch.schema.names
    assert {"exchange_id", "ts", "prompt", "tool_names", "extra"} <= set(batch.schema.names)


def test_a_cut_off_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RecordError) as caught:
        ParquetSource(path)
    assert caught.value.reason == "corrupt_parquet"
