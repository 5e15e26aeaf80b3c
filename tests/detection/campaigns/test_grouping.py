import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.detection.factories import facts

from stillwatch.detection.campaigns.grouping import group_families
from stillwatch.detection.findings.model import Kind

NONE = np.full(400, -1)


def test_families_that_the_same_accounts_send_are_one_campaign() -> None:
    one, two = facts(range(20), each=9), facts(range(2, 20), first_row=1_000)
    apart = facts(range(100, 112), first_row=2_000)
    groups = group_families([(one, "harvest"), (two, "harvest"), (apart, "harvest")], NONE)
    assert [len(group.families) for group in groups] == [2, 1]
    assert groups[0].families[0] is one
    assert groups[0].accounts.tolist() == list(range(20))
    assert groups[0].rows.size == one.rows.size + two.rows.size


def test_actors_that_share_half_of_a_pool_are_one_campaign_with_a_frame_each() -> None:
    large, half, less = facts(range(30), each=9), facts(range(24, 36), first_row=1_000), facts(range(25, 36), each=3)
    assert [len(group.families) for group in group_families([(large, "harvest"), (half, "harvest")], NONE)] == [2]
    assert [len(group.families) for group in group_families([(large, "harvest"), (less, "harvest")], NONE)] == [1, 1]


def test_families_of_different_kinds_stay_apart() -> None:
    groups = group_families([(facts(), "harvest"), (facts(first_row=900), "public_benchmark")], NONE)
    assert sorted(group.kind for group in groups) == ["harvest", "public_benchmark"]


def test_a_community_joins_families_of_different_accounts() -> None:
    left, right = facts(range(10)), facts(range(10, 20), first_row=1_000)
    community = NONE.copy()
    judged: list[tuple[object, Kind]] = [(left, "harvest"), (right, "harvest")]
    assert len(group_families(judged, community)) == 2  # type: ignore[arg-type]
    community[4:16] = 3
    assert len(group_families(judged, community)) == 1  # type: ignore[arg-type]
    community[4:16] = NONE[4:16]
    community[[0, 10]] = 3
    assert len(group_families(judged, community)) == 2  # type: ignore[arg-type]


def test_a_fragment_joins_the_campaign_of_its_accounts_and_brings_no_stranger_in() -> None:
    campaign = facts(range(20), each=9)
    fragment = facts([*range(5), 200], each=2, first_row=1_000)
    stranger = facts(range(300, 306), each=2, first_row=2_000)
    groups = group_families([(campaign, "harvest"), (fragment, "unclear"), (stranger, "unclear")], NONE)
    assert [(group.kind, len(group.families)) for group in groups] == [("harvest", 2), ("unclear", 1)]
    assert 200 not in groups[0].accounts
    assert groups[0].rows.size == 180 + 10


KINDS = st.sampled_from(["harvest", "public_benchmark", "single_organisation", "unclear"])


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(4, 12), KINDS), max_size=8), st.randoms())
def test_no_exchange_is_lost_or_counted_twice_and_order_does_not_matter(
    drawn: list[tuple[int, int, Kind]], shuffler: object
) -> None:
    judged = [
        (facts(range(start, start + size), first_row=1_000 * number), kind)
        for number, (start, size, kind) in enumerate(drawn)
    ]
    groups = group_families(list(judged), NONE)
    rows = np.concatenate([np.empty(0, np.int64), *(group.rows for group in groups)])
    every = np.concatenate([np.empty(0, np.int64), *(family.rows for family, _ in judged)])
    assert np.unique(rows).size == rows.size
    assert set(rows) <= set(every)
    shuffled = list(judged)
    shuffler.shuffle(shuffled)  # type: ignore[attr-defined]
    again = group_families(shuffled, NONE)
    assert sorted(group.rows.tolist() for group in groups) == sorted(group.rows.tolist() for group in again)
