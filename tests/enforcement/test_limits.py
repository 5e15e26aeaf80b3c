from hypothesis import given
from hypothesis import strategies as st

from stillwatch.enforcement.limits import Meter, Rate


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 4)), max_size=60))
def test_never_more_than_the_burst_and_what_time_allows(arrivals: list[tuple[float, int]]) -> None:
    rate = Rate(amount=60, per_s=60, burst=5)
    meter, passed, now = Meter(rate), [], 1000.0
    for gap, units in arrivals:
        now += gap
        if meter.wait("a", units, now) == 0.0:
            meter.charge("a", units, now)
            passed.append((now, units))
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            units = sum(count for _, count in passed[first : last + 1])
            assert units <= rate.burst + (passed[last][0] - passed[first][0]) + 1e-6


def test_the_wait_that_is_told_is_enough_and_not_too_long() -> None:
    meter = Meter(Rate(amount=1, per_s=10, burst=1))
    assert meter.wait("a", 1, 100.0) == 0.0
    meter.charge("a", 1, 100.0)
    wait = meter.wait("a", 1, 103.0)
    assert 6.9 < wait < 7.1
    assert meter.wait("a", 1, 103.0 + wait) == 0.0
    assert meter.wait("a", 1, 103.0 + wait - 0.1) > 0.0
    assert meter.wait("b", 1, 103.0) == 0.0


def test_one_request_over_the_whole_burst_is_late_and_not_impossible() -> None:
    meter = Meter(Rate(amount=100, per_s=60, burst=100))
    assert meter.wait("a", 5000, 0.0) == 0.0
    meter.charge("a", 5000, 0.0)
    assert meter.wait("a", 1, 60.0) > 0.0
    assert meter.wait("a", 5000, 60.0 * 50) == 0.0


def test_what_was_reserved_and_not_used_comes_back() -> None:
    meter = Meter(Rate(amount=100, per_s=60, burst=100))
    meter.charge("a", 100, 10.0)
    assert meter.wait("a", 50, 10.0) > 0.0
    meter.charge("a", -60, 10.0)
    assert meter.wait("a", 50, 10.0) == 0.0


def test_idle_keys_are_forgotten_and_the_rest_outlives_a_restart() -> None:
    meter = Meter(Rate(amount=1, per_s=10, burst=1))
    meter.charge("idle", 1, 0.0)
    meter.charge("busy", 9, 0.0)
    meter.sweep(20.0)
    assert len(meter) == 1
    other = Meter(meter.rate)
    other.load(meter.dump())
    assert other.wait("busy", 1, 20.0) == meter.wait("busy", 1, 20.0) > 0.0
