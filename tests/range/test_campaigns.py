import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch_range.campaigns import CampaignPlan, _apportion, cover_shares, enlist, share_out, work_queue
from stillwatch_range.ids import Identifiers
from stillwatch_range.material import Material, Turn
from stillwatch_range.metadata import World
from stillwatch_range.populations import Conversations
from stillwatch_range.text import ANALYST


@given(st.integers(0, 5000), st.lists(st.floats(0.01, 50), min_size=1, max_size=200))
def test_apportioning_loses_nothing(total: int, weights: list[float]) -> None:
    parts = _apportion(total, weights)
    assert sum(parts) == total
    assert min(parts) >= min(1, total // len(weights))


@pytest.mark.parametrize("change", [{"mixing": 1.0}, {"mixing": -0.1}, {"accounts": 0}, {"shared_infrastructure": 2}])
def test_impossible_plans_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="mixing lies in"):
        CampaignPlan(**{"family": ANALYST, "accounts": 5, **change})


@pytest.mark.parametrize("mixing", [0.0, 0.5, 0.8])
def test_work_is_shared_without_repeats_and_mixed_as_planned(material: Material, mixing: float) -> None:
    plan = CampaignPlan(family=ANALYST, accounts=20, mixing=mixing, exchanges=None if mixing else 300)
    ids = Identifiers(1)
    accounts = enlist(World(random.Random(1), ids, 0, 500), ids, plan)
    (cover,) = cover_shares([plan], Conversations(random.Random(2), material.populations))
    queue = work_queue(random.Random(3), plan, material, cover)
    share_out(random.Random(4), plan, accounts, queue, cover)
    asked = [work.dialogue for account in accounts for work in account.window if work.harvest]
    mixed = [turn for account in accounts for work in account.window if not work.harvest for turn in work.dialogue]
    assert sorted(asked) == sorted(queue)
    assert len(mixed) / (len(mixed) + len(asked)) == pytest.approx(mixing, abs=0.05)
    assert all(any(work.harvest for work in account.window) for account in accounts)


def test_cover_goes_to_those_who_mix() -> None:
    plans = [CampaignPlan(family="a", accounts=400), CampaignPlan(family="b", accounts=9, mixing=0)]
    talks = Conversations(random.Random(1), {"x": [(Turn(str(number)),) for number in range(50)]})
    assert [len(share) for share in cover_shares(plans, talks)] == [50, 0]
    assert [len(share) for share in cover_shares(plans[1:], talks)] == [0]


def test_the_accounts_of_a_campaign_have_one_name_for_it() -> None:
    ids = Identifiers(1)
    accounts = enlist(World(random.Random(1), ids, 0, 500), ids, CampaignPlan(family=ANALYST, accounts=30))
    assert len({account.account_id for account in accounts}) == 30
    assert len({account.campaign for account in accounts}) == 1
    assert len({account.party.identity.org_id for account in accounts}) == 30
