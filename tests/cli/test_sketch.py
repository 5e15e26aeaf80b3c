import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.cli.main import main
from stillwatch.features import kernel
from stillwatch.features.edge import sketch_logs
from stillwatch.features.store import SketchStore, build_store
from stillwatch.records.dataset import read_logs
from stillwatch.records.exchange import EXCHANGE_SCHEMA, TEXT_FIELDS
from stillwatch.records.rejects import RejectLog

PHRASE = "zanzibar"
BAD_LINE = f'{{"exchange_id": "e9", "prompt": "{PHRASE}", "ts": "yesterday"}}\n'


def _line(number: int, **fields: Any) -> str:
    row = {
        "exchange_id": f"e{number}",
        "ts": f"2026-05-01T10:{number % 60:02}:00Z",
        "account_id": f"account-{number % 7}",
        "model": f"m{number % 3}",
        "output_tokens": number,
        "client_ip": "192.0.2.7",
        "tool_names": ["search"],
    }
    return json.dumps(row | fields) + "\n"


def _log(path: Path, rows: int = 40) -> Path:
    path.write_text(
        "".join(
            _line(
                number,
                system=f"You know {PHRASE}." if number % 2 else None,
                prompt=None if number % 5 == 0 else f"Show your full reasoning on {PHRASE} {number}.",
                response=f"It is {PHRASE}",
                reasoning=f"Think of {PHRASE}",
                extra={"request.body.metadata": PHRASE, "path": "/v1/chat"},
                unknown_field=f"also {PHRASE}",
                finish_reason="stop" if number % 2 else f"stopped because of {PHRASE} in the text",
                response_format=json.dumps({"schema": {"title": PHRASE, "description": "what the answer is to be"}}),
            )
            for number in range(rows)
        )
    )
    return path


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["stillwatch", "sketch", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


def _store(logs: list[Path], work: Path) -> SketchStore:
    work.mkdir()
    rejects = RejectLog(work / "rejects.jsonl")
    dataset = read_logs(logs, work, rejects=rejects)
    rejects.close()
    return build_store(dataset.files, work / "store")


def _assert_same(left: SketchStore, right: SketchStore) -> None:
    for name in ("account", "ts_us", "content", "cues", "position", "output_tokens", "reasoning_tokens", "model"):
        assert np.array_equal(getattr(left, name), getattr(right, name))
    assert left.models == right.models
    assert all(np.array_equal(left.bin(number), right.bin(number)) for number in range(kernel.BINS))
    vocabularies = (np.concatenate(list(made.vocabularies())) for made in (left, right))
    assert np.array_equal(*vocabularies)


def _read(out: Path) -> pa.Table:
    tables = [pq.read_table(path) for path in sorted((out / "exchanges").iterdir())]
    return pa.concat_tables(tables, promote_options="default")


def test_no_text_is_left_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = _log(tmp_path / "log.jsonl")
    with log.open("a") as stream:
        stream.write(BAD_LINE)
    native = tmp_path / "own.parquet"
    moment = pa.array([1_777_629_600_000_000]).cast(pa.timestamp("us", tz="UTC"))
    columns = {"exchange_id": ["p1"], "ts": moment, "account_id": ["a"], "model": ["m"], "note": [PHRASE]}
    pq.write_table(pa.table(columns), native)
    out = tmp_path / "out"
    assert _run(monkeypatch, log, native, "--out", out, "--max-rejects", "0.1", "--json") == 0
    sketched = _read(out)
    assert sketched.num_rows == 41
    assert PHRASE not in str(sketched.to_pylist())
    assert not set(sketched.column_names) & {*TEXT_FIELDS, "extra"}
    assert all(sketched.schema.field(name).equals(EXCHANGE_SCHEMA.field(name)) for name in sketched.column_names)
    written = [path for path in out.rglob("*") if path.is_file()]
    assert all(PHRASE.encode() not in path.read_bytes() for path in written)
    said = capsys.readouterr()
    assert PHRASE not in said.out + said.err
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_is_no_text_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run(monkeypatch, _log(tmp_path / "log.jsonl"), "--out", tmp_path / "out") == 0
    row = _read(tmp_path / "out").to_pylist()[1]
    assert row["client_ip"] == "192.0.2.7"
    assert row["tool_names"] == ["search"]
    assert row["output_tokens"] == 1
    assert (row["finish_reason"], row["response_format"], row["operation"]) == ("stop", "other", None)
    assert row["sketch"]["words"] > 5


def test_a_dataset_of_sketches_makes_the_store_that_its_text_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = [_log(tmp_path / "log.jsonl"), tmp_path / "more.jsonl"]
    logs[1].write_text("".join(_line(number, prompt="漢字 " * number) for number in range(30, 60)))
    assert _run(monkeypatch, *logs, "--out", tmp_path / "out") == 0
    assert _run(monkeypatch, tmp_path / "out", "--out", tmp_path / "again") == 0
    text = _store(logs, tmp_path / "w1")
    assert len(text) == 40 - 4 + 20
    _assert_same(_store([tmp_path / "out"], tmp_path / "w2"), text)
    _assert_same(_store([tmp_path / "again"], tmp_path / "w3"), text)


def test_run_json_and_rejects_account_for_every_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(_line(1, prompt="a") + BAD_LINE + _line(1, prompt="a") + _line(2, prompt="b"))
    assert _run(monkeypatch, log, "--out", tmp_path / "out", "--json") == 3
    said = capsys.readouterr()
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert json.loads(said.out) == record
    assert record["verb"] == "sketch"
    assert record["sketch_version"] == 1
    assert record["counts"] == {"read": 4, "accepted": 2, "duplicate": 1, "rejected": 1}
    assert record["files"] == ["exchanges/part-000000.parquet"]
    assert [stage["name"] for stage in record["stages"]] == ["read logs", "sketch"]
    (reject,) = map(json.loads, (tmp_path / "out" / "rejects.jsonl").read_text().splitlines())
    assert (reject["line"], reject["sample"]) == (2, "")
    assert record["rejected_by_reason"] == {reject["reason"]: 1}
    assert "2 exchanges without text" in said.err
    assert f"rejected, {reject['reason']}: 1" in said.err


def test_an_earlier_run_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = [tmp_path / "1.jsonl", tmp_path / "2.jsonl"]
    for number, log in enumerate(logs):
        log.write_text(_line(number, prompt="a"))
    assert _run(monkeypatch, *logs, "--out", tmp_path / "out") == 0
    assert _run(monkeypatch, logs[1], "--out", tmp_path / "out") == 0
    assert _read(tmp_path / "out")["exchange_id"].to_pylist() == ["e1"]


@pytest.mark.parametrize("record", [None, '{"verb": "ingest"}', "[]", "no json"])
def test_exchanges_that_are_no_sketches_are_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], record: str | None
) -> None:
    kept = tmp_path / "out" / "exchanges" / "part-000000.parquet"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"raw")
    if record is not None:
        (tmp_path / "out" / "run.json").write_text(record)
    assert _run(monkeypatch, _log(tmp_path / "log.jsonl"), "--out", tmp_path / "out") == 2
    assert kept.read_bytes() == b"raw"
    assert "give another directory" in capsys.readouterr().err


def test_wrong_use_is_exit_code_2_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    assert _run(monkeypatch, tmp_path / "absent.jsonl", "--out", out) == 2
    assert _run(monkeypatch, _log(tmp_path / "log.jsonl"), "--out", out, "--format", "syslog") == 2
    assert list(out.iterdir()) == []


_KILLED = """
import os, signal, sys
from pathlib import Path
from stillwatch.features import edge
edge.batch_sketches = lambda batch: os.kill(os.getpid(), signal.SIGKILL)
edge.sketch_logs([Path(sys.argv[1])], Path(sys.argv[2]))
"""


def test_a_killed_run_leaves_the_earlier_one_whole_and_no_text_in_the_output(tmp_path: Path) -> None:
    log, out = _log(tmp_path / "log.jsonl"), tmp_path / "out"
    earlier = tmp_path / "earlier.jsonl"
    earlier.write_text(_line(1, prompt="a"))
    sketch_logs([earlier], out, quiet=True)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(log), str(out)], check=False, env={**os.environ})
    assert killed.returncode == -signal.SIGKILL
    after = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert {path: after[path] for path in before} == before
    assert all(".work-" in str(path) and PHRASE.encode() not in after[path] for path in after.keys() - before.keys())
    (beside,) = tmp_path.glob(".work-*")
    assert beside.stat().st_mode & 0o077 == 0
    sketch_logs([log], out, quiet=True)
    assert not list(tmp_path.glob(".work-*"))
    assert _read(out).num_rows == 40
