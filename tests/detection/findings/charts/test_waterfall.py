import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detection.findings import campaigns

from stillwatch.detection.findings.charts.waterfall import WIDTH, waterfall
from stillwatch.detection.findings.model import Evidence


def pieces(*bits: float) -> list[Evidence]:
    return [Evidence(factor="pattern", signal=f"s{i}", bits=b, p_value=None, detail="") for i, b in enumerate(bits)]


def test_start_terms_and_sum() -> None:
    chart = waterfall(campaigns.harvest().evidence)
    assert [step.kind for step in chart.steps] == ["start", *["for"] * 5, "against", "total"]
    assert [step.value for step in chart.steps[:2]] == ["0", "+18.4"]
    assert chart.steps[-1].value == "+38.0"
    assert chart.steps[-1].x == chart.zero


@given(st.lists(st.floats(-60, 60), min_size=1, max_size=40))
def test_each_bar_starts_where_the_last_one_ended(bits: list[float]) -> None:
    chart = waterfall(pieces(*bits))
    terms = chart.steps[1:-1]
    at = chart.zero
    for step in terms:
        ends = (step.x, step.x + step.width)
        assert any(end == pytest.approx(at, abs=2.1) for end in ends)
        assert step.link is not None
        at = step.link
    total = chart.steps[-1]
    assert total.link is None
    assert at == pytest.approx(total.x, abs=2.1) or at == pytest.approx(total.x + total.width, abs=2.1)


@given(st.lists(st.floats(-300, 300), max_size=40))
def test_everything_is_inside_the_picture(bits: list[float]) -> None:
    chart = waterfall(pieces(*bits))
    assert all(step.x >= 0 and step.value_x <= WIDTH - 50 for step in chart.steps)
    assert all(0 <= step.y < chart.height for step in chart.steps)
    assert 2 <= len(chart.ticks) <= 9


def test_many_pieces_become_one_bar_of_the_lightest() -> None:
    chart = waterfall(pieces(*range(20, 0, -1)))
    terms = chart.steps[1:-1]
    assert len(terms) == 12
    assert (terms[-1].label, terms[-1].sublabel, terms[-1].value) == ("Further evidence", "9 lighter pieces", "+45.0")
    assert chart.steps[-1].value == "+210.0"


def test_no_evidence() -> None:
    chart = waterfall([])
    assert [step.kind for step in chart.steps] == ["start", "total"]
    assert chart.description == "No evidence was recorded."


def test_the_description_says_what_the_bars_show() -> None:
    assert "rare template) +18.4" in waterfall(campaigns.harvest().evidence).description
