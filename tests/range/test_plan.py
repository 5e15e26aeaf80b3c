import pytest

from stillwatch_range.plan import Scenario


@pytest.mark.parametrize("change", [{"returning": 1.2}, {"days": 0}, {"benign_accounts": -1}, {"release_day": 8.0}])
def test_impossible_windows_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"returning lies in|release_day lies in"):
        Scenario(**{"name": "x", **change})


def test_a_model_is_released_half_way_unless_the_scenario_says_when() -> None:
    assert Scenario(name="x").released() == pytest.approx(3 + 17 / 24)
    assert Scenario(name="x", release_day=1.5).released() == 1.5
