from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.hashing import hash_strings
from stillwatch.records.duplicates import DuplicateFinder


def repeated(parts: list[list[str]], work: Path, held_rows: int, *, clash: bool = False) -> dict[int, list[int]]:
    finder = DuplicateFinder(work, held_rows)
    paths = {}
    for number, ids in enumerate(parts, 1):
        paths[number] = work / f"{number}.parquet"
        column = pa.array(ids, pa.string())
        pq.write_table(pa.table({"exchange_id": column}), paths[number], row_group_size=3)
        hashes = hash_strings(column)
        finder.add(number, np.arange(len(ids)), np.zeros_like(hashes) if clash else hashes)
    return {part: rows.tolist() for part, rows in finder.find(paths).items()}


def expected(parts: list[list[str]]) -> dict[int, list[int]]:
    seen: set[str] = set()
    found: dict[int, list[int]] = {}
    for number, ids in enumerate(parts, 1):
        for row, name in enumerate(ids):
            if name in seen:
                found.setdefault(number, []).append(row)
            seen.add(name)
    return found


@settings(max_examples=40, deadline=None)
@given(
    parts=st.lists(st.lists(st.sampled_from("abcdefgh") | st.text(max_size=2), max_size=12), max_size=4),
    held_rows=st.sampled_from([1, 5, 1000]),
    clash=st.booleans(),
)
def test_first_in_input_order_stays(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[str]], held_rows: int, *, clash: bool
) -> None:
    work = tmp_path_factory.mktemp("ids")
    assert repeated(parts, work, held_rows, clash=clash) == expected(parts)


def test_a_part_that_was_dropped_does_not_count(tmp_path: Path) -> None:
    finder = DuplicateFinder(tmp_path)
    path = tmp_path / "2.parquet"
    pq.write_table(pa.table({"exchange_id": ["a"]}), path)
    for part in (1, 2):
        finder.add(part, np.arange(1), hash_strings(pa.array(["a"])))
    assert finder.find({2: path}) == {}


def test_partitions_are_gone_afterwards(tmp_path: Path) -> None:
    repeated([["a", "b"], ["a", "c"]], tmp_path, held_rows=1)
    assert list(tmp_path.glob("ids-*")) == []
