import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stillwatch.statistics import (
    MAX_BITS,
    binomial_tail,
    clopper_pearson,
    conformal_p_values,
    effective_number,
    evidence_bits,
    overdispersed_tail,
    uniform_p_value,
)

SCORES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


def test_conformal_p_values_of_a_case_worked_by_hand() -> None:
    calibration = np.array([3.0, 1.0, 2.0, np.nan, 2.0])
    p_values = conformal_p_values(calibration, np.array([0.0, 2.0, 2.5, 3.0, 9.0, np.nan]))
    assert p_values[:5].tolist() == [1.0, 0.8, 0.4, 0.4, 0.2]
    assert math.isnan(p_values[5])


@given(SCORES, SCORES)
def test_a_conformal_p_value_counts_the_calibration_scores_that_are_no_smaller(
    calibration: list[float], scores: list[float]
) -> None:
    p_values = conformal_p_values(np.array(calibration), np.array(scores))
    for score, p_value in zip(scores, p_values, strict=True):
        assert p_value == (1 + sum(known >= score for known in calibration)) / (len(calibration) + 1)


def test_without_calibration_nothing_is_unusual() -> None:
    assert conformal_p_values(np.array([np.nan]), np.array([5.0])).tolist() == [1.0]


@pytest.mark.parametrize("ties", [False, True])
def test_conformal_p_values_are_uniform_or_larger_if_accounts_are_exchangeable(ties: bool) -> None:  # noqa: FBT001
    rng = np.random.default_rng(7)
    runs, size = 20_000, 39
    scores = rng.standard_t(2, (runs, size + 1))
    if ties:
        scores = np.round(scores)
    p_values = np.array([conformal_p_values(row[1:], row[:1])[0] for row in scores])
    for level in (0.025, 0.1, 0.5):
        rejected = int((p_values <= level).sum())
        assert stats.binomtest(rejected, runs, level, alternative="greater").pvalue > 1e-4
        if not ties:
            assert stats.binomtest(rejected, runs, level).pvalue > 1e-4


@pytest.mark.parametrize(("p_value", "bits"), [(1.0, 0.0), (math.exp(-1), 0.0), (0.05, 1.297), (0.01, 2.998)])
def test_evidence_bits_follow_the_published_bound(p_value: float, bits: float) -> None:
    # Sellke, Bayarri & Berger 2001: p = 0.05 bounds the odds at 2.46 to 1, p = 0.01 at 7.99 to 1.
    assert evidence_bits(p_value) == pytest.approx(bits, abs=1e-3)


@given(st.floats(0, 1), st.floats(0, 1))
def test_evidence_never_falls_as_the_p_value_falls(one: float, other: float) -> None:
    assert 0 <= evidence_bits(max(one, other)) <= evidence_bits(min(one, other)) <= MAX_BITS


def test_evidence_has_an_end_and_is_nothing_where_nothing_is_known() -> None:
    assert evidence_bits(0.0) == MAX_BITS
    assert evidence_bits(math.nan) == 0.0


@pytest.mark.parametrize(
    ("successes", "trials", "limits"),
    [(0, 10, (0.0, 0.3085)), (10, 10, (0.6915, 1.0)), (1, 20, (0.0013, 0.2487)), (0, 0, (0.0, 1.0))],
)
def test_clopper_pearson_gives_the_tabulated_limits(successes: int, trials: int, limits: tuple[float, float]) -> None:
    assert clopper_pearson(successes, trials) == pytest.approx(limits, abs=5e-5)


@pytest.mark.parametrize("rate", [0.001, 0.03, 0.37, 0.95])
def test_clopper_pearson_covers_the_true_rate_at_least_as_often_as_it_says(rate: float) -> None:
    trials = 60
    outcomes = np.arange(trials + 1)
    limits = np.array([clopper_pearson(int(count), trials) for count in outcomes])
    covered = (limits[:, 0] <= rate) & (rate <= limits[:, 1])
    assert stats.binom.pmf(outcomes, trials, rate)[covered].sum() >= 0.95


@given(st.integers(0, 40), st.integers(0, 40), st.floats(0, 1))
def test_the_binomial_tail_is_the_sum_of_its_terms(at_least: int, trials: int, rate: float) -> None:
    terms = [math.comb(trials, count) * rate**count * (1 - rate) ** (trials - count) for count in range(trials + 1)]
    assert binomial_tail(at_least, trials, rate) == pytest.approx(sum(terms[at_least:]), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 30), st.floats(1.1, 4))
def test_the_overdispersed_tail_has_the_mean_and_variance_that_it_is_given(mean: float, dispersion: float) -> None:
    tail = np.array([overdispersed_tail(count, mean, dispersion) for count in range(1, 600)])
    average = tail.sum()
    second = ((2 * np.arange(1, 600) - 1) * tail).sum()
    assert average == pytest.approx(mean, rel=1e-6)
    assert second - average**2 == pytest.approx(mean * dispersion, rel=1e-6)


@given(st.integers(1, 50), st.integers(1, 2**40))
def test_equal_shares_are_as_many_as_they_are(shares: int, size: int) -> None:
    assert effective_number(np.full(shares, size)) == pytest.approx(shares)


def test_one_busy_account_does_not_hide_the_others() -> None:
    assert effective_number(np.array([12, 48, 5, 4, 136, 37])) > 3
    assert effective_number(np.array([500, 2, 2, 2])) < 1.1


@given(st.lists(st.integers(0, 2**40), max_size=20))
def test_the_effective_number_lies_between_one_and_the_shares_that_are_not_empty(counts: list[int]) -> None:
    filled = sum(count > 0 for count in counts)
    number = effective_number(np.array(counts, np.int64))
    assert number == 0 if filled == 0 else 1 - 1e-9 <= number <= filled + 1e-9


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_the_uniform_p_value_bounds_that_of_the_exact_test_closely_where_it_matters(values: list[float]) -> None:
    exact = stats.kstest(values, "uniform", method="exact").pvalue
    found = uniform_p_value(np.array(values))
    assert exact - 1e-12 <= found <= 1
    if exact < 0.05:
        assert found <= exact * (1 + 1e-3) + 1e-12
