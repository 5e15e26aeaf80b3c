from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.features.sketch_logs import START_US

from stillwatch.errors import UsageError
from stillwatch.features import kernel, store
from stillwatch.features.sketch import minhash_matrix, sketch_texts, vocabulary_matrix
from stillwatch.features.store import SketchStore, batch_sketches, build_store, read_batches
from stillwatch.hashing import hash_strings
from stillwatch.progress import StageClock
from stillwatch.records.exchange import EXCHANGE_SCHEMA

Row = dict[str, Any]
_FIELDS = (
    "exchange_id",
    "ts",
    "account_id",
    "model",
    "system",
    "prompt",
    "output_tokens",
    "reasoning_tokens",
    "sketch",
)
ROWS: list[Row] = [
    {"account_id": "a", "prompt": "show your full reasoning for item 7", "model": "m1", "output_tokens": 5},
    {"account_id": "b", "model": "m2"},
    {"account_id": "a", "system": "be brief", "model": "m2", "reasoning_tokens": 9},
    {"account_id": "c", "prompt": "", "model": "m1", "output_tokens": 2**40},
    {"account_id": "b", "system": "be brief", "prompt": "one two three four five", "model": "m3"},
]


def _table(rows: list[Row]) -> pa.Table:
    full = [dict.fromkeys(_FIELDS) | row for row in rows]
    for number, row in enumerate(full):
        row |= {"exchange_id": f"x{number}", "ts": START_US + number}
    schema = pa.schema([EXCHANGE_SCHEMA.field(name) for name in _FIELDS])
    return pa.Table.from_pylist(full, schema)


def _write(path: Path, rows: list[Row], drop: tuple[str, ...] = ()) -> Path:
    pq.write_table(_table(rows).drop_columns(list(drop)), path)
    return path


def _contents(made: SketchStore) -> dict[str, Any]:
    names = ("account", "ts_us", "content", "cues", "position", "output_tokens", "reasoning_tokens", "model", "models")
    facts = {name: np.asarray(getattr(made, name)).tolist() for name in names}
    bins = [made.bin(number).tolist() for number in range(kernel.BINS)]
    return facts | {"bins": bins, "vocabulary": [row.tolist() for part in made.vocabularies() for row in part]}


def test_a_store_holds_the_rows_with_content_in_their_order(tmp_path: Path) -> None:
    made = build_store([_write(tmp_path / "a.parquet", ROWS, drop=("sketch",))], tmp_path / "store")
    kept = [0, 2, 3, 4]
    table = _table(ROWS).take(kept).combine_chunks()
    sketches = sketch_texts(table["system"].combine_chunks(), table["prompt"].combine_chunks())
    assert len(made) == 4
    assert made.position.tolist() == kept
    assert made.account.tolist() == hash_strings(table["account_id"]).tolist()
    assert made.ts_us.tolist() == [START_US + number for number in kept]
    assert made.content.tolist() == sketches.field("content_hash").to_pylist()
    assert made.cues.tolist() == sketches.field("cues").to_pylist() == [1, 0, 0, 0]
    assert [made.models[code] for code in made.model] == ["m1", "m2", "m1", "m3"]
    assert made.output_tokens.tolist() == [5, -1, 2**31 - 1, -1]
    assert made.reasoning_tokens.tolist() == [-1, 9, -1, -1]
    minhash = np.stack([made.bin(number) for number in range(kernel.BINS)], axis=1)
    assert np.array_equal(minhash, minhash_matrix(sketches.field("minhash")))
    assert np.array_equal(np.concatenate(list(made.vocabularies())), vocabulary_matrix(sketches.field("vocabulary")))


TEXT = st.one_of(st.none(), st.text("ab \u00e9", max_size=30))
LOGS = st.lists(
    st.fixed_dictionaries(
        {"account_id": st.sampled_from("xyz"), "model": st.just("m"), "system": TEXT, "prompt": TEXT}
    ),
    max_size=12,
)


@settings(max_examples=30)
@given(LOGS, st.data())
def test_a_store_of_sketches_is_the_store_of_their_text_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("store")
    whole = build_store([_write(directory / "whole.parquet", rows)], directory / "s1")
    sketches = sketch_texts(*(_table(rows)[name].combine_chunks() for name in ("system", "prompt"))).to_pylist()
    carried = [
        row | {"system": None, "prompt": None, "sketch": sketch} if data.draw(st.booleans()) else row
        for row, sketch in zip(rows, sketches, strict=True)
    ]
    cut = data.draw(st.integers(0, len(rows)))
    files = [_write(directory / "0.parquet", carried[:cut]), _write(directory / "1.parquet", carried[cut:])]
    parts = build_store(files, directory / "s2")
    assert _contents(parts) | {"ts_us": 0} == _contents(whole) | {"ts_us": 0}


def test_a_log_without_content_makes_an_empty_store(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.parquet", ROWS, drop=("system", "prompt", "sketch"))
    made = build_store([path], tmp_path / "store")
    assert len(made) == 0
    assert made.bin(3).size == 0
    assert sum(len(part) for part in made.vocabularies()) == 0


def test_a_part_of_a_store_reads_like_the_store_of_those_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BATCH_ROWS", 3)
    rows = [
        {"account_id": f"a{n % 3}", "model": "m", "prompt": f"words {chr(97 + n)} and more words"} for n in range(10)
    ]
    whole = build_store([_write(tmp_path / "a.parquet", rows)], tmp_path / "store")
    chosen = np.array([0, 2, 3, 7, 9])
    part = whole.part(chosen)
    assert len(part) == 5
    everything, some = _contents(whole), _contents(part)
    assert some["position"] == chosen.tolist()
    assert some["vocabulary"] == [everything["vocabulary"][row] for row in chosen]
    assert some["bins"] == [[column[row] for row in chosen] for column in everything["bins"]]
    few = part.minhash(np.array([1, 4]))
    assert few.T.tolist() == [[column[row] for row in (2, 9)] for column in everything["bins"]]
    assert part.minhash(np.empty(0, np.int64)).shape == (0, kernel.BINS)


def test_batches_are_small_where_texts_are_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    rows = [
        {"account_id": "a", "model": "m", "system": "long " * 2_000, "prompt": rng.bytes(1_000).hex()}
        for _ in range(64)
    ]
    path = _write(tmp_path / "a.parquet", rows)
    (batch,) = read_batches([path], ("system", "prompt"))
    assert batch.num_rows == 64
    assert batch.nbytes < 64 * 5_000  # the system prompt is held once
    monkeypatch.setattr(store, "_BATCH_BYTES", 16 * 2_000)
    sizes = [batch.num_rows for batch in read_batches([path], ("system", "prompt"))]
    assert sum(sizes) == 64
    assert 8 <= max(sizes) <= 16
    monkeypatch.setattr(store, "_BATCH_BYTES", 1)
    assert {batch.num_rows for batch in read_batches([path], ("prompt",))} == {1}


def test_columns_that_a_file_lacks_are_null(tmp_path: Path) -> None:
    files = [
        _write(tmp_path / "a.parquet", ROWS[:1], drop=("system",)),
        _write(tmp_path / "b.parquet", ROWS[2:3], drop=("prompt",)),
    ]
    batches = [batch.to_pylist() for batch in read_batches(files, ("system", "prompt"))]
    assert batches == [[{"system": None, "prompt": ROWS[0]["prompt"]}], [{"system": "be brief", "prompt": None}]]


def _batch(sketches: pa.Array) -> pa.RecordBatch:
    texts = pa.nulls(len(sketches), pa.string())
    return pa.record_batch({"system": texts, "prompt": texts, "sketch": sketches})


def test_sketches_of_another_version_are_refused_with_a_way_out() -> None:
    made = sketch_texts(pa.nulls(2), pa.array(["some text", None]))
    columns = [pa.array([7, 7], pa.int8()), *made.flatten()[1:]]
    other = pa.StructArray.from_arrays(columns, fields=list(made.type), mask=pa.array([False, True]))
    with pytest.raises(UsageError, match=r"version 7.*compares version 1.*\n.*sketch the text again"):
        batch_sketches(_batch(other))


def test_sketches_that_are_not_whole_are_refused() -> None:
    made = sketch_texts(pa.nulls(1), pa.array(["some text"]))
    columns = made.flatten()
    columns[-2] = pa.nulls(1, columns[-2].type)
    with pytest.raises(UsageError, match="missing parts"):
        batch_sketches(_batch(pa.StructArray.from_arrays(columns, fields=list(made.type))))


def test_progress_counts_every_row(tmp_path: Path) -> None:
    clock = StageClock(quiet=True)
    with clock.stage("sketch") as ticker:
        build_store([_write(tmp_path / "a.parquet", ROWS)], tmp_path / "store", ticker)
    assert clock.stages[0].rows == len(ROWS)


def test_a_log_with_an_absurd_number_of_models_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_MAX_MODELS", 2)
    with pytest.raises(UsageError, match="more than 2 models"):
        build_store([_write(tmp_path / "a.parquet", ROWS)], tmp_path / "store")
