import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch_range.campaigns import (
    CampaignPlan,
    Failover,
    Search,
    apportion,
    choose_eager,
    enlist,
    share_out,
    shifts_of,
)
from stillwatch_range.ids import Identifiers
from stillwatch_range.material import Dialogue, Turn
from stillwatch_range.metadata import World
from stillwatch_range.populations import Account
from stillwatch_range.text import ANALYST


def enlisted(plan: CampaignPlan) -> list[Account]:
    ids = Identifiers(1)
    return enlist(World(random.Random(1), ids, 0, 500), ids, plan)[0]


def talks(count: int, turns: int = 1) -> list[Dialogue]:
    return [tuple(Turn(f"{number} {turn}") for turn in range(turns)) for number in range(count)]


@given(st.integers(0, 5000), st.lists(st.floats(0.01, 50), min_size=1, max_size=200))
def test_apportioning_loses_nothing(total: int, weights: list[float]) -> None:
    parts = apportion(total, weights)
    assert sum(parts) == total
    assert min(parts) >= min(1, total // len(weights))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mixing": 1.0}, "mixing lies in"),
        ({"mixing": -0.1}, "mixing lies in"),
        ({"accounts": 0}, "mixing lies in"),
        ({"shared_infrastructure": 2}, "mixing lies in"),
        ({"exchanges": 5, "share": 0.1}, "only one of"),
        ({"share": 0.6}, "share lies in"),
        ({"pace": 860.0}, "cannot be human"),
        ({"pace": 0.0}, "pace is positive"),
        ({"start_day": 3.0, "end_day": 2.0}, "start_day lies before"),
        ({"queue_part": (3, 2)}, "queue_part is"),
        ({"stolen": True, "pool": "a"}, "stolen keys have no"),
        ({"search": Search(variants=10, accounts=6, days=1)}, "no more accounts search"),
    ],
)
def test_impossible_plans_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CampaignPlan(**{"family": ANALYST, "accounts": 5, **change})


@pytest.mark.parametrize("mixing", [0.0, 0.5, 0.8])
def test_work_is_shared_without_repeats_and_mixed_as_planned(mixing: float) -> None:
    plan = CampaignPlan(family=ANALYST, accounts=20, mixing=mixing)
    accounts, queue = enlisted(plan), talks(300)
    cover = [(Turn(f"cover {number}"),) for number in range(3000)]
    share_out(random.Random(4), plan, accounts, queue, iter(cover), shifts=shifts_of(plan, 7))
    asked = [work.dialogue for account in accounts for work in account.window if work.harvest]
    mixed = [turn for account in accounts for work in account.window if not work.harvest for turn in work.dialogue]
    assert sorted(asked) == sorted(queue)
    assert len(mixed) / (len(mixed) + len(asked)) == pytest.approx(mixing, abs=0.05)
    assert all(any(work.harvest for work in account.window) for account in accounts)


def test_cover_follows_the_requests_of_a_harvest_of_many_turns() -> None:
    plan = CampaignPlan(family="tools", accounts=4)
    accounts = enlisted(plan)
    share_out(random.Random(1), plan, accounts, talks(40, turns=5), iter(talks(900)), shifts=shifts_of(plan, 7))
    sent = [len(work.dialogue) for account in accounts for work in account.window if not work.harvest]
    assert sum(sent) == pytest.approx(200, abs=4)


def test_after_a_ban_the_standby_pool_goes_on() -> None:
    plan = CampaignPlan(family=ANALYST, accounts=10, failover=Failover(day=4.5, standby=5), start_day=1, spread=0.1)
    accounts = enlisted(plan)
    share_out(random.Random(1), plan, accounts, talks(600), iter(talks(900)), shifts=shifts_of(plan, 7))
    days = [{work.shift.days for work in account.window if work.shift} for account in accounts]
    assert days == [{(1.0, 4.5)}] * 10 + [{(4.5, 7)}] * 5
    first, second = (
        sum(work.harvest for account in part for work in account.window) for part in (accounts[:10], accounts[10:])
    )
    assert first / second == pytest.approx(10 * 3.5 / (5 * 2.5), rel=0.15)


def test_a_harvest_starts_after_its_search() -> None:
    plan = CampaignPlan(family=ANALYST, accounts=5, search=Search(variants=9, accounts=2, days=2.0), end_day=5.0)
    assert plan.days(7) == (2.0, 5.0)
    assert {shift.days for shift in shifts_of(plan, 7)} == {(2.0, 5.0)}


def test_a_pivot_takes_the_part_that_is_planned() -> None:
    plan = CampaignPlan(family=ANALYST, accounts=40, pivot=0.5)
    accounts = enlisted(plan)
    choose_eager(random.Random(1), plan, accounts)
    assert sum(account.eager for account in accounts) == 20


def test_residential_accounts_sit_at_home_and_programs_use_no_browser() -> None:
    home = enlisted(CampaignPlan(family=ANALYST, accounts=60, residential=True, shared_infrastructure=0.0))
    assert len({account.party.client.addresses[0] for account in home}) == 60
    busy = enlisted(CampaignPlan(family=ANALYST, accounts=30, rhythm="daily", pace=860))
    assert all(account.party.client.channel != "app" for account in busy)


def test_a_part_of_the_accounts_comes_through_a_cloud() -> None:
    plan = CampaignPlan(family=ANALYST, accounts=200, channel="cloud-south", channel_share=0.3)
    through = [account for account in enlisted(plan) if account.party.client.channel == "cloud-south"]
    assert 35 < len(through) < 85
    assert all(account.party.client.devices == [] for account in through)


def test_the_accounts_of_a_campaign_have_one_name_for_it() -> None:
    accounts = enlisted(CampaignPlan(family=ANALYST, accounts=30))
    assert len({account.account_id for account in accounts}) == 30
    assert len({account.campaign for account in accounts}) == 1
    assert len({account.party.identity.org_id for account in accounts}) == 30
