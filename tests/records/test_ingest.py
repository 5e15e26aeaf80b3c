import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stillwatch.errors import UsageError
from stillwatch.records.ingest import IngestOptions, ingest

SPAN = {
    "context": {"trace_id": "0xaa", "span_id": "0xbb"},
    "start_time": "2026-05-01T10:00:00Z",
    "attributes": {"gen_ai.request.model": "small"},
}
ACCESS = {"start_time": "2026-05-01T10:00:00Z", "response_code": 200, "x-request-id": "aa", "x-account-id": "ann"}
NATIVE = {"exchange_id": "e", "ts": "2026-05-01T10:00:00Z", "account_id": "a", "model": "m"}


@pytest.fixture
def logs(tmp_path: Path) -> dict[str, Path]:
    paths = {}
    for name, record in (("spans", SPAN), ("access", ACCESS), ("native", NATIVE)):
        paths[name] = tmp_path / f"{name}.jsonl"
        paths[name].write_text(json.dumps(record) + "\n")
    return paths


def accounts(out: Path) -> list[str]:
    return pq.read_table(out / "exchanges").column("account_id").to_pylist()  # type: ignore[no-any-return]  # untyped


def test_writes_parquet_rejects_and_run(logs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = ingest([logs["native"], logs["spans"]], out, IngestOptions(), quiet=True)
    assert sorted(path.name for path in out.iterdir()) == ["exchanges", "rejects.jsonl", "run.json"]
    record = json.loads((out / "run.json").read_text())
    assert record == json.loads(json.dumps(run.record))
    assert record["counts"] == {"read": 2, "accepted": 1, "duplicate": 0, "rejected": 1}
    assert record["rejected_by_reason"] == {"no_account": 1}
    assert record["join"] is None
    assert accounts(out) == ["a"]


def test_joins(logs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = ingest([logs["spans"]], out, IngestOptions(join=(logs["access"],)), quiet=True)
    assert accounts(out) == ["ann"]
    assert (run.record["join"]["matched"], run.record["join"]["access"]["read"]) == (1, 1)
    assert run.access is not None


def test_a_named_account_serves_only_where_there_is_none(logs: dict[str, Path], tmp_path: Path) -> None:
    ingest([logs["spans"], logs["native"]], tmp_path / "out", IngestOptions(account="me"), quiet=True)
    assert accounts(tmp_path / "out") == ["me", "a"]


def test_a_second_run_replaces_the_first_and_may_read_it(logs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    ingest([logs["native"]], out, IngestOptions(), quiet=True)
    run = ingest([out], out, IngestOptions(), quiet=True)
    assert run.dataset.counts.accepted == 1
    assert [path.name for path in (out / "exchanges").iterdir()] == ["part-000000.parquet"]


def test_a_failed_run_leaves_the_former_one(logs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    ingest([logs["native"]], out, IngestOptions(), quiet=True)
    before = (out / "run.json").read_bytes()
    with pytest.raises(UsageError):
        ingest([tmp_path / "none"], out, IngestOptions(), quiet=True)
    assert (out / "run.json").read_bytes() == before
    assert sorted(path.name for path in out.iterdir()) == ["exchanges", "rejects.jsonl", "run.json"]
