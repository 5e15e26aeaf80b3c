"""When an account's requests arrive: human hours, real gaps between turns, runs of programs."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal

from stillwatch_range.material import Dialogue, Pace

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
_HOURS = (2, 1, 1, 1, 1, 2, 4, 8, 12, 15, 16, 15, 13, 15, 16, 15, 14, 12, 11, 12, 12, 10, 7, 4)
_WEEKEND = 0.55
_QUICKEST_MEAN_S, _SLOWEST_MEAN_S = 1.5, 25.0
_TRIES = 200
_LONGEST_WAIT, _SAME_MOMENT = 900 * SECOND_US, SECOND_US // 20
"""A program that works in parallel does not wait longer for its next batch, whose requests leave in one moment."""

_NIGHT = (1 / 24, 5 / 24)
"""When programs run that must not disturb, in days since midnight."""

Rhythm = Literal["human", "program", "daily", "nightly"]
"""How requests arrive: sittings of a person, a few runs of a program, or a run of it on every day or night."""


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of days, in microseconds since the epoch; not always whole days."""

    start_us: int
    days: float

    @property
    def end_us(self) -> int:
        """The first microsecond after the period."""
        return self.start_us + round(self.days * DAY_US)

    def part(self, first_day: float, last_day: float) -> "Period":
        """Return what lies between two moments, in days since the period's start and not beyond its end."""
        first, last = max(0.0, first_day), min(self.days, last_day)
        return Period(self.start_us + round(first * DAY_US), last - first)


def person_times(
    rng: random.Random, pace: Pace, period: Period, utc_offset: int, talks: list[Dialogue]
) -> list[list[int]]:
    """Return the arrival of each turn of each conversation: sittings of several, in waking hours."""
    sitting = max(2.0, len(talks) / 8)
    times: list[list[int]] = []
    while len(times) < len(talks):
        length = min(1 + int(rng.expovariate(1 / (sitting - 0.5))), len(talks) - len(times))
        batch = talks[len(times) : len(times) + length]
        times.extend(_sitting(rng, pace, period, utc_offset, batch))
    return times


def program_times(
    rng: random.Random, pace: Pace, period: Period, utc_offset: int, talks: list[Dialogue]
) -> list[list[int]]:
    """Return the arrival of each turn when a program works a list off in a few runs."""
    runs = rng.randrange(1, 5)
    cuts = sorted(rng.randrange(len(talks) + 1) for _ in range(runs - 1))
    times: list[list[int]] = []
    for first, last in zip([0, *cuts], [*cuts, len(talks)], strict=True):
        mean = rng.uniform(_QUICKEST_MEAN_S, _SLOWEST_MEAN_S)
        now = _start(rng, period, utc_offset)
        run = []
        for talk in talks[first:last]:
            turns = []
            for _ in talk:
                now += _microseconds(rng, rng.choice(pace.program_gaps) * mean)
                turns.append(now)
            run.append(turns)
        times.extend(_fit(run, period))
    return times


def daily_times(
    rng: random.Random, pace: Pace, period: Period, utc_offset: int, talks: list[Dialogue]
) -> list[list[int]]:
    """Return the arrival of each turn when a program works every day, as much on one as on another."""
    return _every_day(rng, pace, period, utc_offset, talks, hours=(0.0, 1.0))


def nightly_times(
    rng: random.Random, pace: Pace, period: Period, utc_offset: int, talks: list[Dialogue]
) -> list[list[int]]:
    """Return the arrival of each turn when a program works in the small hours (UTC) of every day."""
    return _every_day(rng, pace, period, utc_offset, talks, hours=_NIGHT)


def _every_day(
    rng: random.Random,
    pace: Pace,
    period: Period,
    utc_offset: int,
    talks: list[Dialogue],
    *,
    hours: tuple[float, float],
) -> list[list[int]]:
    runs = max(1, math.ceil(period.days))
    cuts = [round(len(talks) * day / runs) for day in range(runs + 1)]
    times: list[list[int]] = []
    for day, (first, last) in enumerate(pairwise(cuts)):
        part = period.part(day + hours[0], day + hours[1])
        times.extend(program_times(rng, pace, part if part.days > 0 else period, utc_offset, talks[first:last]))
    return times


Schedule = Callable[[random.Random, Pace, Period, int, list[Dialogue]], list[list[int]]]
"""Returns the moment of each turn of each conversation. Takes what `person_times` takes."""

SCHEDULES: dict[Rhythm, Schedule] = {
    "human": person_times,
    "program": program_times,
    "daily": daily_times,
    "nightly": nightly_times,
}


def at_once(rng: random.Random, arrivals: list[list[int]], concurrency: int) -> list[list[int]]:
    """Return the arrivals of a program that starts so many conversations at once, then waits for all of them."""
    moved: list[list[int]] = []
    start = flying = 0
    for turns in arrivals:
        early = turns[0] - start
        if flying == concurrency or not 0 < early < _LONGEST_WAIT:
            start, flying, early = turns[0], 0, 0
        flying += 1
        if early:
            early -= rng.randrange(min(early, _SAME_MOMENT))
        moved.append([moment - early for moment in turns])
    return moved


def _sitting(rng: random.Random, pace: Pace, period: Period, utc_offset: int, talks: list[Dialogue]) -> list[list[int]]:
    now = _start(rng, period, utc_offset)
    sitting = []
    for talk in talks:
        turns = []
        for _ in talk:
            now += _microseconds(rng, rng.choice(pace.turn_gaps))
            turns.append(now)
        sitting.append(turns)
    return _fit(sitting, period)


def _fit(run: list[list[int]], period: Period) -> list[list[int]]:
    """Move a run that ends after the period back by whole seconds until it ends inside; hurry where it is too long."""
    if not run:
        return run
    first, last, latest = run[0][0], run[-1][-1], period.end_us - 1
    if last - first > latest - period.start_us:
        return [
            [period.start_us + (moment - first) * (latest - period.start_us) // (last - first) for moment in turns]
            for turns in run
        ]
    late = last - period.end_us + SECOND_US
    shift = max(0, min(-(-late // SECOND_US) * SECOND_US, first - period.start_us))
    return [[moment - shift for moment in turns] for turns in run]


def _start(rng: random.Random, period: Period, utc_offset: int) -> int:
    """Return a moment in the period: weekdays before weekends, waking hours before the night."""
    midnight = period.start_us - period.start_us % DAY_US
    first = datetime.fromtimestamp(midnight / SECOND_US, UTC)
    days = range(max(1, -(-(period.end_us - midnight) // DAY_US)))
    weights = [_WEEKEND if (first + timedelta(days=day)).weekday() > 4 else 1.0 for day in days]
    for _ in range(_TRIES):
        day = rng.choices(days, weights)[0]
        hour = (rng.choices(range(24), _HOURS)[0] - utc_offset) % 24
        moment = midnight + day * DAY_US + hour * 3600 * SECOND_US + rng.randrange(3600 * SECOND_US)
        if period.start_us <= moment < period.end_us:
            return moment
    return rng.randrange(period.start_us, max(period.end_us, period.start_us + 1))


def _microseconds(rng: random.Random, seconds: float) -> int:
    """Gaps of the traces are rounded; blur them below their rounding so that the last digits tell nothing."""
    return max(1, round(seconds * SECOND_US * rng.uniform(0.97, 1.03)))
