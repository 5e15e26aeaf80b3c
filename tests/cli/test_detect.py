import json
import sys
from pathlib import Path

import pytest
from tests.detection import factories

from stillwatch.cli.main import main

GOOD = '{"exchange_id":"e%d","ts":"2026-05-01T10:00:00Z","account_id":"a%d","model":"m"}\n'


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["stillwatch", "detect", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of three exchanges; the working directory, where stillwatch.toml is looked for, is empty."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "log.jsonl"
    path.write_text("".join(GOOD % (number, number) for number in range(3)))
    return path


def configuration(out: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((out / "run.json").read_text())["configuration"]
    return found


def test_a_person_gets_tables_on_standard_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    traffic, _ = factories.harvest_window(strangers=60, harvesters=12)
    monkeypatch.setenv("COLUMNS", "200")
    assert run(monkeypatch, traffic.write(tmp_path / "log.parquet"), "--out", tmp_path / "out") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "harvest" in said.err
    assert "rows/s" in said.err
    assert str(tmp_path / "out" / "report.html") in said.err


def test_a_script_gets_json_on_standard_output(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, log, "--out", tmp_path / "out", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["counts"] == {"read": 3, "accepted": 3, "duplicate": 0, "rejected": 0}
    assert summary["accounts"] == 3
    assert summary["campaigns"] == []


def test_nothing_found_is_said(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, log, "--out", tmp_path / "out") == 0
    assert "No campaign was found." in capsys.readouterr().err


@pytest.mark.parametrize("where", ["window", "history"])
def test_too_many_rejects_is_exit_code_3_after_writing(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text(GOOD % (9, 9) + "nonsense\n")
    given = [bad] if where == "window" else [log, "--history", bad]
    assert run(monkeypatch, *given, "--out", tmp_path / "out") == 3
    assert (tmp_path / "out" / "run.json").exists()
    assert json.loads((tmp_path / "out" / "rejects.jsonl").read_text())["reason"] == "invalid_json"
    assert "rejects.jsonl" in capsys.readouterr().err
    assert run(monkeypatch, *given, "--out", tmp_path / "out", "--max-rejects", "0.5") == 0


@pytest.mark.parametrize(
    "wrong",
    [
        ["--fpr", "0.7"],
        ["--fpr", "much"],
        ["--engine", "spark"],
        ["--spark-remote", "sc://localhost"],
        ["--format", "syslog"],
        ["--memory", "plenty"],
        ["--history", "absent.jsonl"],
        ["--accounts", "absent.csv"],
        ["--registry", "absent.toml"],
        ["--releases", "absent.toml"],
        ["--public-templates", "absent.jsonl"],
        ["--received", "absent.jsonl"],
        ["--nonsense"],
    ],
)
def test_wrong_use_is_exit_code_2(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wrong: list[str]
) -> None:
    assert run(monkeypatch, log, "--out", tmp_path / "out", *wrong) == 2
    said = capsys.readouterr().err
    assert "bug" not in said
    assert "Traceback" not in said
    assert not (tmp_path / "out" / "run.json").exists()


def test_a_log_that_is_not_there_is_exit_code_2(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, log.with_name("absent"), "--out", tmp_path / "out") == 2
    assert run(monkeypatch, log) == 2


def test_a_file_where_the_directory_should_be_is_exit_code_2(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, log, "--out", log) == 2
    assert str(log) in capsys.readouterr().err


def test_flag_before_environment_before_file_before_default(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert run(monkeypatch, log, "--out", out) == 0
    assert configuration(out)["fpr"] == 0.001
    (tmp_path / "stillwatch.toml").write_text("[detect]\nfpr = 0.01\nseed = 5\n")
    assert run(monkeypatch, log, "--out", out) == 0
    assert (configuration(out)["fpr"], configuration(out)["seed"]) == (0.01, 5)
    monkeypatch.setenv("STILLWATCH_DETECT_FPR", "0.02")
    assert run(monkeypatch, log, "--out", out) == 0
    assert (configuration(out)["fpr"], configuration(out)["seed"]) == (0.02, 5)
    assert run(monkeypatch, log, "--out", out, "--fpr", "0.03") == 0
    assert configuration(out)["fpr"] == 0.03


def test_options_that_are_called_otherwise_than_their_parameter(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stillwatch.toml").write_text('[detect]\nformat = "openai"\njson = true\n')
    assert run(monkeypatch, log, "--out", tmp_path / "out") == 3
    assert json.loads(capsys.readouterr().out)["counts"]["rejected"] == 3
    monkeypatch.setenv("STILLWATCH_DETECT_FORMAT", "native")
    assert run(monkeypatch, log, "--out", tmp_path / "out") == 0


def test_a_misspelt_setting_is_refused(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stillwatch.toml").write_text("[detect]\nfprr = 0.01\n")
    assert run(monkeypatch, log, "--out", tmp_path / "out") == 2
    assert "fprr" in capsys.readouterr().err
