from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detection.factories import calibrated, campaign, evidence, ids, numbers_only

from stillwatch.detection.accounts import judge_accounts
from stillwatch.detection.findings.model import ACTIONS, AccountFinding, Campaign, Member, Role, Template
from stillwatch.detection.population import Population
from stillwatch.detection.signals import SIGNALS
from stillwatch.statistics import evidence_bits

PEOPLE = numbers_only(ids(3), exchanges=[10, 20, 30])
SIGNAL_NAMES = [signal.name for signal in SIGNALS]


def judge(
    campaigns: list[Campaign], p_value: float = 1.0, fpr: float = 0.001, **by_signal: Any
) -> list[AccountFinding]:
    return judge_accounts(PEOPLE, calibrated(3, p_value, **by_signal), campaigns, fpr, records_given=False)


def member(account: str, role: Role = "harvester", share: float = 0.5) -> Member:
    return Member(account_id=account, role=role, share=share)


def harvest(*members: Member, action: str = "block", **changes: Any) -> Campaign:
    return campaign(accounts=list(members), recommended_action=action, **changes)


@given(st.lists(st.floats(1e-12, 1), min_size=9, max_size=9), st.sampled_from([0.5, 0.01, 0.001]))
def test_its_own_numbers_alone_never_give_more_than_watch(p_values: list[float], fpr: float) -> None:
    rows = np.array(p_values).reshape(3, 3)
    for finding in judge([], fpr=fpr, **dict(zip(SIGNAL_NAMES, rows, strict=True))):
        assert finding.action in {"allow", "watch"}
        assert (finding.action == "watch") == (finding.p_value is not None and finding.p_value <= fpr)
        assert finding.campaign_id is None


KINDS = st.sampled_from(["harvest", "public_benchmark", "single_organisation", "authorised", "unclear"])


@given(
    kind=KINDS,
    action=st.sampled_from(ACTIONS),
    role=st.sampled_from(["harvester", "linked", "victim"]),
    p=st.floats(1e-9, 1),
)
def test_no_role_gets_more_than_it_may(kind: Any, action: Any, role: Role, p: float) -> None:
    if kind != "harvest" and action != "allow":
        action = "watch"
    (finding, *_) = judge([campaign(kind, accounts=[member(ids(1)[0], role)], recommended_action=action)], p_value=p)
    hardest = ACTIONS.index(finding.action)
    if role == "linked":
        assert finding.action == "watch"
    if role == "victim":
        assert hardest <= ACTIONS.index("challenge")
    if kind != "harvest":
        assert hardest <= ACTIONS.index("watch")
    assert hardest <= max(ACTIONS.index(action), ACTIONS.index("watch"))


def test_a_victim_in_a_pool_is_treated_no_harder_than_its_other_members() -> None:
    template = Template(sketch=[], text=None, exchanges=1, accounts=1)
    (of_pool, *_) = judge([harvest(member(ids(1)[0], "victim"))])
    (of_frame, *_) = judge([harvest(member(ids(1)[0], "victim"), templates=[template])])
    assert (of_pool.action, of_frame.action) == ("watch", "challenge")


def test_an_explained_account_is_not_watched_for_its_numbers() -> None:
    for kind in ("authorised", "single_organisation", "public_benchmark"):
        (finding, *_) = judge([campaign(kind, accounts=[member(ids(1)[0])])], p_value=1e-9)
        assert finding.action == "allow"
    (unclear, *_) = judge([campaign("unclear", accounts=[member(ids(1)[0])], recommended_action="watch")])
    assert unclear.action == "watch"


def test_the_hardest_action_chooses_among_campaigns_then_the_share_and_linkage_comes_last() -> None:
    first = ids(1)[0]
    mild = harvest(member(first, share=0.9), action="throttle", campaign_id="mild")
    hard = harvest(member(first, share=0.1), action="challenge", campaign_id="hard")
    more = harvest(member(first, share=0.8), action="challenge", campaign_id="more")
    linked = harvest(member(first, "linked", share=1.0), action="block", campaign_id="linked")
    for campaigns in ([mild, hard, more, linked], [linked, more, hard, mild]):
        assert judge(campaigns)[0].campaign_id == "more"
    assert judge([linked])[0].campaign_id == "linked"


def test_reasons_add_up_to_the_score() -> None:
    pieces = [evidence("template_linkage", 20.0), evidence("partition", 10.0), evidence("shared_identity", 0.0)]
    found = judge([harvest(member(ids(1)[0]), evidence=pieces)], harvest_intent=[0.01, 0.04, 0.06])
    assert [reason.signal for reason in found[0].reasons] == ["template_linkage", "harvest_intent"]
    assert found[0].score_bits == pytest.approx(20.0 + evidence_bits(0.01))
    assert [reason.signal for reason in found[1].reasons] == ["harvest_intent"]
    assert found[2].reasons == []
    for finding in found:
        assert finding.score_bits == pytest.approx(sum(reason.bits for reason in finding.reasons))


def test_an_account_that_is_only_linked_has_only_the_linkage_as_reason() -> None:
    pieces = [evidence("template_linkage", 20.0), evidence("shared_identity", 9.0)]
    found = judge([harvest(member(ids(1)[0], "linked", share=0.0), evidence=pieces)])
    assert [reason.signal for reason in found[0].reasons] == ["shared_identity"]


def test_innocent_campaigns_are_no_reason() -> None:
    found = judge([campaign("public_benchmark", accounts=[member(ids(1)[0])])])
    assert found[0].reasons == []
    assert found[0].campaign_id == "cmp-1"


def test_what_could_not_be_assessed_is_named() -> None:
    nothing = dict.fromkeys(SIGNAL_NAMES, [np.nan] * 3)
    finding = judge([], **nothing)[0]
    assert finding.p_value is None
    assert set(SIGNAL_NAMES) < set(finding.not_assessable)
    assert {"template_linkage", "shared_identity", "shared_address", "handle_replay"} <= set(finding.not_assessable)


def test_what_the_log_carries_can_be_assessed() -> None:
    fields = frozenset({"device_id", "client_ip", "reasoning_handle_account"})
    people = Population(PEOPLE.table, PEOPLE.ratios, PEOPLE.store, PEOPLE.row_account, fields)
    found = judge_accounts(people, calibrated(3), [], 0.001, records_given=False)
    assert found[0].not_assessable == ["template_linkage"]
    with_records = judge_accounts(PEOPLE, calibrated(3), [], 0.001, records_given=True)
    assert "shared_identity" not in with_records[0].not_assessable
