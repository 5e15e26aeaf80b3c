from typing import Any

import msgspec
import pyarrow as pa
import pytest

from stillwatch.detection.findings.model import ACTIONS
from stillwatch.errors import UsageError
from stillwatch_range.containment import score_passage
from stillwatch_range.replay import PASSAGE_SCHEMA, Replayed
from stillwatch_range.truth import TrueAccount, TrueCampaign, Truth

Sent = tuple[str, str, str, bool]
"""Account, what its verdict did, what its text did, and whether it was harvest."""


def harvest(account: str, verdict: str = "allow", text: str = "allow") -> Sent:
    return account, verdict, text, True


def other(account: str, verdict: str = "allow", text: str = "allow") -> Sent:
    return account, verdict, text, False


def plan(family: str, accounts: int) -> TrueCampaign:
    return TrueCampaign(family=family, accounts=accounts, exchanges=1, mixing=0.0, share=0.1)


def truth_of(**accounts: tuple[str, str, str | None]) -> Truth:
    planted = {
        name: msgspec.convert({"label": label, "cohort": cohort, "campaign": campaign}, TrueAccount)
        for name, (label, cohort, campaign) in accounts.items()
    }
    return Truth(accounts=planted, campaigns={"large": plan("cot", 4), "small": plan("rubric", 2)})


@pytest.fixture
def truth() -> Truth:
    return truth_of(
        l0=("campaign", "cot", "large"),
        l1=("campaign", "cot", "large"),
        l2=("campaign", "cot", "large"),
        s0=("campaign", "rubric", "small"),
        b0=("benign", "ordinary", None),
        d0=("benign", "drift", None),
        n0=("hard_negative", "new:judge", None),
        n1=("hard_negative", "new:judge", None),
        k0=("hard_negative", "classifier", None),
    )


def scored(truth: Truth, sent: list[Sent], warned: list[str] | None = None) -> dict[str, Any]:
    columns = {
        "exchange_id": [f"e{number}" for number in range(len(sent))],
        "account_id": [account for account, _, _, _ in sent],
        "ts_us": list(range(len(sent))),
        "by_account": [ACTIONS.index(action) for _, action, _, _ in sent],  # type: ignore[arg-type]
        "by_text": [ACTIONS.index(action) for _, _, action, _ in sent],  # type: ignore[arg-type]
        "by_text_warned": [ACTIONS.index(action) for action in warned or ["allow"] * len(sent)],  # type: ignore[arg-type]
    }
    harvested = {
        f"e{number}": str(truth.accounts[account].campaign)
        for number, (account, _, _, taken) in enumerate(sent)
        if taken
    }
    replayed = Replayed(pa.table(columns, schema=PASSAGE_SCHEMA), runs=3)
    return score_passage(truth, harvested, replayed, step_hours=6, warned=warned is not None)


def counts(found: dict[str, Any]) -> tuple[int, int]:
    return found["hits"], found["of"]


SENT = [
    harvest("l0"),
    harvest("l0", "watch"),
    other("b0", text="throttle"),
    harvest("l0", "throttle"),
    harvest("l0", text="challenge"),
    harvest("l0", "block"),
    harvest("s0"),
    harvest("s0"),
]


def test_harvest_is_taken_until_an_action_above_watch_holds(truth: Truth) -> None:
    found = scored(truth, SENT)["harvested_before_containment"]
    assert counts(found["all"]) == (4, 7)
    assert counts(found["per_family"]["cot"]) == (2, 5)
    assert counts(found["per_split"]["2"]) == (2, 2)
    assert found["per_campaign"] == {"large": pytest.approx(0.4), "small": 1.0}
    assert found["all"]["low"] < 4 / 7 < found["all"]["high"]


def test_the_median_is_that_of_campaigns(truth: Truth) -> None:
    found = scored(truth, SENT)["harvested_before_containment"]
    assert found["all"]["median_of_campaigns"] == pytest.approx((0.4 + 1.0) / 2)
    assert found["all"]["campaigns"] == 2
    assert found["per_family"]["cot"]["median_of_campaigns"] == pytest.approx(0.4)


def test_what_harder_actions_alone_would_hold_back(truth: Truth) -> None:
    found = scored(truth, SENT)["harvested_before_containment"]["per_family"]["cot"]
    assert counts(found["if_only_challenge_and_harder_contained"]) == (3, 5)
    assert counts(found["if_only_block_contained"]) == (4, 5)
    assert counts(found["if_only_accounts_were_contained"]) == (3, 5)


def test_cover_of_a_campaign_is_no_harvest(truth: Truth) -> None:
    sent = [other("l0"), harvest("l0"), harvest("l0", "block")]
    assert counts(scored(truth, sent)["harvested_before_containment"]["all"]) == (1, 2)


def test_fresh_accounts_come_after_the_campaign_is_known(truth: Truth) -> None:
    sent = [
        harvest("l0"),
        harvest("l1"),  # still before
        harvest("l0", "block"),
        harvest("l1", "block"),
        other("l2"),
        harvest("l2"),
        harvest("l2", text="block"),
    ]
    found = scored(truth, sent)["fresh_account_requests"]
    assert found["all"]["median_of_accounts"] == 2
    assert found["all"]["accounts"] == 1
    assert counts(found["all"]["within_20"]) == (1, 1)
    assert found["per_family"]["rubric"]["accounts"] == 0
    assert found["per_family"]["rubric"]["median_of_accounts"] is None


def test_a_fresh_account_that_is_never_recognised_counts_as_the_longest(truth: Truth) -> None:
    sent = [harvest("l0", "block"), harvest("l1"), harvest("l2", text="block")]
    found = scored(truth, sent)["fresh_account_requests"]["all"]
    assert found["median_of_accounts"] is None
    assert counts(found["recognised"]) == (1, 2)


def test_innocents_are_counted_by_exchange_and_by_account(truth: Truth) -> None:
    sent = [
        harvest("l0"),
        other("n0", "throttle"),
        other("n0", text="challenge"),
        other("n1", "watch"),
        other("k0", "block"),
        other("b0"),
        other("d0", text="block"),
    ]
    found = scored(truth, sent)["innocents_contained"]
    assert counts(found["new_customer"]["exchanges"]) == (2, 3)
    assert counts(found["new_customer"]["exchanges_by_text"]) == (1, 3)
    assert counts(found["new_customer"]["accounts_ever"]) == (1, 2)
    assert counts(found["hard_negative"]["accounts_ever_blocked"]) == (1, 3)
    assert counts(found["per_cohort"]["classifier"]["accounts_ever"]) == (1, 1)
    assert counts(found["benign"]["accounts_ever"]) == (1, 2)
    assert counts(found["drift"]["accounts_ever_blocked"]) == (1, 1)


def test_an_indicator_received_is_shown_side_by_side(truth: Truth) -> None:
    sent = [harvest("l0"), harvest("l0"), harvest("l1")]
    found = scored(truth, sent, warned=["allow", "challenge", "challenge"])
    assert counts(found["harvested_before_containment"]["all"]) == (3, 3)
    assert counts(found["with_indicators"]["harvested_before_containment"]["all"]) == (1, 3)
    assert found["with_indicators"]["fresh_account_requests"]["all"]["accounts"] == 2
    assert found["with_indicators"]["fresh_account_requests"]["all"]["median_of_accounts"] == pytest.approx(0.5)
    assert "with_indicators" not in scored(truth, sent)


def test_a_window_that_the_run_did_not_look_at_is_an_error(truth: Truth) -> None:
    replayed = Replayed(PASSAGE_SCHEMA.empty_table(), runs=0)
    with pytest.raises(UsageError, match="another window"):
        score_passage(truth, {"e0": "large"}, replayed, step_hours=6, warned=False)


def test_without_campaigns_there_is_nothing_to_harvest(truth: Truth) -> None:
    calm = Truth(accounts=truth.accounts, campaigns={})
    found = scored(calm, [other("b0")])["harvested_before_containment"]["all"]
    assert found["value"] is None
    assert found["median_of_campaigns"] is None
