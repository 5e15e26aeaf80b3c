import json
import sys
from pathlib import Path

import pytest

from stillwatch.cli.main import main

GOOD = '{"exchange_id":"e%d","ts":"2026-05-01T10:00:00Z","account_id":"a","model":"m"}\n'


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["stillwatch", "ingest", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


def test_json_on_standard_output_and_text_on_standard_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(GOOD % 1)
    assert run(monkeypatch, log, "--out", tmp_path / "out", "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["counts"]["accepted"] == 1
    assert "1 exchanges in" in said.err


def test_too_many_rejects_is_exit_code_3_after_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(GOOD % 1 + "nonsense\n")
    assert run(monkeypatch, log, "--out", tmp_path / "out") == 3
    assert (tmp_path / "out" / "exchanges" / "part-000000.parquet").exists()
    assert json.loads((tmp_path / "out" / "rejects.jsonl").read_text())["reason"] == "invalid_json"
    assert "rejects.jsonl" in capsys.readouterr().err
    assert run(monkeypatch, log, "--out", tmp_path / "out", "--max-rejects", "0.5") == 0


def test_rejects_of_the_access_log_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, access = tmp_path / "log.jsonl", tmp_path / "access.jsonl"
    log.write_text(GOOD % 1)
    access.write_text('{"start_time":"2026-05-01T10:00:00Z","response_code":200}\nnonsense\n')
    assert run(monkeypatch, log, "--join", access, "--out", tmp_path / "out") == 3


@pytest.mark.parametrize("wrong", [["--timezone", "Nowhere/Land"], ["--format", "syslog"], ["--max-rejects", "2"]])
def test_wrong_use_is_exit_code_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: list[str]) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(GOOD % 1)
    assert run(monkeypatch, log, "--out", tmp_path / "out", *wrong) == 2


def test_a_log_without_zone_needs_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(GOOD.replace("00Z", "00") % 1)
    assert run(monkeypatch, log, "--out", tmp_path / "out") == 3
    assert run(monkeypatch, log, "--out", tmp_path / "out", "--timezone", "Europe/Paris") == 0
