import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stillwatch.errors import UsageError
from stillwatch_range.cli import app
from stillwatch_range.truth import TrueAccount, Truth, write_truth

RUNNER = CliRunner()


def test_score_prints_the_metrics_as_json(tmp_path: Path) -> None:
    truth = Truth(accounts={"a": TrueAccount(label="benign", cohort="ordinary")}, campaigns={})
    write_truth(truth, tmp_path / "truth.json")
    (tmp_path / "accounts.jsonl").write_text('{"account_id": "a", "action": "challenge"}\n')
    (tmp_path / "campaigns.json").write_text('{"campaigns": []}')
    done = RUNNER.invoke(app, ["score", "--truth", str(tmp_path / "truth.json"), "--run", str(tmp_path)])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["account_fpr"]["value"] == 1.0


def test_build_names_a_missing_corpus(tmp_path: Path) -> None:
    arguments = ["build", "quiet", "--corpora", str(tmp_path), "--out", str(tmp_path / "out")]
    done = RUNNER.invoke(app, arguments)
    assert isinstance(done.exception, UsageError)
    assert "is not in" in str(done.exception)


@pytest.mark.corpora
def test_build_says_what_it_planted(corpora: Path, tmp_path: Path) -> None:
    arguments = ["build", "toolformer-6", "--corpora", str(corpora), "--out", str(tmp_path), "--seed", "2"]
    done = RUNNER.invoke(app, arguments)
    assert done.exit_code == 0
    assert "toolformer over 6 accounts" in done.stderr
    again = RUNNER.invoke(app, [*arguments, "--json"])
    (campaign,) = json.loads(again.stdout).values()
    assert campaign["accounts"] == 6
