import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.detection.findings import factories

from stillwatch.detection.findings import writer
from stillwatch.detection.findings.model import AccountFinding, Campaign, Findings, Verdict
from stillwatch.detection.findings.writer import write_findings

FILES = {
    "accounts.jsonl",
    "campaigns.json",
    "verdicts.jsonl",
    "findings.ocsf.jsonl",
    "report.html",
    "run.json",
}


def shuffled(findings: Findings, seed: int) -> Findings:
    chance = random.Random(seed)
    parts = {
        name: chance.sample(getattr(findings, name), len(getattr(findings, name)))
        for name in ("accounts", "campaigns", "verdicts", "calibration")
    }
    return msgspec.structs.replace(findings, **parts)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]


def test_exactly_the_files_of_the_contract(tmp_path: Path) -> None:
    write_findings(tmp_path, factories.findings(), factories.run_facts())
    assert {path.name for path in tmp_path.iterdir()} == FILES


def test_what_was_found_can_be_read_back(tmp_path: Path) -> None:
    findings = factories.findings()
    write_findings(tmp_path, findings, factories.run_facts())
    accounts = [msgspec.convert(line, AccountFinding) for line in lines(tmp_path / "accounts.jsonl")]
    assert sorted(findings.accounts, key=lambda a: a.account_id) == accounts
    verdicts = [msgspec.convert(line, Verdict) for line in lines(tmp_path / "verdicts.jsonl")]
    assert [v.account_id for v in verdicts] == sorted(v.account_id for v in findings.verdicts)
    assert verdicts[0].template_bands == ["a0", "b1"]
    campaigns = msgspec.json.decode((tmp_path / "campaigns.json").read_bytes(), type=dict[str, list[Campaign]])
    assert [c.campaign_id for c in campaigns["campaigns"]] == ["cmp-5f1c0a77b2e94d13", "cmp-c21b9d440e6f8a05"]
    assert {c["finding_info"]["uid"] for c in lines(tmp_path / "findings.ocsf.jsonl")} == {
        c.campaign_id for c in findings.campaigns
    }


def test_lines_hold_the_fields_of_the_contract(tmp_path: Path) -> None:
    write_findings(tmp_path, factories.findings(), factories.run_facts())
    assert set(lines(tmp_path / "accounts.jsonl")[0]) == {
        "account_id", "exchanges", "segment", "score_bits", "p_value", "action", "campaign_id", "reasons",
        "not_assessable",
    }  # fmt: skip
    assert set(lines(tmp_path / "verdicts.jsonl")[0]) == {
        "account_id", "action", "reason_code", "ttl_s", "campaign_id", "template_bands",
    }  # fmt: skip
    campaign = json.loads((tmp_path / "campaigns.json").read_bytes())["campaigns"][0]
    assert set(campaign) >= {
        "campaign_id", "kind", "confidence", "p_value", "accounts", "exchanges", "first_seen", "last_seen", "models",
        "templates", "evidence", "alternatives", "recommended_action", "exposure",
    }  # fmt: skip


def test_the_order_of_the_findings_leaves_no_trace(tmp_path: Path) -> None:
    written = []
    for seed in (1, 2):
        out = tmp_path / str(seed)
        out.mkdir()
        write_findings(out, shuffled(factories.findings(), seed), factories.run_facts())
        written.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert written[0] == written[1]


def test_run_json_keeps_what_it_was_given_and_adds_the_counts(tmp_path: Path) -> None:
    write_findings(tmp_path, factories.findings(), factories.run_facts(extra={"seen": True}))
    run = json.loads((tmp_path / "run.json").read_bytes())
    assert run["extra"] == {"seen": True}
    assert run["counts"]["rejected"] == 3
    assert run["findings"]["campaigns"] == {"harvest": 1, "public_benchmark": 1}
    assert run["findings"]["actions"]["block"] == 20
    assert [row["segment"] for row in run["calibration"]] == ["api / large", "api / small", "app"]


@pytest.mark.parametrize("broken", ["detection_finding", "render_report", "_write_campaigns"])
def test_a_run_that_fails_leaves_no_run_json_and_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    write_findings(tmp_path, factories.findings(), factories.run_facts())

    def fail(*_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(writer, broken, fail)
    with pytest.raises(RuntimeError):
        write_findings(tmp_path, factories.findings(), factories.run_facts())
    assert {path.name for path in tmp_path.iterdir()} == FILES - {"run.json"}
    json.loads((tmp_path / "campaigns.json").read_bytes())
    assert (tmp_path / "report.html").read_text("utf-8").rstrip().endswith("</html>")


def test_wrong_facts_are_refused_before_anything_is_touched(tmp_path: Path) -> None:
    write_findings(tmp_path, factories.findings(), factories.run_facts())
    with pytest.raises(msgspec.ValidationError):
        write_findings(tmp_path, factories.findings(), factories.run_facts(counts="many"))
    assert (tmp_path / "run.json").exists()


def test_nothing_found_is_still_a_whole_set_of_files(tmp_path: Path) -> None:
    write_findings(tmp_path, factories.empty_findings(), {})
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert json.loads((tmp_path / "campaigns.json").read_bytes()) == {"campaigns": []}
    assert (tmp_path / "verdicts.jsonl").read_bytes() == b""


def test_hostile_names_make_valid_json(tmp_path: Path) -> None:
    write_findings(tmp_path, factories.hostile_findings(), {})
    assert lines(tmp_path / "accounts.jsonl")[0]["account_id"] == f"loud{factories.HOSTILE}"
    assert lines(tmp_path / "findings.ocsf.jsonl")[0]["finding_info"]["uid"] == f"id{factories.HOSTILE}"
