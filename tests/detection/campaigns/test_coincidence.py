import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.detection.factories import facts

from stillwatch.detection.campaigns.coincidence import InnocentFrames, coincidence_p_value, pair_rate


def test_the_rate_counts_pairs_and_is_never_zero() -> None:
    assert pair_rate([], 101) == pytest.approx(1 / 5051)
    assert pair_rate([facts(range(4)), facts(range(3))], 101) == pytest.approx((6 + 3 + 1) / 5051)
    assert pair_rate([], 0) == 1.0
    assert pair_rate([facts(range(12))], 2) == 1.0


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0, 1))
def test_a_p_value_is_one(family: int, owners: int, rate: float) -> None:
    assert 0.0 <= coincidence_p_value(family, owners, rate) <= 1.0


@given(st.integers(2, 40), st.integers(41, 10_000), st.floats(1e-9, 0.5))
def test_more_owners_are_less_likely_by_chance_and_a_higher_rate_makes_it_likelier(
    family: int, owners: int, rate: float
) -> None:
    assert coincidence_p_value(family + 1, owners, rate) <= coincidence_p_value(family, owners, rate)
    assert coincidence_p_value(family, owners, rate) <= coincidence_p_value(family, owners, rate * 2)


def test_nobody_shares_with_himself() -> None:
    assert coincidence_p_value(1, 100, 1e-9) == 1.0


def test_p_values_are_not_too_small_where_pairs_meet_by_chance() -> None:
    """Whoever is seen from: the largest circle around any owner, where each pair meets with the given rate."""
    rng = np.random.default_rng(1)
    owners, rate, trials = 120, 0.01, 400
    p_values = []
    for _ in range(trials):
        meets = np.triu(rng.random((owners, owners)) < rate, 1)
        largest = 1 + int((meets | meets.T).sum(axis=1).max())
        p_values.append(coincidence_p_value(largest, owners, rate))
    for level in (0.01, 0.05, 0.2):
        assert (np.array(p_values) <= level).sum() <= stats.binom.ppf(1 - 1e-4, trials, level)


def test_what_innocent_owners_did_before_is_no_evidence_however_many_they_were() -> None:
    innocent = InnocentFrames(rate=1e-6, sizes=(100,))
    assert innocent.p_value(90, 10_000) == 1.0
    assert innocent.p_value(101, 10_000) == coincidence_p_value(101, 10_000, 1e-6) < 1e-6
