from hypothesis import given
from hypothesis import strategies as st
from tests.enforcement.gateways.fakes import Clock

from stillwatch.enforcement.gateways.breaker import Breaker


def test_it_opens_after_failures_in_a_row_and_closes_with_an_answer() -> None:
    clock = Clock()
    breaker = Breaker(clock, failures=3, pause_s=10.0)
    breaker.failed()
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    breaker.failed()
    assert breaker.lets_through()
    breaker.failed()
    assert breaker.is_open
    assert not breaker.lets_through()
    clock.now_s += 10.0
    assert breaker.lets_through()
    assert not breaker.lets_through()
    breaker.succeeded()
    assert not breaker.is_open
    assert breaker.lets_through()


def test_a_probe_that_came_to_no_end_does_not_keep_it_open_for_ever() -> None:
    clock = Clock()
    breaker = Breaker(clock, failures=1, pause_s=1.0)
    breaker.failed()
    for _ in range(3):
        clock.now_s += 1.0
        assert breaker.lets_through()


STEPS = st.lists(st.one_of(st.just("fail"), st.just("succeed"), st.just("call"), st.floats(0.0, 3.0)), max_size=80)


@given(STEPS, st.integers(1, 5))
def test_open_means_failures_since_the_last_answer_and_one_probe_a_pause(steps: list[str | float], most: int) -> None:
    clock = Clock()
    breaker = Breaker(clock, failures=most, pause_s=1.0)
    failures, probes = 0, [float("-inf")]
    for step in steps:
        if isinstance(step, float):
            clock.now_s += step
        elif step == "fail":
            breaker.failed()
            failures += 1
            if failures == most:
                probes.append(clock.now_s)
        elif step == "succeed":
            breaker.succeeded()
            failures = 0
        elif breaker.lets_through() and failures >= most:
            assert clock.now_s - probes[-1] >= 1.0
            probes.append(clock.now_s)
        assert breaker.is_open == (failures >= most)
