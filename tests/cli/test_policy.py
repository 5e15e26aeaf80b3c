import json
from pathlib import Path

from typer.testing import CliRunner

from stillwatch.cli.main import app
from stillwatch.enforcement.policy.load import PolicyError

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
