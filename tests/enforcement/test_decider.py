import pytest
from tests.enforcement.factories import NOW, policy, rule, standing, verdict

from stillwatch.enforcement.decider import Decider
from stillwatch.enforcement.model import DecideRequest, Mode
from stillwatch.enforcement.policy.load import standard_policy
from stillwatch.enforcement.policy.model import Policy
from stillwatch.enforcement.state.cohorts import Cohorts
from stillwatch.enforcement.state.handles import Birth
from stillwatch.enforcement.state.known_texts import KnownTexts, read_text

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
    one.texts, one.received = KnownTexts(), KnownTexts([verdict("x", "throttle", template_bands=bands)], NOW)
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
