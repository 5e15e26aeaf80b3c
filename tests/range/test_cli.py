import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from stillwatch.detection.inputs import DetectRequest
from stillwatch.detection.run import detect
from stillwatch.errors import UsageError
from stillwatch_range import demo as story
from stillwatch_range.cli import app, demo
from stillwatch_range.demo import Outcome, Protection, Row, Story
from stillwatch_range.relay import Relayed
from stillwatch_range.truth import TrueAccount, Truth, write_truth

RUNNER = CliRunner()


def test_score_prints_the_metrics_as_json(tmp_path: Path) -> None:
    truth = Truth(accounts={"a": TrueAccount(label="benign", cohort="ordinary")}, campaigns={})
    write_truth(truth, tmp_path / "truth.json")
    (tmp_path / "accounts.jsonl").write_text('{"account_id": "a", "action": "challenge"}\n')
    (tmp_path / "campaigns.json").write_text('{"campaigns": []}')
    done = RUNNER.invoke(app, ["score", "--truth", str(tmp_path / "truth.json"), "--run", str(tmp_path)])
    assert done.exit_code == 0
    metrics = json.loads(done.stdout)
    assert metrics["account_fpr"]["value"] == 1.0
    assert metrics["harvested_before_containment"] is None
    assert "Not replayed" in done.stderr


def test_score_replays_what_the_run_looked_at(built: tuple[Path, Truth], tmp_path: Path) -> None:
    logs, _ = built
    run = tmp_path / "run"
    request = DetectRequest(logs=[logs / "window"], history=[logs / "history"], out=run, quiet=True)
    detect(request)
    arguments = ["score", "--truth", str(logs / "truth.json"), "--run", str(run)]
    done = RUNNER.invoke(
        app, [*arguments, "--step-hours", "60", "--received", str(run / "verdicts.jsonl")], catch_exceptions=False
    )
    metrics = json.loads(done.stdout)
    assert metrics["replay"]["runs"] >= 2
    alone = metrics["harvested_before_containment"]["all"]
    warned = metrics["with_indicators"]["harvested_before_containment"]["all"]
    assert alone["of"] == warned["of"] == 120
    assert warned["hits"] < alone["hits"] < 120
    untold = RUNNER.invoke(app, [*arguments, "--no-replay"], catch_exceptions=False)
    assert json.loads(untold.stdout)["harvested_before_containment"] is None
    assert not untold.stderr


def test_build_names_a_missing_corpus(tmp_path: Path) -> None:
    arguments = ["build", "quiet", "--corpora", str(tmp_path), "--out", str(tmp_path / "out")]
    done = RUNNER.invoke(app, arguments)
    assert isinstance(done.exception, UsageError)
    assert "is not in" in str(done.exception)


def test_build_needs_no_corpora(tmp_path: Path) -> None:
    scenario = tmp_path / "own.toml"
    scenario.write_text(
        'name = "own"\nbenign_accounts = 60\nhistory_accounts = 60\nworkloads = ["students"]\n'
        'campaigns = ["reasoning-6+cloud", {family = "tags", accounts = 5, exchanges = 20}]\n'
    )
    done = RUNNER.invoke(app, ["build", str(scenario), "--out", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0
    assert {campaign["family"] for campaign in json.loads(done.stdout).values()} == {"reasoning", "tags"}


@pytest.mark.corpora
def test_build_says_what_it_planted(corpora: Path, tmp_path: Path) -> None:
    arguments = ["build", "toolformer-6", "--corpora", str(corpora), "--out", str(tmp_path), "--seed", "2"]
    done = RUNNER.invoke(app, arguments)
    assert done.exit_code == 0
    assert "toolformer over 6 accounts" in done.stderr
    again = RUNNER.invoke(app, [*arguments, "--json"])
    (campaign,) = json.loads(again.stdout).values()
    assert campaign["accounts"] == 6


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    row = Row(planted="ordinary customers", accounts=10, innocent=True, found={}, acted_on=0)
    outcome = Outcome(provider="heron", exchanges=50, rows=[row], report="somewhere/report.html")
    other = Outcome(provider="osprey", exchanges=40, rows=[row], report="elsewhere/report.html")
    way = Relayed(left=3, held=2, withheld=4, released=2, objects=5, indicators=1, received="r.jsonl")
    alone, warned = (Protection(harvested=part, refused=0, innocent=9) for part in (0.5, 0.25))
    whole = Story(providers=[outcome, other], relayed=way, alone=alone, warned=warned, step_hours=24.0)
    monkeypatch.setattr(story, "run_demo", lambda out, seed: {("here", 4): whole}[str(out), seed])
    verb = typer.Typer()
    verb.command()(demo)
    return verb


def test_the_demo_prints_its_table_the_report_and_what_to_run_next(told: typer.Typer) -> None:
    done = RUNNER.invoke(told, ["--out", "here", "--seed", "4"])
    assert done.exit_code == 0
    assert "Provider heron: 50 exchanges" in done.stdout
    assert "Report: somewhere/report.html" in done.stdout
    assert "two persons release 2" in " ".join(done.stdout.split())
    assert "25.0%" in done.stdout
    assert "stillwatch detect LOGS" in done.stdout


def test_the_demo_prints_json_and_nothing_else(told: typer.Typer) -> None:
    done = RUNNER.invoke(told, ["--out", "here", "--seed", "4", "--json"])
    outcome = json.loads(done.stdout)["providers"][0]
    assert outcome["rows"][0]["planted"] == "ordinary customers"
