"""When an account's requests arrive: human hours, real gaps between turns, runs of programs."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from stillwatch_range.material import Dialogue, Pace

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
_HOURS = (2, 1, 1, 1, 1, 2, 4, 8, 12, 15, 16, 15, 13, 15, 16, 15, 14, 12, 11, 12, 12, 10, 7, 4)
_WEEKEND = 0.55
_QUICKEST_MEAN_S, _SLOWEST_MEAN_S = 1.5, 25.0


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of whole days, in microseconds since the epoch."""

    start_us: int
    days: int

    @property
    def end_us(self) -> int:
        """The first microsecond after the period."""
        return self.start_us + self.days * DAY_US


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
    """Move a run that ends after the period back by whole seconds until it ends inside."""
    if not run:
        return run
    late = run[-1][-1] - period.end_us + SECOND_US
    shift = max(0, min(-(-late // SECOND_US) * SECOND_US, run[0][0] - period.start_us))
    return [[moment - shift for moment in turns] for turns in run]


def _start(rng: random.Random, period: Period, utc_offset: int) -> int:
    days = range(period.days)
    first = datetime.fromtimestamp(period.start_us / SECOND_US, UTC)
    weights = [_WEEKEND if (first + timedelta(days=day)).weekday() > 4 else 1.0 for day in days]
    day = rng.choices(days, weights)[0]
    hour = (rng.choices(range(24), _HOURS)[0] - utc_offset) % 24
    return period.start_us + day * DAY_US + hour * 3600 * SECOND_US + rng.randrange(3600 * SECOND_US)


def _microseconds(rng: random.Random, seconds: float) -> int:
    """Gaps of the traces are rounded; blur them below their rounding so that the last digits tell nothing."""
    return max(1, round(seconds * SECOND_US * rng.uniform(0.97, 1.03)))
