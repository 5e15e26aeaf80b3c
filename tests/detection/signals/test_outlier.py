import numpy as np
import pytest
from tests.detection.factories import ids, numbers_only

from stillwatch.detection.population import Population
from stillwatch.detection.signals.outlier import Outlier


def people(rng: np.random.Generator, accounts: int, heavy: int = 0) -> Population:
    exchanges = rng.poisson(20, accounts) + 1
    exchanges[:heavy] = 100_000
    return numbers_only(ids(accounts), exchanges=exchanges, active_hours=rng.poisson(6, accounts) + 1)


def test_a_heavy_account_scores_above_all_ordinary_ones() -> None:
    rng = np.random.default_rng(1)
    here, there = Outlier().scores(people(rng, 50, heavy=1), people(rng, 200))
    assert here[0] > here[1:].max()
    assert here[0] > there.max()


def test_no_account_can_count_for_more_than_its_bound() -> None:
    here, _ = Outlier().scores(numbers_only(["a"], exchanges=[2**62]), numbers_only(ids(100)))
    assert here[0] <= 9 * 64.0


def test_features_that_nobody_has_count_as_ordinary() -> None:
    here, there = Outlier().scores(numbers_only(ids(5)), numbers_only(ids(5)))
    assert np.isfinite(here).all()
    assert here.tolist() == there.tolist()


def test_periods_without_accounts() -> None:
    here, there = Outlier().scores(numbers_only([]), numbers_only(ids(3)))
    assert (here.size, there.size) == (0, 3)
    here, there = Outlier().scores(numbers_only(ids(3)), numbers_only([]))
    assert (here.size, there.size) == (3, 0)


@pytest.mark.parametrize("feature", ["exchanges", "busiest_hour", "active_hours", "ips", "sessions"])
def test_each_amount_is_looked_at(feature: str) -> None:
    rng = np.random.default_rng(2)
    ordinary = rng.poisson(9, 100) + 1
    odd = ordinary.copy()
    odd[7] = 5_000
    here, there = Outlier().scores(
        numbers_only(ids(100), **{feature: odd}), numbers_only(ids(100), **{feature: ordinary})
    )
    assert np.argmax(here) == 7
    assert here[7] > there.max()
