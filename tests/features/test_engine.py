import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features.exchange_tables import START, micros, table

from stillwatch.errors import UsageError
from stillwatch.features.engine import Engine, compact, instant_us, parse_memory
from stillwatch.records.exchange import EXCHANGE_SCHEMA

MINIMAL = pa.table(
    {
        "exchange_id": ["x1"],
        "ts": pa.array([START], pa.timestamp("us", tz="UTC")),
        "account_id": ["a"],
        "model": ["m"],
    }
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GB", 4_000_000_000),
        ("4gb", 4_000_000_000),
        (" 1.5 GiB ", 3 * 2**29),
        ("512MiB", 2**29),
        ("2T", 2_000_000_000_000),
        ("800kB", 800_000),
        ("17", 17),
        ("17B", 17),
    ],
)
def test_memory_sizes(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "GB", "4 gigs", "-4GB", "0GB", "4GB extra", "1e9", "0.1B", "٤GB.", "4iB"])
def test_nonsense_is_no_memory_size(text: str) -> None:
    with pytest.raises(UsageError, match="not an amount of memory"):
        parse_memory(text)


@given(number=st.integers(1, 10**6), unit=st.sampled_from(["kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"]))
def test_memory_sizes_grow_with_their_number(number: int, unit: str) -> None:
    assert parse_memory(f"{number}{unit}") == number * parse_memory(f"1{unit}")


def test_too_little_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too little memory"):
        Engine.open(memory="100MB", spill=tmp_path)


def setting(engine: Engine, name: str) -> str:
    row = engine.backend.con.execute("SELECT value FROM duckdb_settings() WHERE name = ?", [name]).fetchone()
    assert row is not None
    return str(row[0])


def test_limits_reach_the_engine(tmp_path: Path) -> None:
    with Engine.open(memory="4GB", threads=1, spill=tmp_path / "spill") as engine:
        assert setting(engine, "threads") == "1"
        assert setting(engine, "temp_directory") == str(tmp_path / "spill")
        assert setting(engine, "autoinstall_known_extensions") == "false"
        assert setting(engine, "TimeZone") == "UTC"
        assert setting(engine, "memory_limit").endswith("GiB")
        assert 1.5 < float(setting(engine, "memory_limit").split()[0]) < 4e9 / 2**30


def test_columns_that_no_file_has_are_typed_nulls(tmp_path: Path) -> None:
    pq.write_table(MINIMAL, tmp_path / "log.parquet")
    with Engine.open(memory=None, spill=tmp_path) as engine:
        exchanges = engine.exchanges([tmp_path / "log.parquet"])
        assert exchanges.columns == tuple(EXCHANGE_SCHEMA.names)
        row = engine.to_arrow(exchanges).to_pylist()[0]
        assert row["ts"] == START
        assert all(row[name] is None for name in EXCHANGE_SCHEMA.names if name not in MINIMAL.column_names)
        types = {name: str(kind) for name, kind in exchanges.schema().items()}
        assert types["status"] == "int64"
        assert types["tool_names"] == "array<string>"
        assert types["extra"] == "map<!string, string>"
        assert types["sketch"].startswith("struct<version: int8, content_hash: int64")


def test_files_with_other_columns_and_narrower_types_are_one_table(tmp_path: Path) -> None:
    first = MINIMAL.append_column("status", pa.array([200], pa.int16()))
    second = MINIMAL.append_column("asn", pa.array([64512], pa.int32())).select(
        ["asn", "model", "account_id", "ts", "exchange_id"]
    )
    third = MINIMAL.set_column(1, "ts", pa.array([START], pa.timestamp("ms", tz="UTC")))
    for name, part in {"1": first, "2": second, "3": third}.items():
        pq.write_table(part, tmp_path / f"it's {name}.parquet")
    with Engine.open(memory=None, spill=tmp_path / "spill") as engine:
        found = engine.to_arrow(engine.exchanges(sorted(tmp_path.glob("*.parquet"))))
    rows = sorted((row["status"] or 0, row["asn"] or 0, row["ts"] == START, row["model"]) for row in found.to_pylist())
    assert rows == [(0, 0, True, "m"), (0, 64512, True, "m"), (200, 0, True, "m")]
    assert found.schema.field("status").type == pa.int64()


def test_a_whole_exchange_comes_through_unchanged(tmp_path: Path) -> None:
    row = {
        "ts": START,
        "account_id": "a",
        "model": "m",
        "tool_names": ["search"],
        "extra": [("k", "v")],
        "sketch": {"version": 1, "content_hash": -5, "minhash": b"\x01" * 256, "vocabulary": b"\x02" * 128},
    }
    pq.write_table(table([row]), tmp_path / "log.parquet")
    with Engine.open(memory=None, spill=tmp_path) as engine:
        found = engine.to_arrow(engine.exchanges([tmp_path / "log.parquet"]))
    assert found.to_pylist() == table([row]).to_pylist()


def test_no_file_is_wrong_use(tmp_path: Path) -> None:
    with Engine.open(memory=None, spill=tmp_path) as engine, pytest.raises(UsageError, match="no Parquet file"):
        engine.exchanges([])


def test_instants_keep_their_microseconds(tmp_path: Path) -> None:
    odd = START.replace(microsecond=123_457)
    with Engine.open(memory=None, spill=tmp_path) as engine:
        log = engine.register("log", table([{"ts": odd, "account_id": "a", "model": "m"}]))
        assert engine.to_arrow(log.select(us=instant_us(log.ts)))["us"].to_pylist() == [micros(odd)]


def test_compact_keys_keep_null_apart(tmp_path: Path) -> None:
    with Engine.open(memory=None, spill=tmp_path) as engine:
        log = engine.register("log", pa.table({"v": ["", None, "a", "a"]}))
        keys = log.select(key=compact(log.v))
        counted = keys.aggregate(known=keys.key.count(), distinct=keys.key.nunique())
        assert engine.to_arrow(counted).to_pylist() == [{"known": 3, "distinct": 2}]


def test_parquet_round_trip_and_glob(tmp_path: Path) -> None:
    with Engine.open(memory=None, spill=tmp_path / "spill") as engine:
        numbers = engine.register("numbers", pa.table({"n": pa.array([3, 1, None], pa.int64())}))
        engine.to_parquet(numbers.order_by("n"), tmp_path / "n1.parquet")
        engine.to_parquet(numbers.filter(numbers.n > 9), tmp_path / "n2.parquet")
        assert pq.read_table(tmp_path / "n1.parquet")["n"].to_pylist() == [1, 3, None]
        assert pq.read_schema(tmp_path / "n2.parquet").equals(pq.read_schema(tmp_path / "n1.parquet"))
        both = engine.parquet(tmp_path / "n*.parquet")
        assert engine.to_arrow(both.order_by("n"))["n"].to_pylist() == [1, 3, None]


def test_register_copies_and_replaces(tmp_path: Path) -> None:
    with Engine.open(memory=None, spill=tmp_path) as engine:
        engine.register('odd "name"', pa.table({"n": [1]}))
        again = engine.register('odd "name"', pa.table({"m": ["x"]}))
        assert engine.to_arrow(again).to_pydict() == {"m": ["x"]}


def test_other_queries_run_while_a_stream_is_read(tmp_path: Path) -> None:
    with Engine.open(memory=None, spill=tmp_path) as engine:
        numbers = engine.register("numbers", pa.table({"n": range(30_000)}))
        seen = []
        for batch in engine.batches(numbers.order_by("n"), 4_096):
            seen.extend(batch["n"].to_pylist())
            assert engine.to_arrow(numbers.aggregate(c=numbers.count()))["c"].to_pylist() == [30_000]
        assert seen == list(range(30_000))


def test_home_is_neither_read_nor_written(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    script = (
        "import sys; from pathlib import Path; from stillwatch.features.engine import Engine\n"
        "engine = Engine.open(memory='1GB', spill=Path(sys.argv[1]))\n"
        "engine.close()"
    )
    environment = os.environ | {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "spill")], env=environment, check=True, timeout=120)
    assert list(home.iterdir()) == []
