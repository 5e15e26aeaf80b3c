from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.features.order import ordered_batches


def test_rows_come_in_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    times, names = rng.integers(0, 5_000, 60_000), rng.permutation(60_000)
    pq.write_table(pa.table({"at": times, "name": names}), tmp_path / "rows.parquet", row_group_size=7_000)
    batches = list(ordered_batches(tmp_path / "rows.parquet", ("at", "name"), tmp_path / "spill"))
    assert len(batches) > 1
    table = pa.Table.from_batches(batches)
    got = [*zip(table.column("at").to_pylist(), table.column("name").to_pylist(), strict=True)]
    assert got == sorted(zip(times.tolist(), names.tolist(), strict=True))
