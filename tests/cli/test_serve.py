from pathlib import Path
from typing import Any

import pytest
from tests.enforcement.backtest.stored import exchange, write_exchanges, write_policy, write_verdicts
from typer.testing import CliRunner

from stillwatch.cli.main import app
from stillwatch.cli.serve import read_keys
from stillwatch.errors import UsageError


def test_a_key_map(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text('{"AbC": "kim"}')
    assert read_keys(path) == {"abc": "kim"}


@pytest.mark.parametrize("text", ["", "[]", '{"a": 5}', "\ufffe"])
def test_files_that_are_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="no key map"):
        read_keys(path)


POLICY = 'id = "p"\nversion = "1"\n[[rule]]\nid = "r"\naction = "watch"\nmode = "enforce"\nwhen.verdict = ["watch"]\n'


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return what would have been started."""
    found: list[object] = []
    monkeypatch.setattr("stillwatch.enforcement.serving.server.serve", lambda *given: found.append(given))
    return found


def test_a_rule_that_was_never_replayed_is_named(tmp_path: Path, started: list[object]) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    command = ["serve", "--data-dir", str(tmp_path / "data"), "--policy", str(policy)]
    warned = CliRunner().invoke(app, [*command, "--mode", "enforce"])
    assert 'rule "r" enforces untried: it was never replayed' in warned.stderr
    assert f"-> stillwatch policy backtest {policy} --on DIR" in warned.stderr
    refused = CliRunner().invoke(app, [*command, "--mode", "enforce", "--require-backtest"])
    assert isinstance(refused.exception, UsageError)
    assert f"stillwatch policy backtest {policy} --on DIR" in str(refused.exception)
    quiet = CliRunner().invoke(app, [*command, "--mode", "shadow", "--require-backtest"])
    assert (quiet.exit_code, quiet.stderr) == (0, "")
    assert len(started) == 2


def test_a_rule_that_was_replayed_may_enforce(tmp_path: Path, started: list[object]) -> None:
    policy = write_policy(tmp_path / "policy.toml", POLICY.partition('"1"\n')[2])
    window = write_exchanges(tmp_path / "w.jsonl", [exchange(0, "a", 0)])
    verdicts = write_verdicts(tmp_path / "v.jsonl", {"a": "watch"})
    assert (
        CliRunner()
        .invoke(app, ["policy", "backtest", str(policy), "--on", str(window), "--verdicts", str(verdicts)])
        .exit_code
        == 0
    )
    command = ["serve", "--data-dir", str(tmp_path / "data"), "--policy", str(policy), "--mode", "enforce"]
    quiet = CliRunner().invoke(app, [*command, "--require-backtest"])
    assert (quiet.exit_code, quiet.stderr, len(started)) == (0, "", 1)


def test_what_was_received_is_handed_on(tmp_path: Path, started: list[Any]) -> None:
    received = tmp_path / "received.jsonl"
    command = ["serve", "--data-dir", str(tmp_path), "--received", str(received)]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert started[0][0].received == received


def test_the_standard_policy_needs_no_replay(tmp_path: Path, started: list[object]) -> None:
    command = ["serve", "--data-dir", str(tmp_path), "--mode", "enforce", "--require-backtest"]
    assert CliRunner().invoke(app, command).stderr == ""
    assert len(started) == 1
