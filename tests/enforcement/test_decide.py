import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.enforcement.factories import NOW, policy, rule, standing

from stillwatch.detection.findings.model import ACTIONS, Action
from stillwatch.enforcement.decide import Facts, Outcome, decide
from stillwatch.enforcement.model import LEVEL
from stillwatch.enforcement.policy.load import standard_policy

ORDINARY = Facts(cohort="everybody")
BLOCK = '{ verdict = ["block"] }'


@pytest.mark.parametrize("action", ["watch", "throttle", "challenge", "degrade", "block"])
def test_the_standard_policy_does_what_was_found(action: Action) -> None:
    outcome = decide(standard_policy(), replace(ORDINARY, standing=standing(action)), NOW)
    assert outcome.enforced is not None
    assert (outcome.enforced.action, outcome.enforced.campaign_id) == (action, "cmp-1")


@given(
    action=st.sampled_from(ACTIONS[1:]) | st.none(),
    text=st.integers(0, 5),
    handle=st.booleans(),
    most=st.sampled_from(ACTIONS[:2]),
)
def test_an_exemption_is_never_exceeded(*, action: Action | None, text: int, handle: bool, most: Action) -> None:
    found = None if action is None else standing(action)
    facts = replace(ORDINARY, standing=found, text_level=text, foreign_handle=handle, most=most)
    hit = decide(standard_policy(), facts, NOW).enforced
    assert hit is None or LEVEL[hit.action] <= LEVEL[most]


def test_nothing_is_done_without_a_fact() -> None:
    assert decide(standard_policy(), ORDINARY, NOW) == Outcome()


def test_the_hardest_wins_and_shadow_is_heard_apart() -> None:
    asked = policy(
        rule("hard", "throttle", BLOCK),
        rule("soft", "watch", '{ verdict = ["watch", "block"] }'),
        rule("tried", "block", BLOCK, mode="shadow"),
    )
    outcome = decide(asked, replace(ORDINARY, standing=standing("block")), NOW)
    assert outcome.enforced is not None
    assert outcome.shadow is not None
    assert (outcome.enforced.rule.id, outcome.shadow.rule.id) == ("hard", "tried")


def test_a_canary_enforces_for_a_part_of_the_accounts() -> None:
    asked = policy(rule("r", "block", BLOCK, canary_percent="10"))
    inside = decide(asked, replace(ORDINARY, standing=standing("block"), bucket=9.9), NOW)
    outside = decide(asked, replace(ORDINARY, standing=standing("block"), bucket=10.0), NOW)
    assert inside.enforced is not None
    assert outside.enforced is None
    assert outside.shadow is not None


def test_a_block_ends_though_its_verdict_does_not() -> None:
    facts = replace(ORDINARY, standing=standing("block", set_s=NOW - 3600, until_s=NOW + 10**9))
    assert decide(policy(rule("r", "block", BLOCK)), facts, NOW) == Outcome()


def test_a_spent_budget_puts_everything_in_shadow() -> None:
    outcome = decide(standard_policy(), replace(ORDINARY, standing=standing("block"), shadowed=True), NOW)
    assert outcome.enforced is None
    assert outcome.shadow is not None


def test_a_text_brings_no_more_than_its_campaign_has_earned() -> None:
    asked = replace(ORDINARY, text_level=LEVEL["throttle"], text_campaign="cmp-2")
    hit = decide(standard_policy(), asked, NOW).enforced
    assert hit is not None
    assert (hit.action, hit.reason_code, hit.campaign_id) == ("throttle", "campaign_text", "cmp-2")
    harder = decide(standard_policy(), replace(asked, text_level=LEVEL["block"]), NOW).enforced
    assert harder is not None
    assert harder.action == "challenge"


@pytest.mark.parametrize(
    ("condition", "facts"),
    [
        ('reason_codes = ["other"]', {}),
        ('cohorts = ["everybody"]', {"cohort": "elsewhere"}),
        ('models = ["m1"]', {"model": "m2"}),
        ('operations = ["chat"]', {"operation": None}),
    ],
)
def test_all_conditions_must_hold(condition: str, facts: dict[str, str]) -> None:
    asked = policy(rule("r", "block", f'{{ verdict = ["block"], {condition} }}'))
    found = replace(ORDINARY, standing=standing("block"), model="m1", operation="chat")
    assert decide(asked, replace(found, **facts), NOW) == Outcome()  # type: ignore[arg-type]


def test_a_limit_waits_for_its_name() -> None:
    limit = '[[limit]]\nid = "l"\ncounts = "requests"\namount = 5\nper = "minute"'
    asked = policy(limit, rule("r", "throttle", '{ limits = ["l"] }'))
    hit = decide(asked, replace(ORDINARY, exceeded={"l": 3.0}), NOW).enforced
    assert hit is not None
    assert hit.reason_code == "limit_exceeded"
