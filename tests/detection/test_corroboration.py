import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detection import factories
from tests.detection.factories import FIRM, FRAME, JUDGE, Traffic, campaign, facts, ids, numbers_only, request
from tests.detection.reports import bands_of_frame, received, report
from tests.records.indicators import indicator, indicator_id

from stillwatch.detection.campaigns.build import Built
from stillwatch.detection.corroboration import Corroborated, raise_accounts, report_campaigns
from stillwatch.detection.findings.model import ACTIONS, AccountFinding, Action, Campaign, Member, Reason, Verdict
from stillwatch.detection.population import Population
from stillwatch.detection.received import BITS, Matches
from stillwatch.detection.run import DetectResult, detect
from stillwatch.detection.verdicts import verdicts_of
from stillwatch.records.indicators import ReceivedIndicator
from stillwatch.sharing.producers import read_findings

NAMES = ids(4)
NOBODY = np.full(4, -1, np.int64)


def people(exchanges: int = 4) -> Population:
    """Return four accounts of so many exchanges each, one after the other."""
    empty = numbers_only(NAMES)
    return Population(empty.table, empty.ratios, empty.store, np.repeat(np.arange(4), exchanges), frozenset())


def finding(account: int, action: Action = "allow", campaign_id: str | None = None) -> AccountFinding:
    return AccountFinding(
        account_id=NAMES[account],
        exchanges=4,
        segment="api",
        score_bits=2.0,
        p_value=None,
        action=action,
        campaign_id=campaign_id,
        reasons=[Reason(signal="novel_mass", bits=2.0, p_value=0.01, detail="new")],
        not_assessable=[],
    )


def matches(pairs: Sequence[tuple[int, int]], *indicators: ReceivedIndicator, limit: int = 4) -> Matches:
    """Return matches of rows and places of indicators; `people` has rows 0-3 of the first account, 4-7 of the next."""
    rows, numbers = (np.array(column, np.int64) for column in (zip(*pairs, strict=True) if pairs else ((), ())))
    return Matches(indicators, rows, numbers, np.ones(4, np.bool_), limit, ["compared"])


def raised(found: Matches, *campaigns: Campaign, action: Action = "allow", **changes: Any) -> Corroborated:
    accounts = [finding(account, action) for account in range(4)]
    return raise_accounts(accounts, found, people(), list(campaigns), changes.get("covered", NOBODY))


def of(kind: Any, *accounts: int, role: Any = "harvester", **changes: Any) -> Campaign:
    members = [Member(account_id=NAMES[account], role=role, share=1.0) for account in accounts]
    return campaign(kind, accounts=members, **changes)


@pytest.mark.parametrize(
    ("exchanges", "confidence", "action"),
    [
        (1, "high", "watch"),
        (2, "high", "challenge"),
        (2, "moderate", "challenge"),
        (4, "low", "watch"),
    ],
)
def test_one_match_is_watched_and_two_of_a_sure_report_challenged(exchanges: int, confidence: str, action: str) -> None:
    found = raised(matches([(row, 0) for row in range(exchanges)], indicator(1, confidence=confidence)))
    assert [one.action for one in found.accounts] == [action, "allow", "allow", "allow"]
    assert found.by_report == {NAMES[0]}
    reason = found.accounts[0].reasons[-1]
    assert (reason.signal, reason.p_value, reason.bits) == ("received_indicator", None, BITS[confidence])
    assert f"{exchanges} of its exchanges share" in reason.detail or exchanges == 1
    assert indicator_id(1) in reason.detail
    assert found.accounts[0].score_bits == 2.0 + BITS[confidence]
    assert found.notes == ["compared"]


def test_two_exchanges_count_only_where_one_indicator_meets_both() -> None:
    found = raised(
        matches([(0, 0), (1, 1), (4, 2), (5, 2)], indicator(1), indicator(2), indicator(3, confidence="low"))
    )
    assert [one.action for one in found.accounts] == ["watch", "watch", "allow", "allow"]


def test_an_account_has_one_reason_however_many_reports_meet_it() -> None:
    many = [indicator(number) for number in range(1, 50)]
    found = raised(matches([(row, number) for row in range(3) for number in range(49)], *many))
    assert [reason.signal for reason in found.accounts[0].reasons] == ["novel_mass", "received_indicator"]
    assert found.accounts[0].reasons[1].detail.endswith("; 48 more match")


def test_the_report_that_challenges_is_the_one_that_is_named() -> None:
    found = raised(matches([(0, 0), (1, 1), (2, 1)], indicator(1), indicator(2, confidence="moderate")))
    assert found.accounts[0].action == "challenge"
    assert indicator_id(2) in found.accounts[0].reasons[1].detail


@given(
    st.lists(st.tuples(st.integers(0, 15), st.integers(0, 2)), unique=True, max_size=30),
    st.sampled_from(ACTIONS),
    st.lists(st.sampled_from(["low", "moderate", "high"]), min_size=3, max_size=3),
    st.integers(0, 4),
)
def test_a_shared_indicator_alone_can_raise_to_challenge_never_to_block(
    pairs: list[tuple[int, int]], action: Action, confidences: list[str], limit: int
) -> None:
    reports = [indicator(number, confidence=word) for number, word in enumerate(confidences)]
    found = raised(matches(pairs, *reports, limit=limit), action=action)
    for before, after in zip([action] * 4, found.accounts, strict=True):
        assert ACTIONS.index(after.action) >= ACTIONS.index(before)
        assert after.action == before or ACTIONS.index(after.action) <= ACTIONS.index("challenge")
    newly = [one for one in found.accounts if one.action != action]
    assert {one.account_id for one in newly} == found.by_report
    assert sum(one.action == "challenge" for one in newly) <= limit


@pytest.mark.parametrize("kind", ["authorised", "public_benchmark", "single_organisation"])
def test_who_is_explained_is_only_watched(kind: str) -> None:
    found = matches([(0, 0), (1, 0), (4, 0), (5, 0)], indicator(1))
    assert [one.action for one in raised(found, of(kind, 0)).accounts[:2]] == ["watch", "challenge"]
    linked = raised(found, of(kind, 0, role="linked"))
    assert linked.accounts[0].action == "challenge"


def test_who_is_authorised_is_only_watched() -> None:
    covered = np.array([3, -1, -1, -1])
    found = raised(matches([(0, 0), (1, 0), (4, 0), (5, 0)], indicator(1)), covered=covered)
    assert [one.action for one in found.accounts[:2]] == ["watch", "challenge"]


def test_a_member_of_our_own_harvest_stands_on_our_own_finding() -> None:
    found = raised(matches([(0, 0), (1, 0)], indicator(1)), of("harvest", 0), action="throttle")
    assert found.accounts[0].action == "challenge"
    assert found.by_report == frozenset()
    watched = raised(matches([(0, 0), (1, 0)], indicator(1)), of("harvest", 0, role="linked"), action="watch")
    assert watched.by_report == {NAMES[0]}


def test_more_accounts_than_ordinary_ones_may_be_are_only_watched() -> None:
    pairs = [(row, 0) for row in range(16)]
    found = raised(matches(pairs, indicator(1), limit=3))
    assert {one.action for one in found.accounts} == {"watch"}
    assert found.notes[1:] == ["Received indicators alone would challenge 4 accounts, more than 3: all are watched."]
    throttled = raised(matches(pairs, indicator(1), limit=3), action="throttle")
    assert ({one.action for one in throttled.accounts}, throttled.by_report) == ({"throttle"}, frozenset())


def test_without_reports_nothing_changes() -> None:
    accounts = [finding(account) for account in range(4)]
    assert raise_accounts(accounts, None, people(), [], NOBODY) == Corroborated(accounts, frozenset(), [])
    assert report_campaigns([], None) == []


def test_an_account_without_text_cannot_be_assessed() -> None:
    found = matches([], indicator(1))
    found.assessable[2] = False
    told = [one.not_assessable for one in raised(found).accounts]
    assert told == [[], [], ["received_indicator"], []]


def test_a_campaign_that_was_reported_gets_a_line_and_nothing_else() -> None:
    rows = np.arange(10)
    own = Built(campaign(), rows, [facts()])
    (seen,) = report_campaigns([own], matches([(0, 1), (1, 0), (1, 1)], indicator(1), indicator(2, confidence="low")))
    piece = seen.campaign.evidence[-1]
    assert (piece.factor, piece.signal, piece.bits, piece.p_value) == ("coordination", "reported_by_others", 5.0, None)
    assert (
        f"2 of its 10 exchanges share wording with what others reported, first of all {indicator_id(1)}" in piece.detail
    )
    assert (seen.campaign.confidence, seen.campaign.recommended_action) == ("moderate", "challenge")
    (unseen,) = report_campaigns([own], matches([(0, 0), (77, 0)], indicator(1)))
    assert unseen.campaign is own.campaign


def test_verdicts_that_stand_on_a_report_name_no_campaign_and_no_bands() -> None:
    accounts = [finding(0, "challenge", "cmp-1"), finding(1, "watch"), finding(2, "challenge", "cmp-1")]
    told = verdicts_of(accounts, {"cmp-1": ["aa"]}, frozenset({NAMES[0], NAMES[1]}))
    assert [(one.reason_code, one.campaign_id, one.template_bands) for one in told] == [
        ("received_indicator", None, []),
        ("received_indicator", None, []),
        ("campaign_member", "cmp-1", ["aa"]),
    ]


WEAK = ["weak-0", "weak-1", "weak-2"]


@pytest.fixture(scope="module")
def weak(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A window in which a campaign has too few accounts to be found here; two firms that look like something else."""
    folder = tmp_path_factory.mktemp("weak")
    traffic = Traffic(5)
    traffic.strangers(120)
    traffic.together(WEAK, FRAME, each=3, cover=6)
    traffic.together([f"firm-{number}" for number in range(6)], FIRM, each=10, org_id="quellheim")
    traffic.one_list([f"bench-{number}" for number in range(8)], JUDGE, items=12)
    registry = folder / "registry.toml"
    registry.write_text('[[entry]]\nid = "e"\nkind = "researcher"\nholder = "A"\naccount_ids = ["weak-2"]\n')
    past = factories.history().write(folder / "history.parquet")
    return {"log": traffic.write(folder / "window.parquet"), "history": past, "registry": registry}


def run(out: Path, weak: dict[str, Path], *reports: ReceivedIndicator) -> DetectResult:
    out.mkdir(exist_ok=True)
    beside = {"received": received(out, reports)} if reports else {}
    return detect(request(out / "run", [weak["log"]], history=[weak["history"]], registry=weak["registry"], **beside))


def actions(result: DetectResult) -> dict[str, str]:
    return {one.account_id: one.action for one in result.findings.accounts if one.action != "allow"}


def verdicts(result: DetectResult) -> dict[str, Verdict]:
    return {one.account_id: one for one in result.findings.verdicts}


def test_a_campaign_too_small_to_be_found_is_recognised_by_what_another_provider_shared(
    weak: dict[str, Path], tmp_path: Path
) -> None:
    alone = run(tmp_path / "alone", weak)
    assert not actions(alone).keys() & set(WEAK)
    told = run(tmp_path / "told", weak, report(FRAME))
    assert {name: actions(told).get(name) for name in WEAK} == {
        "weak-0": "challenge",
        "weak-1": "challenge",
        "weak-2": "watch",
    }
    assert {name: action for name, action in actions(told).items() if name not in WEAK} == actions(alone)
    assert verdicts(told)["weak-0"].reason_code == "received_indicator"
    assert json.loads((tmp_path / "told" / "run" / "run.json").read_text())["configuration"]["received"] is not None
    low = run(tmp_path / "low", weak, report(FRAME, confidence="low"))
    assert {name: actions(low).get(name) for name in WEAK} == dict.fromkeys(WEAK, "watch")


def test_firms_and_benchmarks_that_are_reported_are_only_watched(weak: dict[str, Path], tmp_path: Path) -> None:
    told = run(tmp_path / "told", weak, report(FIRM), report(JUDGE, 2, source="identity--2"))
    groups = {name: action for name, action in actions(told).items() if name.startswith(("firm", "bench"))}
    assert set(groups.values()) == {"watch"}
    assert len(groups) == 14


def test_an_echo_is_not_shared_as_a_finding_of_ours(weak: dict[str, Path], tmp_path: Path) -> None:
    told = run(tmp_path / "told", weak, report(FRAME))
    assert read_findings(tmp_path / "told" / "run", {}) == []
    written = (tmp_path / "told" / "run" / "verdicts.jsonl").read_text()
    assert not any(band in written for band in bands_of_frame(FRAME))
    assert all(one.campaign_id is None for one in told.findings.verdicts if one.reason_code == "received_indicator")


def test_a_report_of_our_own_harvest_changes_neither_its_confidence_nor_its_action_nor_what_is_shared(
    tmp_path: Path,
) -> None:
    traffic, harvesters = factories.harvest_window()
    log, past = traffic.write(tmp_path / "w.parquet"), factories.history().write(tmp_path / "h.parquet")
    beside = {"received": received(tmp_path, [report(FRAME)])}
    alone = detect(request(tmp_path / "alone", [log], history=[past]))
    told = detect(request(tmp_path / "told", [log], history=[past], **beside))
    (before,) = [one for one in alone.findings.campaigns if one.kind == "harvest"]
    (after,) = [one for one in told.findings.campaigns if one.kind == "harvest"]
    assert [piece.signal for piece in after.evidence if piece not in before.evidence] == ["reported_by_others"]
    assert (after.confidence, after.recommended_action) == (before.confidence, before.recommended_action)
    assert verdicts(told) == verdicts(alone)
    assert read_findings(tmp_path / "told", {}) == read_findings(tmp_path / "alone", {})
    reasons = {one.account_id: [reason.signal for reason in one.reasons] for one in told.findings.accounts}
    assert all("received_indicator" in reasons[name] for name in harvesters)


def test_a_poisoned_file_does_not_turn_on_the_customers(tmp_path: Path) -> None:
    greeting = "Good morning to the whole team, thank you for your patience, could you please help us with {slot}"
    traffic = Traffic(8)
    traffic.together([f"customer-{number:03}" for number in range(150)], greeting, each=3)
    log = traffic.write(tmp_path / "w.parquet")
    earlier = Traffic(9, factories.START - timedelta(days=7))
    earlier.together([f"customer-{number:03}" for number in range(150)], greeting, each=3)
    hostile = [
        indicator(number, template_bands=bands_of_frame(greeting), source=f"identity--{number}") for number in range(30)
    ]
    past = earlier.write(tmp_path / "h.parquet")
    told = detect(request(tmp_path / "run", [log], history=[past], received=received(tmp_path, hostile)))
    assert "received_indicator" not in {one.reason_code for one in told.findings.verdicts}
    assert "challenge" not in actions(told).values()
    assert any("ordinary accounts send the same" in note for note in told.findings.notes)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["notes"] == told.findings.notes


def test_the_same_reports_give_the_same_bytes(weak: dict[str, Path], tmp_path: Path) -> None:
    reports = [report(FRAME, number, source=f"identity--{number % 3}") for number in range(1, 9)]
    run(tmp_path / "one", weak, *reports)
    run(tmp_path / "two", weak, *reversed(reports))
    for name in ("accounts.jsonl", "campaigns.json", "verdicts.jsonl"):
        assert (tmp_path / "one" / "run" / name).read_bytes() == (tmp_path / "two" / "run" / name).read_bytes()
