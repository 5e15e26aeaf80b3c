import re
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.detection.findings import campaigns

from stillwatch.detection.findings.charts.timeline import timeline
from stillwatch.detection.findings.model import DailyCount

counts = st.tuples(st.integers(0, 500), st.integers(0, 10**9), st.integers(0, 10**9))


def bucket(hour: int, campaign: int, population: int) -> DailyCount:
    start = (campaigns.START + timedelta(hours=hour)).isoformat()
    return DailyCount(start=start, campaign=campaign, population=population)


def test_no_buckets_no_picture() -> None:
    assert timeline([]) is None


def test_days_stay_days() -> None:
    chart = timeline(campaigns.harvest().timeline)
    assert chart is not None
    assert chart.bin_length == timedelta(days=1)
    assert len(chart.bins) == 28
    assert [tick.label for tick in chart.ticks][:2] == ["1 May", "6 May"]
    assert "busiest in the bar of 16 May (UTC) with 1,696 of 14,951 exchanges" in chart.description


@given(st.lists(counts, min_size=1, max_size=200))
def test_joining_loses_nothing_and_stays_readable(rows: list[tuple[int, int, int]]) -> None:
    chart = timeline([bucket(*row) for row in rows])
    assert chart is not None
    assert sum(b.campaign for b in chart.bins) == sum(row[1] for row in rows)
    assert sum(b.population for b in chart.bins) == sum(row[2] for row in rows)
    assert len(chart.bins) <= 60
    assert len(chart.ticks) <= 7
    for panel in chart.panels:
        xs = [float(x) for x in re.findall(r"[MH](-?[\d.]+)", panel.path)]
        ys = [float(y) for y in re.findall(r"V(-?[\d.]+)", panel.path)]
        assert all(chart.left <= x <= chart.right for x in xs)
        assert all(panel.top <= y <= panel.base for y in ys)


def test_hours_are_told_with_their_time() -> None:
    chart = timeline([bucket(hour, hour, 10 * hour) for hour in range(48)])
    assert chart is not None
    assert chart.bin_length == timedelta(hours=1)
    assert chart.ticks[1].label == "1 May 08:00"
    assert "1 May 23:00" not in chart.description
    assert "2 May 23:00" in chart.description


def test_one_bucket_alone() -> None:
    chart = timeline([bucket(0, 3, 12)])
    assert chart is not None
    assert (len(chart.bins), len(chart.ticks)) == (1, 1)
    assert chart.bins[0].share == 0.25


def test_a_time_without_traffic_has_no_share() -> None:
    chart = timeline([bucket(0, 0, 0)])
    assert chart is not None
    assert chart.bins[0].share == 0
