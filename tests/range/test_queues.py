import random

import pytest

from stillwatch.errors import UsageError
from stillwatch_range.campaigns import CampaignPlan
from stillwatch_range.families.base import Source
from stillwatch_range.material import Dialogue, Material, Turn
from stillwatch_range.populations import Conversations
from stillwatch_range.queues import cover_shares, endless_cover, harvest_sizes, most_under, work_queue
from stillwatch_range.text import ANALYST


def plan(**settings: object) -> CampaignPlan:
    return CampaignPlan(**{"family": ANALYST, "accounts": 5, **settings})


def source(seed: int = 1) -> Source:
    return Source(random.Random(seed), Conversations(random.Random(1), {}), [f"task {n}" for n in range(30)])


def single(count: int) -> list[Dialogue]:
    return [(Turn(str(number)),) for number in range(count)]


def test_a_share_is_met_with_the_cover_of_all_campaigns() -> None:
    plans = [plan(share=0.05), plan(share=0.01, mixing=0.8), plan(exchanges=100, mixing=0.0)]
    first, second, third = harvest_sizes(plans, others=10_000, window_days=7)
    assert first
    assert second
    assert third == 100
    window = 10_000 + 100 + first * 2 + second * 5
    assert first / window == pytest.approx(0.05, abs=1e-3)
    assert second / window == pytest.approx(0.01, abs=1e-3)


def test_a_pace_counts_requests_per_account_and_day() -> None:
    sizes = harvest_sizes([plan(pace=20.0, start_day=2.0), plan(pace=2.0, stolen=True), plan()], 1, 7)
    assert sizes == [5 * 20 * 5 // 2, 5 * 2 * 7, None]


def test_shares_that_cannot_be_met_are_refused() -> None:
    with pytest.raises(UsageError, match="leave nothing"):
        harvest_sizes([plan(share=0.3), plan(share=0.3)], 100, 7)
    with pytest.raises(UsageError, match="no size"):
        harvest_sizes([plan(share=0.3), plan()], 100, 7)


def test_cover_goes_to_those_who_mix() -> None:
    plans = [plan(accounts=400), plan(accounts=9, mixing=0)]
    talks = Conversations(random.Random(1), {"x": single(50)})
    shares = cover_shares(plans, talks)
    assert [len(share) for share in shares] == [50, 0]
    assert [len(share) for share in cover_shares(plans[1:], talks)] == [0]
    assert [most_under(of, share) for of, share in zip(plans, shares, strict=True)] == [50, None]


def test_cover_that_runs_out_is_an_error() -> None:
    cover = endless_cover(Conversations(random.Random(1), {"x": single(1)}))
    next(cover)
    with pytest.raises(UsageError, match="too few ordinary conversations") as caught:
        next(cover)
    assert "invented_talks" in str(caught.value.hint)


def test_a_queue_has_exactly_the_exchanges_wanted(material: Material) -> None:
    for family in (ANALYST, "tools", "reasoning"):
        queue = work_queue(plan(family=family), material, source(), wanted=101, most=None)
        assert sum(map(len, queue)) == 101


def test_a_queue_takes_what_its_cover_allows(material: Material) -> None:
    assert len(work_queue(plan(), material, source(), wanted=None, most=50)) == 50
    assert len(work_queue(plan(), material, source(), wanted=None, most=None)) == 2000
    assert len(work_queue(plan(family="tags"), material, source(), wanted=None, most=10**6)) == 2000


@pytest.mark.parametrize("family", [ANALYST, "reasoning", "tools"])
def test_providers_that_share_a_queue_get_complementary_parts(material: Material, family: str) -> None:
    whole = work_queue(plan(family=family), material, source(7), wanted=200, most=None)
    parts = [
        work_queue(plan(family=family, queue_part=(part, 2)), material, source(7), wanted=80, most=None)
        for part in (1, 2)
    ]
    assert not set(parts[0]) & set(parts[1])
    assert parts[0][:5] == whole[:10:2]
    assert parts[1][:5] == whole[1:10:2]


def test_what_the_material_cannot_give_is_an_error(material: Material) -> None:
    with pytest.raises(UsageError, match="unknown family 'none'"):
        work_queue(plan(family="none"), material, source(), wanted=5, most=None)
    with pytest.raises(UsageError, match="4 exchanges are too few for 5 accounts"):
        work_queue(plan(), material, source(), wanted=4, most=None)
    with pytest.raises(UsageError, match="9000 exchanges wanted, 2000 to be had"):
        work_queue(plan(), material, source(), wanted=9000, most=None)
    with pytest.raises(UsageError, match="over 5 accounts: 5 exchanges wanted, 3 to be had"):
        work_queue(plan(), material, source(), wanted=None, most=3)
