import gzip
import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.errors import UsageError
from stillwatch.progress import StageClock
from stillwatch.records import lines
from stillwatch.records.dataset import Dataset, read_logs
from stillwatch.records.exchange import EXCHANGE_SCHEMA
from stillwatch.records.rejects import reject_log

NOW = datetime(2026, 6, 1, tzinfo=UTC)
Reject = dict[str, Any]


def exchange(number: int, **changes: Any) -> dict[str, Any]:
    record = {
        "exchange_id": f"e{number}",
        "ts": "2026-05-01T10:00:00Z",
        "account_id": "a",
        "model": "m",
        "turn": number,
    }
    return {name: value for name, value in (record | changes).items() if value is not ...}


def encoded(*records: dict[str, Any] | bytes) -> bytes:
    return b"".join((r if isinstance(r, bytes) else json.dumps(r).encode()) + b"\n" for r in records)


def table(*numbers: int, **columns: Any) -> pa.Table:
    values: dict[str, Any] = {
        "exchange_id": [f"e{number}" for number in numbers],
        "ts": pa.array([datetime(2026, 5, 1, tzinfo=UTC)] * len(numbers), pa.timestamp("us", "UTC")),
        "account_id": ["a"] * len(numbers),
        "model": ["m"] * len(numbers),
    }
    return pa.table({name: value for name, value in (values | columns).items() if value is not None})


Read = Callable[..., tuple[Dataset, list[dict[str, Any]], list[Reject]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def run(*paths: Path, **options: Any) -> tuple[Dataset, list[dict[str, Any]], list[Reject]]:
        work = Path(tempfile.mkdtemp(dir=tmp_path))
        with reject_log(work / "rejects.jsonl") as log:
            dataset = read_logs(paths, work, rejects=log, now=NOW, **options)
        rows = [row for path in dataset.files for row in pq.read_table(path).to_pylist()]
        rejects = [json.loads(line) for line in (work / "rejects.jsonl").read_text().splitlines()]
        counts = dataset.counts
        assert counts.read == counts.accepted + counts.duplicate + counts.rejected
        assert (counts.accepted, counts.rejected) == (len(rows), len(rejects))
        for path in dataset.files:
            for field in pq.read_schema(path):
                assert field.type == EXCHANGE_SCHEMA.field(field.name).type
        return dataset, rows, rejects

    return run


@pytest.mark.parametrize(
    ("ending", "pack"), [(".jsonl", bytes), (".jsonl.gz", gzip.compress), (".jsonl.zst", zstandard.compress)]
)
def test_json_lines(read: Read, tmp_path: Path, ending: str, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / f"log{ending}"
    path.write_bytes(pack(encoded(exchange(1, prompt="Grüße", colour="red"), b"", exchange(2, tool_names=["f"]))))
    dataset, rows, _ = read(path)
    assert [row["exchange_id"] for row in rows] == ["e1", "e2"]
    assert (rows[0]["prompt"], rows[0]["extra"], rows[1]["tool_names"]) == ("Grüße", [("colour", "red")], ["f"])
    assert dataset.fields == {"turn", "prompt", "extra", "tool_names"}
    assert dataset.formats == {str(path): "native"}


BAD_LINES: list[tuple[str, bytes]] = [
    ("invalid_utf8", b'{"exchange_id": "\xff"}'),
    ("nul_byte", b'{"exchange_id": "a\0"}'),
    ("nul_byte", encoded(exchange(9, account_id="a\0"))[:-1]),
    ("invalid_json", b'{"exchange_id": '),
    ("not_an_object", b"[1, 2]"),
    ("too_deep", b'{"x":' * 3000 + b"1" + b"}" * 3000),
    ("missing_field", encoded(exchange(9, model=...))[:-1]),
    ("missing_field", encoded(exchange(9, account_id=None))[:-1]),
    ("empty_field", encoded(exchange(9, account_id=""))[:-1]),
    ("wrong_type", encoded(exchange(9, account_id=5))[:-1]),
    ("wrong_type", encoded(exchange(9, prompt=5))[:-1]),
    ("value_too_long", encoded(exchange(9, account_id="x" * 1025))[:-1]),
    ("number_out_of_range", encoded(exchange(9, seed=2**64))[:-1]),
    ("timestamp_invalid", encoded(exchange(9, ts="01/05/2026"))[:-1]),
    ("timestamp_no_zone", encoded(exchange(9, ts="2026-05-01T10:00:00"))[:-1]),
    ("timestamp_future", encoded(exchange(9, ts=(NOW + timedelta(days=1, seconds=1)).isoformat()))[:-1]),
    ("timestamp_before_2015", encoded(exchange(9, ts="2014-12-31T23:59:59Z"))[:-1]),
]


@pytest.mark.parametrize(("reason", "line"), BAD_LINES)
def test_a_bad_line_has_its_reason_and_place(read: Read, tmp_path: Path, reason: str, line: bytes) -> None:
    path = tmp_path / "log.jsonl"
    first = encoded(exchange(1))
    path.write_bytes(first + line + b"\n" + encoded(exchange(2)))
    _, rows, [reject] = read(path)
    assert (reject["file"], reject["line"], reject["offset"], reject["reason"]) == (str(path), 2, len(first), reason)
    assert len(rows) == 2
    path.write_bytes(line + b"\n")
    expected = "unknown_format" if reason == "not_an_object" else reason
    assert read(path)[2][0]["reason"] in {expected, reason}


def test_the_limits_themselves_pass(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    edges = [{"ts": (NOW + timedelta(days=1)).isoformat()}, {"ts": "2015-01-01T00:00:00Z"}, {"account_id": "x" * 1024}]
    path.write_bytes(encoded(*(exchange(number, **change) for number, change in enumerate(edges))))
    assert len(read(path)[1]) == 3


def test_an_endless_line(read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 1000)
    path = tmp_path / "log.jsonl"
    path.write_bytes(encoded(exchange(1), exchange(2, prompt="x" * 5000), exchange(3)))
    _, rows, [reject] = read(path)
    assert (reject["line"], reject["reason"], len(reject["sample"]), len(rows)) == (2, "line_too_long", 200, 2)


def test_truncated_gzip_keeps_what_came_before(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl.gz"
    packed = gzip.compress(encoded(*(exchange(number) for number in range(5000))))
    path.write_bytes(packed[: len(packed) // 2])
    dataset, rows, rejects = read(path)
    assert rejects[-1]["reason"] == "truncated_compression"
    assert 100 < len(rows) < 5000
    assert dataset.counts.rejected <= 2  # the cut and the line that it went through


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.parquet", b"", "not_parquet"),
        ("a.parquet", b"text", "not_parquet"),
        ("a.parquet", b"PAR1 and no end", "corrupt_parquet"),
        ("a.jsonl", b"\x89PNG\r\n\x1a\n\0\0", "unknown_format"),
        ("a.csv", b"exchange_id,ts\ne1,2026\n", "unknown_format"),
        ("a.jsonl", b'{"foo": 1}\n{"foo": 2}\n', "unknown_format"),
    ],
)
def test_a_file_that_is_no_log_counts_as_one_record(
    read: Read, tmp_path: Path, name: str, data: bytes, reason: str
) -> None:
    bad, good = tmp_path / name, tmp_path / "good.jsonl"
    bad.write_bytes(data)
    good.write_bytes(encoded(exchange(1)))
    dataset, rows, [reject] = read(bad, good)
    assert (reject["reason"], reject["offset"], len(rows)) == (reason, 0, 1)
    assert (dataset.counts.read, list(dataset.formats)) == (2, [str(good)])


def test_an_empty_file_is_no_error(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n\n")
    dataset, rows, _ = read(path)
    assert (rows, dataset.files, dataset.counts.read) == ([], (), 0)


def test_clean_parquet_is_used_in_place(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(table(1, 2, prompt=["p", None]), path)
    dataset, _, _ = read(path)
    assert dataset.files == (path,)
    assert dataset.fields == {"prompt"}


def test_directory_of_parquet_leaves_hidden_files_and_own_outputs_out(read: Read, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    (logs / "day=1").mkdir(parents=True)
    (logs / "_temporary").mkdir()
    pq.write_table(table(1), logs / "day=1" / "b.parquet")
    pq.write_table(table(2), logs / "a.parquet")
    pq.write_table(table(3), logs / "_temporary" / "c.parquet")
    (logs / "rejects.jsonl").write_text("{}\n")
    dataset, _, _ = read(logs)
    assert dataset.files == (logs / "a.parquet", logs / "day=1" / "b.parquet")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"account_id": ["a", None]}, "missing_field"),
        ({"account_id": ["a", ""]}, "empty_field"),
        ({"model": ["m", "m\0"]}, "nul_byte"),
        ({"model": ["m", "m" * 1025]}, "value_too_long"),
        ({"ts": pa.array([NOW, datetime(2014, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))}, "timestamp_before_2015"),
        ({"ts": pa.array([NOW, NOW + timedelta(days=2)], pa.timestamp("us", "UTC"))}, "timestamp_future"),
        ({"ts": pa.array([NOW, None], pa.timestamp("us", "UTC"))}, "missing_field"),
        ({"prompt": pa.array([b"ok", b"\xff"]).view(pa.string())}, "invalid_utf8"),
        ({"user_agent": pa.array([b"ok", b"\xff"]).view(pa.string())}, "invalid_utf8"),
        ({"tool_names": pa.array([["ok"], ["no"]])}, None),
    ],
)
def test_a_bad_row_of_parquet_is_left_out(
    read: Read, tmp_path: Path, columns: dict[str, Any], reason: str | None
) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(table(1, 2, **columns), path)
    dataset, rows, rejects = read(path)
    if reason is None:
        assert dataset.files == (path,)
        return
    assert [(r["row"], r["reason"], r["file"]) for r in rejects] == [(2, reason, str(path))]
    assert [row["exchange_id"] for row in rows] == ["e1"]
    assert "e2" in rejects[0]["sample"]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"model": None}, "missing_column"),
        ({"account_id": [1, 2]}, "wrong_column_type"),
        ({"prompt": [1, 2]}, "wrong_column_type"),
        ({"ts": ["2026-05-01T10:00:00Z"] * 2}, "wrong_column_type"),
        ({"ts": pa.array([datetime(2026, 5, 1)] * 2, pa.timestamp("us"))}, "timestamp_no_zone"),  # noqa: DTZ001
        ({"seed": pa.array([1, 2**64 - 1], pa.uint64())}, "number_out_of_range"),
    ],
)
def test_a_parquet_file_with_a_wrong_column_is_refused(
    read: Read, tmp_path: Path, columns: dict[str, Any], reason: str
) -> None:
    bad, good = tmp_path / "bad.parquet", tmp_path / "good.parquet"
    pq.write_table(table(1, 2, **columns), bad)
    pq.write_table(table(1), good)
    dataset, rows, [reject] = read(bad, good)
    assert (reject["reason"], len(rows), dataset.counts.read, dataset.counts.duplicate) == (reason, 1, 2, 0)


def test_a_damaged_parquet_page(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(table(*range(1000)), path, compression="zstd")
    data = bytearray(path.read_bytes())
    data[60:200] = b"\xff" * 140
    path.write_bytes(data)
    assert read(path)[2][-1]["reason"] == "corrupt_parquet"


def test_other_types_are_cast_and_unknown_columns_kept(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    nanoseconds = pa.array([datetime(2026, 5, 1, tzinfo=UTC)] * 2, pa.timestamp("ns", "Europe/Paris"))
    columns = {
        "ts": nanoseconds,
        "account_id": pa.array(["a", "b"]).dictionary_encode(),
        "model": pa.array(["m", "m"], pa.large_string()),
        "turn": pa.array([1, None], pa.int32()),
        "temperature": pa.array([0.5, 1.0], pa.float32()),
        "label": ["x", None],
        "weights": [[1.5], [2.0, 3.0]],
        "flag": [True, False],
        "extra": pa.array([[("k", "v")], None], pa.map_(pa.string(), pa.string())),
    }
    pq.write_table(table(1, 2, **columns), path)
    dataset, rows, _ = read(path)
    assert dataset.files != (path,)
    assert [dict(row["extra"]) for row in rows] == [
        {"k": "v", "label": "x", "weights": "[1.5]", "flag": "true"},
        {"weights": "[2.0,3.0]", "flag": "false"},
    ]
    assert (rows[0]["turn"], rows[0]["temperature"], rows[0]["ts"]) == (1, 0.5, datetime(2026, 5, 1, tzinfo=UTC))


def test_a_repeated_id_counts_once_the_first_in_input_order(read: Read, tmp_path: Path) -> None:
    one, two, three = tmp_path / "1.jsonl", tmp_path / "2.parquet", tmp_path / "3.jsonl"
    one.write_bytes(encoded(exchange(1, prompt="first"), exchange(1, prompt="again"), exchange(2)))
    pq.write_table(table(2, 3), two)
    three.write_bytes(encoded(exchange(3), exchange(1)))
    dataset, rows, _ = read(one, two, three)
    assert [(row["exchange_id"], row.get("prompt")) for row in rows] == [("e1", "first"), ("e2", None), ("e3", None)]
    assert dataset.counts.duplicate == 4
    assert len(dataset.files) == 2
    assert read(three, two, one)[0].counts.duplicate == 4


def test_formats_are_told_per_file_and_by_name(read: Read, tmp_path: Path) -> None:
    envelope = {
        "ts": "2026-05-01T10:00:00Z",
        "account_id": "a",
        "request": {"model": "m", "messages": []},
        "response": {},
    }
    span = {"start_time": "2026-05-01T10:00:00Z", "attributes": {"db.system": "x"}}
    pairs, spans = tmp_path / "pairs.jsonl", tmp_path / "spans.jsonl"
    pairs.write_bytes(encoded(envelope))
    spans.write_bytes(encoded(span, span))
    dataset, rows, _ = read(pairs, spans)
    assert list(dataset.formats.values()) == ["openai", "otel"]
    assert (len(rows), dataset.skipped) == (1, 2)
    assert read(pairs, log_format="native")[2][0]["reason"] == "wrong_type"


def test_foreign_logs_without_identity_say_so(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "envoy.jsonl"
    entry = {"start_time": "2026-05-01T10:00:00Z", "response_code": 200}
    path.write_bytes(encoded(entry, entry | {"account_id": "a"}))
    assert [reject["reason"] for reject in read(path)[2]] == ["no_account", "no_model"]


def test_text_log_with_a_bad_line(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    line = b'192.0.2.7 - ann [01/May/2026:12:00:01 +0200] "POST /v1/messages HTTP/1.1" 200 23 "-" "SDK" model=m'
    path.write_bytes(encoded(line, b"Segmentation fault", b"\xff", b"a\0b"))
    dataset, rows, rejects = read(path)
    assert dataset.formats[str(path)] == "nginx"
    assert len(rows) == 1
    assert [reject["reason"] for reject in rejects] == ["invalid_line", "invalid_utf8", "nul_byte"]


def test_wrong_use(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"")
    with pytest.raises(UsageError, match="no log format"):
        read(path, log_format="syslog")
    with pytest.raises(UsageError, match="does not exist"):
        read(tmp_path / "none.jsonl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no log"):
        read(tmp_path / "empty")


def test_the_ticker_counts_rows(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(encoded(exchange(1), exchange(2)))
    clock = StageClock(quiet=True)
    with clock.stage("read") as ticker:
        read(path, ticker=ticker)
    assert clock.stages[0].rows == 2


good_lines = st.integers(0, 5).map(lambda number: encoded(exchange(number))[:-1])
other_lines = st.sampled_from([line for _, line in BAD_LINES]) | st.binary(max_size=30)


@settings(max_examples=60, deadline=None)
@given(st.lists(good_lines | other_lines, max_size=12), st.sampled_from(["auto", "native", "litellm", "otel", "nginx"]))
def test_whatever_the_bytes_the_sum_is_right(
    tmp_path_factory: pytest.TempPathFactory, content: list[bytes], log_format: str
) -> None:
    work = tmp_path_factory.mktemp("work")
    path = work / "log.jsonl"
    path.write_bytes(b"\n".join(content))
    with reject_log(work / "rejects.jsonl") as log:
        dataset = read_logs([path], work, rejects=log, log_format=log_format, now=NOW)
    counts = dataset.counts
    assert counts.read == counts.accepted + counts.duplicate + counts.rejected
    assert counts.accepted == sum(pq.read_metadata(file).num_rows for file in dataset.files)
    assert counts.rejected == log.total
