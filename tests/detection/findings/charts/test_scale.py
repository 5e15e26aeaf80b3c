import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detection.findings.charts.scale import Scale, round_domain, round_step


def test_scale_maps_the_ends_and_what_is_between() -> None:
    scale = Scale(0, 10, 100, 200)
    assert [scale(value) for value in (0, 5, 10)] == [100, 150, 200]


@pytest.mark.parametrize(
    ("span", "parts", "step"), [(10, 5, 2), (38, 6, 10), (0.9, 3, 0.5), (1700, 2, 1000), (1, 1, 1)]
)
def test_steps_are_round(span: float, parts: int, step: float) -> None:
    assert round_step(span, parts) == pytest.approx(step)


@given(st.floats(-1e6, 1e6), st.floats(0.001, 1e6), st.integers(1, 10))
def test_the_domain_holds_its_values_in_few_steps(low: float, span: float, parts: int) -> None:
    start, end, step = round_domain(low, low + span, parts)
    assert start <= low + 1e-6 * step
    assert end >= low + span - 1e-6 * step
    assert (end - start) / step <= parts + 2.001


def test_an_empty_span_still_has_an_axis() -> None:
    start, end, step = round_domain(0, 0, 3)
    assert start <= 0 <= end
    assert step > 0
