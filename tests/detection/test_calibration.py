from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests.detection.factories import account_table, empty_store, ids, numbers_only, records

from stillwatch.detection import calibration
from stillwatch.detection.calibration import MIN_SEGMENT, OTHER, Calibrated, calibrate, segments
from stillwatch.detection.population import Floats, Population


class Given:
    """A signal whose scores are a feature of the accounts, below zero standing for not assessable."""

    wording = "as it is given"

    def __init__(self, column: str) -> None:
        self.name = column
        self.column = column

    def scores(self, population: Population, reference: Population) -> tuple[Floats, Floats]:
        """Return the feature of both periods."""
        return tuple(self._of(period) for period in (population, reference))  # type: ignore[return-value]

    def _of(self, period: Population) -> Floats:
        values = period.ints(self.column).astype(np.float64)
        return np.where(values < 0, np.nan, values)


def people(rng: np.random.Generator, accounts: int, prefix: str = "a", **columns: Any) -> Population:
    drawn = {name: rng.integers(0, 2**40, accounts) for name in ("gap_max", "keys", "models")}
    return numbers_only(ids(accounts, prefix), **drawn | columns)


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "SIGNALS", tuple(map(Given, ("gap_max", "keys", "models"))))


@pytest.mark.usefixtures("three")
def test_p_values_of_accounts_like_the_others_are_uniform_and_their_combination_is_not_too_small() -> None:
    rng = np.random.default_rng(1)
    single, combined = [], []
    for _ in range(300):  # one account per history, for p-values against one history hang together
        found = calibrate(people(rng, 1), people(rng, 199, "b"), None, 0.001)
        single += [float(p[0]) for p in found.by_signal.values()]
        combined.append(float(found.p_value[0]))
    assert stats.kstest(single, "uniform").pvalue > 1e-3
    for level in (0.02, 0.05, 0.2, 0.5):
        assert (np.array(combined) <= level).sum() <= stats.binom.ppf(1 - 1e-4, len(combined), level)


@pytest.mark.usefixtures("three")
def test_a_signal_that_is_not_assessable_does_not_count_among_those_tried() -> None:
    rng = np.random.default_rng(2)
    window = people(rng, 2, keys=[-1, 2**50], models=[-1, -1], gap_max=[2**50, -1])
    found = calibrate(window, people(rng, 99, "b"), None, 0.001)
    assert np.isnan(found.by_signal["models"]).all()
    assert found.p_value.tolist() == pytest.approx([0.01, 0.01])
    nothing = calibrate(people(rng, 1, keys=[-1], models=[-1], gap_max=[-1]), people(rng, 99, "b"), None, 0.001)
    assert np.isnan(nothing.p_value).all()


@pytest.mark.usefixtures("three")
def test_a_signal_that_no_reference_account_has_is_not_assessable() -> None:
    rng = np.random.default_rng(3)
    found = calibrate(people(rng, 5), people(rng, 99, "b", keys=[-1] * 99), None, 0.001)
    assert np.isnan(found.by_signal["keys"]).all()
    assert not np.isnan(found.by_signal["gap_max"]).any()


@pytest.mark.usefixtures("three")
def test_accounts_are_held_against_their_own_segment() -> None:
    rng = np.random.default_rng(4)
    heavy = np.where(np.arange(400) < 200, 10**6, 10) + np.arange(400)
    channel = ["batch"] * 200 + ["app"] * 200
    history = people(rng, 400, "b", gap_max=heavy, channel=channel)
    window = people(rng, 2, gap_max=[10**6, 10**6], channel=["batch", "app"])
    found = calibrate(window, history, None, 0.001)
    assert found.segment.tolist() == ["batch", "app"]
    assert found.by_signal["gap_max"].tolist() == [1.0, pytest.approx(1 / 201)]


@pytest.mark.usefixtures("three")
def test_small_segments_are_taken_together() -> None:
    rng = np.random.default_rng(5)
    channel = ["api"] * MIN_SEGMENT + ["rare"] * (MIN_SEGMENT - 1)
    history = people(rng, len(channel), "b", channel=channel)
    found = calibrate(people(rng, 3, channel=["api", "rare", "unheard of"]), history, None, 0.001)
    assert found.segment.tolist() == ["api", OTHER, OTHER]


def declared(found: Calibrated, level: float) -> list[tuple[str, float | None]]:
    return [(row.segment, row.realised_fpr) for row in found.table if row.declared_fpr == level]


@pytest.mark.usefixtures("three")
def test_the_table_holds_declared_against_realised_rates_on_accounts_held_out() -> None:
    rng = np.random.default_rng(6)
    found = calibrate(people(rng, 10), people(rng, 4_000, "b"), None, 0.02)
    assert {row.declared_fpr for row in found.table} == {0.01, 0.02, 0.05}
    for row in found.table:
        assert row.source == "history"
        assert row.accounts == 4_000
        assert 1_800 < row.held_out < 2_200
        assert row.low is not None
        assert row.high is not None
        assert row.low <= row.declared_fpr <= row.high
    same = people(rng, 300)
    within = calibrate(same, same, None, 0.001)
    assert {row.source for row in within.table} == {"window"}


@pytest.mark.usefixtures("three")
def test_a_table_without_accounts_held_out_says_nothing() -> None:
    rng = np.random.default_rng(7)
    found = calibrate(people(rng, 1), people(rng, 1, "b"), None, 0.001)
    assert all((row.realised_fpr is None) == (row.held_out == 0) for row in found.table)
    empty = people(rng, 0)
    assert calibrate(empty, empty, None, 0.001).p_value.size == 0


def test_a_segment_is_channel_and_plan() -> None:
    window = numbers_only(ids(3), channel=["api", None, "app"])
    rows = [{"account_id": ids(3)[0], "plan": "team"}, {"account_id": ids(3)[2], "plan": ""}]
    assert segments(window, records(rows)).tolist() == ["api / team", "any channel", "app"]
    assert segments(window, None).tolist() == ["api", "any channel", "app"]
    assert segments(numbers_only([]), None).tolist() == []


def test_a_long_name_costs_no_more_than_its_length() -> None:
    """A fixed-width array would take 400 MB here."""
    channel = ["c" * 1_000, *["api"] * 99_999]
    window = Population.of(account_table(ids(100_000), channel=channel), empty_store(), frozenset())
    assert segments(window, None).nbytes < 10**6
