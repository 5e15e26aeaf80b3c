import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stillwatch.errors import UsageError
from stillwatch.records.join import AccessLogs, request_ids
from stillwatch.records.join_index import RowIndex
from stillwatch.records.rejects import reject_log


def access(second: float, **changes: Any) -> dict[str, Any]:
    return {"start_time": f"2026-05-01T10:00:{second:06.3f}Z", "response_code": 200, "duration": 5} | changes


def exchange(second: float, **changes: Any) -> dict[str, Any]:
    return {"exchange_id": "x", "ts": f"2026-05-01T10:00:{second:06.3f}Z", "model": "m"} | changes


def joined(
    tmp_path: Path, lines: list[dict[str, Any]], exchanges: list[dict[str, Any]], tolerance: float = 2
) -> tuple[AccessLogs, list[dict[str, Any]]]:
    logs, content = tmp_path / "access.jsonl", tmp_path / "content.jsonl"
    logs.write_text("".join(json.dumps(line) + "\n" for line in lines))
    content.write_text("".join(json.dumps(line) + "\n" for line in exchanges))
    with reject_log(tmp_path / "rejects.jsonl") as rejects:
        work = tmp_path / "work"
        work.mkdir()
        found = AccessLogs([logs], work, rejects=rejects, tolerance=timedelta(seconds=tolerance))
        found.expect([content])
    return found, [found.complete(fields) for fields in exchanges]


def outcome(logs: AccessLogs) -> tuple[int, int, int]:
    return logs.joined.matched, logs.joined.unmatched, logs.joined.ambiguous


def test_by_request_id_fills_only_what_is_null(tmp_path: Path) -> None:
    lines = [access(0, **{"x-request-id": "req-1", "user-agent": "SDK", "x-account-id": "ann", "note": "n"})]
    logs, [row] = joined(tmp_path, lines, [exchange(50, exchange_id="req-1", status=201, extra={"k": "v"})])
    assert outcome(logs) == (1, 0, 0)
    assert (row["account_id"], row["user_agent"], row["status"], row["latency_ms"]) == ("ann", "SDK", 201, 5)
    assert row["extra"] == {"access.note": "n", "access.request_id": "req-1", "k": "v"}


@pytest.mark.parametrize("name", ["request_id", "response_id", "trace_id"])
def test_the_id_may_stand_in_extra(tmp_path: Path, name: str) -> None:
    logs, _ = joined(tmp_path, [access(0, **{"x-request-id": "id-1"})], [exchange(0, extra={name: "id-1"})])
    assert outcome(logs) == (1, 0, 0)


def test_an_id_on_two_lines_is_decided_by_time_or_not_at_all(tmp_path: Path) -> None:
    lines = [access(0, **{"x-request-id": "r"}), access(30, **{"x-request-id": "r", "x-account-id": "late"})]
    logs, rows = joined(tmp_path, lines, [exchange(30.5, exchange_id="r"), exchange(15, exchange_id="r")])
    assert outcome(logs) == (1, 0, 1)
    assert rows[0]["account_id"] == "late"


def test_by_key_and_time(tmp_path: Path) -> None:
    lines = [access(0, key_id="k1", **{"x-account-id": "ann"}), access(20, key_id="k1"), access(0, key_id="k2")]
    content = [exchange(1, key_id="k1"), exchange(10, key_id="k1"), exchange(1, key_id="k3"), exchange(0)]
    logs, rows = joined(tmp_path, lines, content)
    assert outcome(logs) == (1, 3, 0)
    assert rows[0]["account_id"] == "ann"


def test_two_candidates_or_two_rivals_are_ambiguous(tmp_path: Path) -> None:
    lines = [access(0, key_id="k1"), access(1, key_id="k1"), access(30, key_id="k1")]
    content = [exchange(0.5, key_id="k1"), exchange(29, key_id="k1"), exchange(31, key_id="k1")]
    logs, rows = joined(tmp_path, lines, content)
    assert outcome(logs) == (0, 0, 3)
    assert rows == content


def test_an_exchange_with_a_known_id_is_no_rival(tmp_path: Path) -> None:
    lines = [access(0, key_id="k1"), access(0.5, key_id="k9", **{"x-request-id": "r"})]
    content = [exchange(0, key_id="k1"), exchange(0.5, key_id="k1", exchange_id="r")]
    assert outcome(joined(tmp_path, lines, content)[0]) == (2, 0, 0)


def test_bad_access_lines_are_rejected(tmp_path: Path) -> None:
    lines = [access(0), access(0, start_time=None), access(0, start_time="2026-05-01T10:00:00")]
    logs, _ = joined(tmp_path, lines, [])
    assert (logs.counts.read, logs.counts.accepted, logs.counts.rejected) == (3, 1, 2)
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
    assert reasons == ["missing_field", "timestamp_no_zone"]


def test_damaged_and_broken_access_logs(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(gzip.compress((json.dumps(access(0)) + "\nnonsense\n").encode())[:-4])
    with reject_log(tmp_path / "rejects.jsonl") as rejects:
        logs = AccessLogs([path], tmp_path, rejects=rejects)
        assert dict(rejects.by_reason) == {"invalid_json": 1, "truncated_compression": 1}
    assert logs.counts.read == 3


def test_parquet_is_no_access_log(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    with reject_log(tmp_path / "rejects.jsonl") as rejects, pytest.raises(UsageError, match="line-based"):
        AccessLogs([path], tmp_path, rejects=rejects)


def test_request_ids_are_distinct_and_in_order() -> None:
    fields = {"exchange_id": "a", "extra": {"trace_id": "c", "response_id": "a", "request_id": "b"}}
    assert request_ids(fields) == ["a", "b", "c"]
    assert request_ids({"exchange_id": 5, "extra": None}) == []


def test_row_index() -> None:
    index = RowIndex()
    assert index.rows("a") == []
    for row, (name, time) in enumerate([("a", 30), ("b", 10), ("a", 10), ("a", 20)]):
        index.add(name, row, time)
    assert index.rows("a") == [2, 3, 0]
    assert index.near("a", 20, 0) == [3]
    assert index.near("a", 15, 5) == [2, 3]
    assert index.near("c", 15, 5) == []
