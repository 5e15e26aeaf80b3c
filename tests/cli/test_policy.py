import json
from pathlib import Path

import pytest
from tests.enforcement.backtest.stored import exchange, write_exchanges, write_verdicts
from typer.testing import CliRunner

from stillwatch.cli.main import app
from stillwatch.enforcement.policy.load import PolicyError
from stillwatch.errors import InputRejectedError, UsageError

GOOD = 'id = "p"\nversion = "1"\n[[rule]]\nid = "r"\naction = "watch"\nwhen.verdict = ["watch"]\n'


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return str(path)


def test_a_good_policy(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["policy", "check", write(tmp_path, GOOD)])
    assert said.exit_code == 0
    assert "1 rules, 0 of them enforcing; no fault" in said.stderr
    told = CliRunner().invoke(app, ["policy", "check", write(tmp_path, GOOD), "--json"])
    assert json.loads(told.stdout) == {"faults": [], "id": "p", "version": "1", "rules": 1, "enforcing": 0}


def test_a_bad_policy(tmp_path: Path) -> None:
    text = GOOD.replace('when.verdict = ["watch"]', "when.verdict = []")
    said = CliRunner().invoke(app, ["policy", "check", write(tmp_path, text), "--json"])
    assert isinstance(said.exception, PolicyError)
    assert said.exception.exit_code == 2
    assert json.loads(said.stdout)["faults"][0]["line"] == 3


LIMITED = (
    'id = "p"\nversion = "1"\n[[limit]]\nid = "one"\ncounts = "requests"\namount = 1\nper = "day"\nburst = 1\n'
    '[[rule]]\nid = "too-many"\naction = "throttle"\nwhen.limits = ["one"]\n'
    '[[rule]]\nid = "smaller"\naction = "degrade"\ndegrade = { max_tokens = 9 }\nwhen.verdict = ["degrade"]\n'
    '[[rule]]\nid = "handle"\naction = "block"\nwhen.handle = true\n'
    '[[budget]]\ncohort = "everybody"\nrefused_share = 0.5\n'
)


@pytest.fixture
def stored(tmp_path: Path) -> list[str]:
    """Return the arguments of a replay of three accounts, one of them named so as to disturb a terminal."""
    rows = [exchange(number, "odd\x1b[31m[red]", number) for number in range(3)]
    rows += [exchange(9, "a", 9, output_tokens=1500, prompt="x"), exchange(10, "b", 10)]
    window = write_exchanges(tmp_path / "w.jsonl", rows)
    verdicts = write_verdicts(tmp_path / "v.jsonl", {"a": "degrade"})
    return ["policy", "backtest", write(tmp_path, LIMITED), "--on", str(window), "--verdicts", str(verdicts)]


def test_a_backtest_prints_who_would_have_been_hit_and_is_kept(tmp_path: Path, stored: list[str]) -> None:
    said = CliRunner().invoke(app, stored, env={"COLUMNS": "100"})
    assert (said.exit_code, said.stdout) == (0, "")
    lines = said.stderr.splitlines()
    assert lines[0].startswith("5 exchanges of 3 accounts, 2025-06-01T00:00:00Z to 2025-06-01T00:00:10Z")
    assert [line.split() for line in lines if line.startswith(" too-many")] == [
        ["too-many", "shadow", "1", "/", "0", "2", "/", "0", "0k", "/", "0k", "1"],
        ["too-many", "throttle", "1", "/", "1", "2", "/", "2", "0k", "/", "0k", "1"],
    ]
    assert "n/a" in next(line for line in lines if line.startswith(" handle"))
    assert 'Rule "smaller" would make 1 requests smaller.' in lines
    assert 'Not assessable: rule "handle" needs the field reasoning_handle in the exchanges' in said.stderr
    assert 'As written, the budget of "everybody" (refused_share 0.5) would not be spent.' in lines
    assert "The accounts are unlabelled: hit without a verdict means possible collateral." in lines
    assert "\\x1b[31m[red]" in said.stderr
    assert "\x1b" not in said.stderr
    kept = json.loads((tmp_path / "policy.toml.backtest.json").read_bytes())
    assert kept["outcome"]["rules"][0]["if_enforced"]["refused"]["requests"] == 2


def test_a_backtest_with_labels_tells_collateral(tmp_path: Path, stored: list[str]) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("account_id,label\nodd\x1b[31m[red],benign\nb,hard_negative\n")
    said = CliRunner().invoke(app, [*stored, "--labels", str(labels)], env={"COLUMNS": "100"})
    row = next(line for line in said.stderr.splitlines() if line.startswith(" too-many"))
    assert row.split()[-3:] == ["1", "1.3-99", "%"]
    assert "hard_negative" in said.stderr
    assert "Text, or a sketch of it" not in said.stderr  # the policy reads none


def test_a_backtest_as_json_is_the_same_each_time(stored: list[str]) -> None:
    said = [CliRunner().invoke(app, [*stored, "--json"]).stdout for _ in range(2)]
    assert said[0] == said[1]
    told = json.loads(said[0])
    assert (told["seen"]["requests"], told["rules"][1]["if_enforced"]["degraded"]) == (5, 1)


def test_texts_that_some_exchanges_lack_are_told(tmp_path: Path, stored: list[str]) -> None:
    write(tmp_path, LIMITED.replace('"requests"', '"unseen_templates"'))
    said = CliRunner().invoke(app, stored, env={"COLUMNS": "100"})
    assert "Text, or a sketch of it, is there in 1 of 5 exchanges." in said.stderr


def test_a_backtest_of_bad_lines_is_told_and_not_kept(tmp_path: Path, stored: list[str]) -> None:
    with (tmp_path / "w.jsonl").open("a") as stream:
        stream.write("nonsense\n")
    said = CliRunner().invoke(app, stored)
    assert isinstance(said.exception, InputRejectedError)
    assert said.exception.exit_code == 3
    assert "rejected, invalid_json: 1" in said.stderr
    assert not (tmp_path / "policy.toml.backtest.json").exists()


def test_a_backtest_of_a_bad_policy_or_of_nothing(tmp_path: Path, stored: list[str]) -> None:
    for arguments in ([*stored[:4], str(tmp_path / "absent")], [*stored, "--labels", str(tmp_path / "absent.json")]):
        assert isinstance(CliRunner().invoke(app, arguments).exception, UsageError)
    write(tmp_path, LIMITED.replace('"throttle"', '"block"'))
    assert isinstance(CliRunner().invoke(app, stored).exception, PolicyError)
