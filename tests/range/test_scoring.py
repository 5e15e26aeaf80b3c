from pathlib import Path

import msgspec
import pytest

from stillwatch.errors import UsageError
from stillwatch_range.scoring import Finding, Named, read_run, score, score_findings
from stillwatch_range.truth import TrueAccount, TrueCampaign, Truth, write_truth

LARGE = TrueCampaign(family="cot", accounts=4, exchanges=40, mixing=0.5, share=0.1)
SMALL = TrueCampaign(family="rubric", accounts=2, exchanges=10, mixing=0.0, share=0.02)


def account(label: str, cohort: str, campaign: str | None = None) -> TrueAccount:
    return msgspec.convert({"label": label, "cohort": cohort, "campaign": campaign}, TrueAccount)


def finding(name: str, kind: str, *members: str) -> Finding:
    return Finding(campaign_id=name, kind=kind, accounts=[Named(account_id=member) for member in members])


@pytest.fixture
def truth() -> Truth:
    return Truth(
        accounts={
            **{f"b{number}": account("benign", "ordinary") for number in range(8)},
            "d0": account("benign", "drift"),
            "d1": account("benign", "drift"),
            "k0": account("hard_negative", "classifier"),
            "n0": account("hard_negative", "new:judge"),
            "n1": account("hard_negative", "new:judge"),
            **{f"l{number}": account("campaign", "cot", "large") for number in range(4)},
            **{f"s{number}": account("campaign", "rubric", "small") for number in range(2)},
        },
        campaigns={"large": LARGE, "small": SMALL},
    )


def counts(rate: dict[str, object]) -> tuple[object, object]:
    return rate["hits"], rate["of"]


def test_flagged_means_more_than_watch(truth: Truth) -> None:
    actions = {"l0": "watch", "l1": "throttle", "l2": "challenge", "l3": "degrade", "s0": "block", "s1": "allow"}
    metrics = score_findings(truth, actions, [])
    assert counts(metrics["account_recall"]["all"]) == (4, 6)
    assert counts(metrics["account_recall"]["per_family"]["cot"]) == (3, 4)
    assert counts(metrics["account_recall"]["per_split"]["2"]) == (1, 2)


def test_innocents_are_counted_in_their_own_groups(truth: Truth) -> None:
    actions = {"b0": "challenge", "b1": "watch", "d0": "block", "k0": "throttle", "n0": "challenge", "n1": "block"}
    metrics = score_findings(truth, actions, [])
    assert counts(metrics["account_fpr"]) == (2, 10)
    assert counts(metrics["hard_negative_flagged"]["all"]) == (3, 3)
    assert counts(metrics["hard_negative_flagged"]["per_cohort"]["classifier"]) == (1, 1)
    assert counts(metrics["new_customer_challenged"]) == (2, 2)
    assert counts(metrics["new_customer_blocked"]) == (1, 2)
    assert counts(metrics["drift_flagged"]) == (1, 2)
    assert counts(metrics["drift_blocked"]) == (1, 2)


def test_a_campaign_is_found_from_half_of_its_accounts_on(truth: Truth) -> None:
    half = score_findings(truth, {}, [finding("c", "harvest", "l0", "l1")])
    less = score_findings(truth, {}, [finding("c", "harvest", "l0")])
    pieces = score_findings(truth, {}, [finding("c", "harvest", "l0"), finding("d", "harvest", "l1")])
    assert counts(half["campaign_recall"]["all"]) == (1, 2)
    assert counts(half["campaign_recall"]["per_family"]["cot"]) == (1, 1)
    assert counts(less["campaign_recall"]["all"]) == (0, 2)
    assert counts(pieces["campaign_recall"]["all"]) == (1, 2)
    assert pieces["campaign_fragments"] == {"large": 2, "small": 0}


def test_purity_counts_strangers_in_a_campaigns_findings(truth: Truth) -> None:
    metrics = score_findings(truth, {}, [finding("c", "harvest", "l0", "l1", "l2", "s0", "b0")])
    assert counts(metrics["campaign_purity"]["all"]) == (3, 5)
    assert counts(metrics["campaign_purity"]["per_family"]["rubric"]) == (0, 0)
    assert metrics["campaign_purity"]["per_family"]["rubric"]["value"] is None
    assert metrics["false_campaigns"] == 0


def test_a_harvest_without_a_planted_majority_is_false_and_other_kinds_are_not(truth: Truth) -> None:
    even = finding("c", "harvest", "l0", "b0")
    unknown = finding("d", "harvest", "nobody")
    judged = finding("e", "public_benchmark", "n0", "n1")
    assert score_findings(truth, {}, [even, unknown, judged])["false_campaigns"] == 2


def test_kinds_of_the_findings_that_heavy_users_stand_in(truth: Truth) -> None:
    metrics = score_findings(truth, {}, [finding("e", "public_benchmark", "n0", "n1", "b0")])
    assert metrics["hard_negative_kinds"] == {"classifier": {"none": 1}, "new:judge": {"public_benchmark": 2}}


def test_an_account_in_findings_of_two_kinds_is_counted_under_both(truth: Truth) -> None:
    found = [finding("e", "public_benchmark", "n0"), finding("f", "harvest", "n0", "n1")]
    kinds = score_findings(truth, {}, found)["hard_negative_kinds"]
    assert kinds["new:judge"] == {"harvest": 1, "harvest+public_benchmark": 1}


def test_limits_are_exact(truth: Truth) -> None:
    fpr = score_findings(truth, {}, [])["account_fpr"]
    assert fpr["value"] == 0
    assert fpr["low"] == 0
    assert fpr["high"] == pytest.approx(1 - 0.025 ** (1 / 10))


def test_reads_a_run_from_disk(truth: Truth, tmp_path: Path) -> None:
    write_truth(truth, tmp_path / "truth.json")
    (tmp_path / "accounts.jsonl").write_text('{"account_id": "l0", "action": "block", "exchanges": 4}\n')
    (tmp_path / "campaigns.json").write_text(
        '{"campaigns": [{"campaign_id": "c", "kind": "harvest", "accounts": [{"account_id": "l0", "share": 1}]}]}'
    )
    assert counts(score(tmp_path / "truth.json", tmp_path)["account_recall"]["all"]) == (1, 6)
    assert read_run(tmp_path)[0] == {"l0": "block"}


def test_what_is_not_there_is_an_error(truth: Truth, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a truth file"):
        score(tmp_path / "truth.json", tmp_path)
    write_truth(truth, tmp_path / "truth.json")
    with pytest.raises(UsageError, match="finished run"):
        score(tmp_path / "truth.json", tmp_path)
