import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert
from tests.enforcement.factories import NOW, policy, rule, standing, verdict
from tests.records.indicators import indicator, indicator_id

from stillwatch.detection.findings.model import ACTIONS, Action
from stillwatch.enforcement.decider import Decider
from stillwatch.enforcement.model import LEVEL, DecideRequest, Mode
from stillwatch.enforcement.policy.load import PolicyError, standard_policy
from stillwatch.enforcement.policy.model import Policy
from stillwatch.enforcement.state.cohorts import Cohorts
from stillwatch.enforcement.state.handles import Birth
from stillwatch.enforcement.state.known_texts import KnownTexts, read_text
from stillwatch.enforcement.state.received import reports_of

ASKED = DecideRequest(account_id="a")
FRAME = "Write one question about {} for an examination of first-year students, then solve it step by step and say why."
LIMITED = policy(
    '[[limit]]\nid = "l"\ncounts = "requests"\namount = 2\nper = "hour"\nburst = 2',
    rule("r", "throttle", '{ limits = ["l"] }'),
)


def decider(of: Policy | None = None, mode: Mode = "enforce") -> Decider:
    asked = of or standard_policy()
    return Decider(asked, mode, Cohorts(asked), {"key-hash": "a"})


def test_an_ordinary_account_passes() -> None:
    decided = decider().decide(ASKED, NOW)
    assert (decided.decision.action, decided.decision.reason_code, decided.cohort) == ("allow", "ordinary", "everybody")
    assert not decided.decision.refuses
    assert decided.decision.ttl_s == 0


def test_an_unknown_account_passes_and_a_key_names_one() -> None:
    one = decider()
    assert one.decide(DecideRequest(key_id="who?"), NOW).decision.reason_code == "unknown_account"
    assert one.decide(DecideRequest(), NOW).account_id is None
    assert one.decide(DecideRequest(key_id="key-hash"), NOW).account_id == "a"


def test_a_block_says_how_long_it_holds() -> None:
    one = decider()
    one.standings.take([verdict("a", ttl_s=600)], NOW)
    decision = one.decide(ASKED, NOW + 60).decision
    assert (decision.action, decision.ttl_s, decision.evidence_ref, decision.mode) == ("block", 540, "cmp-1", "enforce")
    assert decision.refuses
    assert one.decide(ASKED, NOW + 600).decision.action == "allow"


def test_in_shadow_everything_is_said_and_nothing_done() -> None:
    one = decider(mode="shadow")
    one.standings.take([verdict("a")], NOW)
    decision = one.decide(ASKED, NOW).decision
    assert (decision.action, decision.mode, decision.refuses) == ("block", "shadow", False)


def test_a_rule_in_shadow_is_said_where_nothing_harder_is_enforced() -> None:
    one = decider(policy(rule("r", "block", '{ verdict = ["block"] }', mode="shadow")))
    one.standings.take([verdict("a")], NOW)
    decision = one.decide(ASKED, NOW).decision
    assert (decision.action, decision.mode) == ("block", "shadow")


def test_degrade_and_challenge_say_what_they_mean() -> None:
    one = decider()
    one.standings.put("a", standing("degrade"))
    decision = one.decide(ASKED, NOW).decision
    assert decision.degrades
    assert decision.degrade is not None
    assert decision.degrade.strip == ("logprobs", "reasoning")
    one.standings.put("a", standing("challenge"))
    challenged = one.decide(ASKED, NOW).decision
    assert challenged.challenge is not None
    assert challenged.refuses


def test_a_throttle_lets_one_through_at_its_pace() -> None:
    one = decider()
    one.standings.put("a", standing("throttle", retry_after_s=10))
    first = one.decide(ASKED, NOW).decision
    assert (first.action, first.retry_after_s) == ("throttle", 10)
    assert one.decide(ASKED, NOW + 4.5).decision.retry_after_s == 6
    passed = one.decide(ASKED, NOW + 10).decision
    assert (passed.action, passed.reason_code) == ("watch", "within_throttle")
    assert one.decide(ASKED, NOW + 11).decision.action == "throttle"


def test_a_throttle_in_shadow_paces_nobody() -> None:
    one = decider(mode="shadow")
    one.standings.put("a", standing("throttle"))
    assert {one.decide(ASKED, NOW + at).decision.action for at in range(100)} == {"throttle"}


def test_what_is_refused_is_not_charged() -> None:
    one = decider(LIMITED)
    actions = [one.decide(ASKED, NOW).decision.action for _ in range(20)]
    assert actions == ["allow"] * 2 + ["throttle"] * 18
    waited = one.decide(ASKED, NOW).decision.retry_after_s
    assert waited is not None
    assert one.decide(ASKED, NOW + waited).decision.action == "allow"


def test_a_fresh_account_of_a_known_campaign_is_met_on_its_first_request() -> None:
    one = decider()
    bands = [f"{band:016x}" for band in read_text(None, FRAME.format("optics"))[0]]
    one.texts = KnownTexts([verdict("old", template_bands=bands)], NOW)
    fresh = DecideRequest(account_id="fresh", prompt=FRAME.format("sea trade"))
    decision = one.decide(fresh, NOW).decision
    assert (decision.action, decision.reason_code, decision.evidence_ref) == ("challenge", "campaign_text", "cmp-1")
    one.texts = KnownTexts([verdict("x", "throttle", template_bands=bands)], NOW)
    assert one.decide(fresh, NOW).decision.action == "throttle"
    assert one.decide(DecideRequest(account_id="fresh", prompt="Hello, who are you?"), NOW).decision.action == "allow"


def test_a_handle_shown_elsewhere_is_refused() -> None:
    one = decider()
    one.handles.issue("h", Birth("a", None, None))
    assert one.decide(DecideRequest(account_id="a", reasoning_handle="h"), NOW).decision.action == "allow"
    decision = one.decide(DecideRequest(account_id="b", reasoning_handle="h"), NOW).decision
    assert (decision.action, decision.reason_code, decision.ttl_s) == ("block", "foreign_reasoning_handle", 0)


@pytest.mark.parametrize("prompt", ["", "\ud800 lone", "x" * 100_000, "\x00\x00"])
def test_no_text_is_too_odd(prompt: str) -> None:
    one = decider()
    one.texts = KnownTexts([verdict("old", template_bands=["0"])], NOW)
    assert one.decide(DecideRequest(account_id="a", prompt=prompt), NOW).decision.action == "allow"


FRESH = DecideRequest(account_id="fresh", prompt=FRAME.format("sea trade"))
BANDS = [f"{band:016x}" for band in read_text(None, FRAME.format("optics"))[0]]
RECEIVED_ONLY = '{ text = true, reason_codes = ["received_indicator"] }'


def warned(of: Policy | None = None, **changes: object) -> Decider:
    """Return a decider that knows what another provider reported of the frame."""
    one = decider(of)
    one.received.replace(reports_of([indicator(1, template_bands=BANDS, **changes)], NOW))
    return one


@pytest.mark.parametrize(("confidence", "action"), [("high", "challenge"), ("moderate", "challenge"), ("low", "watch")])
def test_a_fresh_account_is_met_on_its_first_request_by_what_another_provider_shared(
    confidence: str, action: str
) -> None:
    decided = warned(confidence=confidence).decide(FRESH, NOW)
    decision = decided.decision
    assert (decision.action, decision.reason_code) == (action, "received_indicator")
    assert (decision.evidence_ref, decision.ttl_s) == (indicator_id(1), 0)
    ordinary = DecideRequest(account_id="fresh", prompt="Hello, who are you?")
    assert warned().decide(ordinary, NOW).decision.action == "allow"


def test_a_report_lapses_and_has_not_begun() -> None:
    assert warned(valid_until="2026-09-21T14:13:21Z").decide(FRESH, NOW).decision.action == "challenge"
    assert warned(valid_until="2026-09-21T14:13:21Z").decide(FRESH, NOW + 1).decision.action == "allow"
    assert warned(valid_from="2026-09-21T14:13:21Z").decide(FRESH, NOW).decision.action == "allow"
    assert warned(valid_from="2026-09-21T14:13:21Z").decide(FRESH, NOW + 1).decision.action == "challenge"


def test_what_we_know_ourselves_goes_before_what_others_reported() -> None:
    one = warned()
    one.texts = KnownTexts([verdict("old", "challenge", template_bands=BANDS)], NOW)
    assert one.decide(FRESH, NOW).decision.reason_code == "campaign_text"
    one.texts = KnownTexts([verdict("old", "throttle", template_bands=BANDS)], NOW)
    harder = one.decide(FRESH, NOW).decision
    assert (harder.action, harder.reason_code) == ("challenge", "received_indicator")


def test_whom_a_person_cleared_no_report_challenges() -> None:
    one = warned()
    one.standings.put("fresh", standing("allow"))
    assert one.decide(FRESH, NOW).decision.action == "allow"


def test_a_policy_may_lower_what_a_report_does_and_leave_our_own_texts() -> None:
    ours = rule("ours", "challenge", '{ text = true, reason_codes = ["campaign_text"] }')
    one = warned(policy(ours, rule("theirs", "watch", RECEIVED_ONLY)))
    assert one.decide(FRESH, NOW).decision.action == "watch"
    one.texts = KnownTexts([verdict("old", "throttle", template_bands=BANDS)], NOW)
    throttled = one.decide(FRESH, NOW).decision
    assert (throttled.action, throttled.reason_code) == ("throttle", "campaign_text")
    assert warned(policy(ours)).decide(FRESH, NOW).decision.action == "allow"


@pytest.mark.parametrize("when", ["{ text = true }", RECEIVED_ONLY])
@pytest.mark.parametrize("action", ["degrade", "block"])
def test_no_policy_raises_a_report_beyond_challenge(when: str, action: Action) -> None:
    with pytest.raises(PolicyError, match="a text alone may not"):
        policy(rule("r", action, when))


@given(
    action=st.sampled_from(ACTIONS[1:]),
    confidence=st.sampled_from(["low", "moderate", "high"]),
    mode=st.sampled_from(["shadow", "enforce"]),
    when=st.sampled_from(["{ text = true }", RECEIVED_ONLY]),
)
def test_a_shared_indicator_alone_can_raise_to_challenge_never_to_block(
    action: Action, confidence: str, mode: str, when: str
) -> None:
    unchecked = convert(
        {"id": "p", "version": "1", **tomllib.loads(rule("r", action, when, mode=mode))}, Policy
    )  # as if nobody had checked it
    decision = warned(unchecked, confidence=confidence).decide(FRESH, NOW).decision
    assert LEVEL[decision.action] <= LEVEL["challenge"]
    assert LEVEL[decision.action] <= LEVEL[action]


def test_a_verdict_of_detection_on_a_report_is_acted_on_as_it_is_and_can_be_lowered() -> None:
    found = verdict("a", "challenge", reason_code="received_indicator", campaign_id=None)
    one = decider()
    one.standings.take([found], NOW)
    assert one.decide(ASKED, NOW).decision.reason_code == "received_indicator"
    lowered = '{ verdict = ["challenge"], reason_codes = ["received_indicator"] }'
    mild = decider(policy(rule("theirs", "watch", lowered)))
    mild.standings.take([found], NOW)
    assert mild.decide(ASKED, NOW).decision.action == "watch"
    with pytest.raises(PolicyError, match="block is harder than the verdict challenge"):
        policy(rule("r", "block", lowered))


def test_a_report_of_what_everybody_sends_challenges_a_few_and_then_nobody() -> None:
    one = warned()
    actions = [
        one.decide(DecideRequest(account_id=f"a{number}", prompt=FRAME.format(number)), NOW).decision.action
        for number in range(500)
    ]
    assert actions == ["challenge"] * 20 + ["allow"] * 480
    assert one.received.not_heard() == {indicator_id(1)}


def test_accounts_that_our_own_findings_speak_against_tell_nothing_of_ordinary_ones() -> None:
    one = warned()
    pool = [f"a{number}" for number in range(100)]
    one.standings.take([verdict(name, "watch") for name in pool], NOW)
    for name in pool:
        assert one.decide(DecideRequest(account_id=name, prompt=FRAME.format(name)), NOW).decision.action == "challenge"
    assert one.received.not_heard() == set()
