import contextlib
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detection.findings.model import Alternative, Campaign, Evidence, Exposure, Member, Template, Verdict
from stillwatch.errors import UsageError
from stillwatch.records.registry import Release
from stillwatch.sharing import producers
from stillwatch.sharing.clearance.model import Fact, Item
from stillwatch.sharing.producers import (
    Identifiers,
    read_facts,
    read_findings,
    read_identifiers,
    with_facts,
)

RELEASES = [Release(model="aster-2", released_at=msgspec.convert("2026-05-01T00:00:00Z", datetime))]


def evidence(signal: str, factor: Any, bits: float) -> Evidence:
    return Evidence(factor=factor, signal=signal, bits=bits, p_value=None, detail="d")


def campaign(**change: Any) -> Campaign:
    found = Campaign(
        campaign_id="C-1",
        kind="harvest",
        confidence="high",
        p_value=None,
        accounts=[
            Member(account_id="a1", role="harvester", share=1.0),
            Member(account_id="a2", role="victim", share=0.5),
            Member(account_id="a3", role="linked", share=0.0),
        ],
        exchanges=16_342,
        first_seen="2026-07-01T10:00:00Z",
        last_seen="2026-07-09T10:00:00",
        models=["aster-2", "aster-3"],
        templates=[
            Template(sketch=[], text="Think: {}", exchanges=9, accounts=2),
            Template(sketch=[], text=None, exchanges=9, accounts=7),
        ],
        evidence=[
            evidence("shared_identity", "multiple_accounts", 9.0),
            evidence("handle_replay", "circumvention", 7.0),
            evidence("burst", "timing", 4.0),
        ],
        alternatives=[Alternative(explanation="people who try something out", kept=False, why="w")],
        recommended_action="challenge",
        exposure=Exposure(
            exchanges=9, output_tokens=5_000, reasoning_tokens=None, distinct_prompts=None, capabilities=[]
        ),
    )
    return msgspec.structs.replace(found, **change)


def run_with(directory: Path, *campaigns: Campaign, releases: str | None = None) -> Path:
    directory.mkdir(exist_ok=True)
    verdict = Verdict(
        account_id="a1",
        action="watch",
        reason_code="r",
        ttl_s=1,
        campaign_id="C-1",
        template_bands=["9f3a5c7d1e2b4f60"],
    )
    quiet = msgspec.structs.replace(verdict, campaign_id=None)
    (directory / "campaigns.json").write_bytes(msgspec.json.encode({"campaigns": campaigns}))
    (directory / "verdicts.jsonl").write_bytes(msgspec.json.encode(verdict) + b"\n\n" + msgspec.json.encode(quiet))
    (directory / "run.json").write_text(json.dumps({"configuration": {"releases": releases}}))
    return directory


HOLDERS = {
    name: Identifiers(account_id=name, email=f"{name}@example.com", phone="+15550100")
    for name in ("a1", "a2", "elsewhere")
}


def test_a_finding_is_told_in_facts(tmp_path: Path) -> None:
    [found] = read_findings(run_with(tmp_path, campaign(), campaign(kind="unclear")), HOLDERS, RELEASES)
    told = {(fact.field, str(fact.value)): fact.context for fact in found.facts}
    assert told["cluster.accounts", "3"] == {}
    assert told["cluster.lifetime", str(8 * 86_400.0)] == {}
    assert ("cluster.synchrony", "moderate") in told
    assert told["volume.exchanges", "16342"] == {"of_one_cluster": True}
    assert told["template.text", "Think: {}"] == {"accounts": 2}
    assert told["template.bands", "('9f3a5c7d1e2b4f60',)"] == {"accounts": 2}
    assert told["target.models", "aster-2"]["public"] is True
    assert told["target.models", "aster-3"] == {"public": False, "released_at": None}
    assert told["identity.email", "a2@example.com"] == {"account": "a2", "role": "victim"}
    assert ("account.id", "a3") not in told
    assert found.circumvention == ("false-identity", "reasoning-replay", "safeguard-bypass", "stolen-credential")
    [(_, techniques)] = [key for key in told if key[0] == "tactic.techniques"]
    assert "valid-accounts" in techniques
    assert ("finding.alternatives", str([{"explanation": "trial", "kept": False}])) in told
    assert ("finding.confidence", "high") in told
    assert ("finding.circumvention", str(found.circumvention)) in told


def test_weak_evidence_claims_no_circumvention(tmp_path: Path) -> None:
    weak = campaign(
        accounts=[],
        templates=[],
        evidence=[evidence("shared_identity", "multiple_accounts", 5.0)],
        exposure=Exposure(
            exchanges=1, output_tokens=None, reasoning_tokens=None, distinct_prompts=None, capabilities=[]
        ),
    )
    [found] = read_findings(run_with(tmp_path, msgspec.structs.replace(weak, alternatives=[])), {}, RELEASES)
    assert found.circumvention == ()
    assert not {"finding.circumvention", "finding.alternatives"} & {fact.field for fact in found.facts}


@pytest.mark.parametrize("bits", [(0.0, "low"), (3.5, "moderate"), (8.0, "high")])
def test_synchrony_is_a_word(tmp_path: Path, bits: tuple[float, str]) -> None:
    [found] = read_findings(run_with(tmp_path, campaign(evidence=[evidence("burst", "timing", bits[0])])), {}, RELEASES)
    assert bits[1] in [fact.value for fact in found.facts if fact.field == "cluster.synchrony"]


def test_releases_are_those_that_the_run_was_given(tmp_path: Path) -> None:
    file = tmp_path / "releases.toml"
    file.write_text('[[release]]\nmodel = "aster-3"\nreleased_at = 2026-05-01\n')
    [found] = read_findings(run_with(tmp_path / "run", campaign(), releases=str(file)), {})
    assert [fact.context["public"] for fact in found.facts if fact.field == "target.models"] == [False, True]
    [found] = read_findings(run_with(tmp_path / "run", campaign()), {})
    assert not any(fact.context["public"] for fact in found.facts if fact.field == "target.models")


@pytest.mark.parametrize(
    "change",
    [
        {"alternatives": [Alternative(explanation="Alice Smith did it", kept=True, why="w")]},
        {"first_seen": "yesterday, says Alice Smith"},
        {"last_seen": "0000-01-01"},
    ],
)
def test_what_no_run_of_detect_writes_is_refused_without_its_words(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as refused:
        read_findings(run_with(tmp_path, campaign(**change)), {}, RELEASES)
    assert "Alice" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("campaigns.json", b"{"),
        ("campaigns.json", b"[" * 100_000),
        ("verdicts.jsonl", b"{}"),
        ("run.json", b"[]"),
        ("campaigns.json", None),
        ("verdicts.jsonl", None),
    ],
)
def test_a_directory_of_no_run_is_refused(tmp_path: Path, name: str, content: bytes | None) -> None:
    run = run_with(tmp_path, campaign())
    (run / name).unlink()
    if content is not None:
        (run / name).write_bytes(content)
    with pytest.raises(UsageError):
        read_findings(run, {})


def test_identifiers_are_read_by_account(tmp_path: Path) -> None:
    file = tmp_path / "holders.jsonl"
    file.write_text('{"account_id": "a1", "email": "a@example.com"}\n\n{"account_id": "a2"}\n')
    assert read_identifiers(file)["a1"].email == "a@example.com"


@given(
    st.binary(max_size=60) | st.sampled_from([b'{"item": "C", "alice@example.com": 1}', b'{"item": ' + b"[" * 5_000])
)
def test_a_wrong_line_is_refused_without_its_words(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("facts") / "facts.jsonl"
    file.write_bytes(content)
    for read in (read_facts, read_identifiers):
        with contextlib.suppress(UsageError):
            read(file)
            continue
        with pytest.raises(UsageError, match=r"^(?!.*alice)"):
            read(file)


def test_facts_of_analysts_join_their_finding_or_stand_alone(tmp_path: Path) -> None:
    file = tmp_path / "facts.jsonl"
    lines = [
        {"item": "C-1", "field": "money.price", "value": 40},
        {"item": "C-1", "field": "tactic.description", "value": "x", "context": {"public": True}},
        {"item": "alone", "field": "sighting.seen", "value": True},
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    known = Item(item_id="C-1", facts=(Fact(field="cluster.accounts", value=9),), circumvention=("control-defeat",))
    first, second = with_facts([known], read_facts(file))
    assert [fact.field for fact in first.facts] == ["cluster.accounts", "money.price", "tactic.description"]
    assert first.circumvention == ("control-defeat",)
    assert (second.item_id, second.circumvention, second.facts[0].value) == ("alone", (), True)


def test_nobody_states_a_token(tmp_path: Path) -> None:
    file = tmp_path / "facts.jsonl"
    file.write_text(
        json.dumps({"item": "C", "field": "identity.email", "value": "x", "context": {"token": "616c696365"}})
    )
    with pytest.raises(UsageError, match="made, not stated"):
        read_facts(file)


def test_each_explanation_of_detection_has_a_word() -> None:
    from stillwatch.detection.campaigns import alternatives  # noqa: PLC0415

    source = Path(alternatives.__file__).read_text("utf-8")
    told = re.findall(r'explanation=f?"([^"{]+)', source)
    assert len(told) >= 9
    for explanation in told:
        assert any(explanation.startswith(beginning) for beginning, _ in producers._EXPLANATIONS), explanation
