"""A campaign's exchanges over time, above everybody's over the same time, each on its own axis."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stillwatch.detection.findings.charts.scale import Scale, Tick, round_domain
from stillwatch.detection.findings.formats import count, parse_instant, percent, short_moment
from stillwatch.detection.findings.model import DailyCount

WIDTH = 760
_LEFT, _RIGHT = 64, 12
_PANEL, _GAP, _TITLE = 92, 22, 20
_MOST_BINS = 60
_MOST_TICKS = 6


@dataclass(frozen=True, slots=True)
class Bin:
    """Exchanges in one bar of the picture."""

    start: datetime
    campaign: int
    population: int

    @property
    def share(self) -> float:
        """Part of everybody's exchanges that the campaign made, 0 where there were none."""
        return self.campaign / self.population if self.population else 0.0


@dataclass(frozen=True, slots=True)
class Panel:
    """One row of bars: an SVG path, the axis of its counts, and its place."""

    name: str
    path: str
    top: int
    base: int
    ticks: list[Tick]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The picture; `bins` are also the rows of the table beside it."""

    height: int
    bins: list[Bin]
    bin_length: timedelta
    panels: list[Panel]
    ticks: list[Tick]
    description: str
    width: int = WIDTH
    left: int = _LEFT
    right: int = WIDTH - _RIGHT


def timeline(buckets: Sequence[DailyCount]) -> Timeline | None:
    """Lay out the buckets of one campaign, joining neighbours beyond 60 bars; None where there are no buckets."""
    if not buckets:
        return None
    bins, length, slots = _bins(buckets)
    first = bins[0].start
    x = Scale(0, slots, _LEFT, WIDTH - _RIGHT)
    places = [round((b.start - first) / length) for b in bins]
    panels = [
        _panel("Campaign", [b.campaign for b in bins], places, x, top=_TITLE),
        _panel("All traffic", [b.population for b in bins], places, x, top=2 * _TITLE + _PANEL + _GAP),
    ]
    with_hour = length < timedelta(days=1)
    every = math.ceil(slots / _MOST_TICKS)
    ticks = [Tick(x(slot), short_moment(first + slot * length, with_hour=with_hour)) for slot in range(0, slots, every)]
    return Timeline(
        height=panels[-1].base + 24,
        bins=bins,
        bin_length=length,
        panels=panels,
        ticks=ticks,
        description=_describe(bins, with_hour=with_hour),
    )


def _bins(buckets: Sequence[DailyCount]) -> tuple[list[Bin], timedelta, int]:
    """Return the bins that hold something, the length of one, and the number of places on the axis."""
    rows = sorted((parse_instant(bucket.start), bucket.campaign, bucket.population) for bucket in buckets)
    first = rows[0][0]
    gaps = [later[0] - earlier[0] for earlier, later in itertools.pairwise(rows) if later[0] > earlier[0]]
    width = min(gaps, default=timedelta(days=1))
    slots = (rows[-1][0] - first) // width + 1
    joined = math.ceil(slots / _MOST_BINS)
    length = width * joined
    sums: dict[int, tuple[int, int]] = {}
    for start, campaign, population in rows:
        place = (start - first) // length
        before = sums.get(place, (0, 0))
        sums[place] = (before[0] + campaign, before[1] + population)
    bins = [Bin(first + place * length, *both) for place, both in sorted(sums.items())]
    return bins, length, math.ceil(slots / joined)


def _panel(name: str, counts: Sequence[int], places: Sequence[int], x: Scale, top: int) -> Panel:
    base = top + _PANEL
    _, high, step = round_domain(0, max([1, *counts]), 2)
    y = Scale(0, high, base, top)
    gap = min(2.0, (x(1) - x(0)) * 0.2)
    bars = [
        f"M{x(place) + gap / 2:.1f} {base}V{y(number)}H{x(place + 1) - gap / 2:.1f}V{base}Z"
        for place, number in zip(places, counts, strict=True)
        if number
    ]
    ticks = [Tick(y(i * step), count(round(i * step))) for i in range(round(high / step) + 1)]
    return Panel(name, "".join(bars), top, base, ticks)


def _describe(bins: Sequence[Bin], *, with_hour: bool) -> str:
    busiest = max(bins, key=lambda b: b.campaign)
    total = sum(b.population for b in bins)
    share = sum(b.campaign for b in bins) / total if total else 0.0
    when = short_moment(busiest.start, with_hour=with_hour)
    return (
        f"The campaign is busiest in the bar of {when} (UTC) with {count(busiest.campaign)} of "
        f"{count(busiest.population)} exchanges. "
        f"Over the whole time it makes up {percent(share)} of all traffic."
    )
