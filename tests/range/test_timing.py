import itertools
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch_range.material import Pace, Turn
from stillwatch_range.timing import (
    DAY_US,
    SCHEDULES,
    SECOND_US,
    Period,
    at_once,
    daily_times,
    person_times,
    program_times,
)

MONDAY = round(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * SECOND_US
PACE = Pace(turn_gaps=[20.0, 300.0, 2900.0], program_gaps=[0.3, 1.0, 1.7], answers={5: [100]})


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    turns=st.lists(st.integers(1, 5), min_size=1, max_size=60),
    days=st.integers(1, 10),
    offset=st.integers(-11, 12),
    schedule=st.sampled_from([person_times, program_times]),
)
def test_every_turn_has_its_moment_in_the_period(
    seed: int, turns: list[int], days: int, offset: int, schedule: object
) -> None:
    talks = [tuple(Turn("x") for _ in range(count)) for count in turns]
    period = Period(MONDAY, days)
    times = schedule(random.Random(seed), PACE, period, offset, talks)
    assert [len(moments) for moments in times] == turns
    assert all(earlier < later for moments in times for earlier, later in itertools.pairwise(moments))
    assert all(moment >= MONDAY for moments in times for moment in moments)
    if sum(turns) * 3000 < 20 * 3600:
        assert all(moment < period.end_us for moments in times for moment in moments)


def test_people_sleep() -> None:
    rng = random.Random(1)
    talks = [(Turn("x"),)]
    hours = [
        (person_times(rng, PACE, Period(MONDAY, 7), 9, talks)[0][0] - MONDAY) // (3600 * SECOND_US) % 24
        for _ in range(2000)
    ]
    asleep = sum((hour + 9) % 24 in range(1, 6) for hour in hours)
    assert asleep < 0.06 * len(hours)


def test_weekends_are_quieter() -> None:
    rng = random.Random(2)
    days = [
        (person_times(rng, PACE, Period(MONDAY, 7), 0, [(Turn("x"),)])[0][0] - MONDAY) // DAY_US for _ in range(4000)
    ]
    weekend = sum(day >= 5 for day in days) / len(days)
    assert weekend == pytest.approx(2 * 0.55 / (5 + 2 * 0.55), abs=0.03)


def test_a_program_works_faster_than_people() -> None:
    talks = [(Turn("x"),)] * 200
    rng = random.Random(3)
    machine = sorted(moment for moments in program_times(rng, PACE, Period(MONDAY, 7), 0, talks) for moment in moments)
    human = sorted(moment for moments in person_times(rng, PACE, Period(MONDAY, 7), 0, talks) for moment in moments)

    def median_gap(moments: list[int]) -> int:
        gaps = sorted(later - earlier for earlier, later in itertools.pairwise(moments))
        return gaps[len(gaps) // 2]

    assert median_gap(machine) < median_gap(human) / 2


@given(st.integers(0, 10**6), st.floats(0.1, 6.9), st.floats(0.05, 3))
def test_a_period_need_not_be_whole_days(seed: int, first: float, length: float) -> None:
    period = Period(MONDAY, 7).part(first, first + length)
    assert MONDAY < period.start_us < period.end_us <= MONDAY + 7 * DAY_US
    talks = [tuple(Turn("x") for _ in range(5))] * 40
    for schedule in SCHEDULES.values():
        times = schedule(random.Random(seed), PACE, period, 3, talks)
        assert all(period.start_us <= moment < period.end_us for moments in times for moment in moments)


def test_a_daily_program_works_as_much_on_one_day_as_on_another() -> None:
    times = daily_times(random.Random(1), PACE, Period(MONDAY, 7), 5, [(Turn("x"),)] * 700)
    days = [(moments[0] - MONDAY) // DAY_US for moments in times]
    assert [days.count(day) for day in range(7)] == [100] * 7


def test_a_program_that_works_in_parallel_starts_batches() -> None:
    rng = random.Random(1)
    alone = program_times(rng, PACE, Period(MONDAY, 7), 0, [(Turn("x"), Turn("y"))] * 60)
    batched = at_once(rng, alone, 6)
    assert all(moved[0] <= moments[0] for moved, moments in zip(batched, alone, strict=True))
    assert all(moved[1] - moved[0] == moments[1] - moments[0] for moved, moments in zip(batched, alone, strict=True))
    starts = [moments[0] for moments in batched]
    together = sum(0 <= later - earlier < SECOND_US // 20 for earlier, later in itertools.pairwise(sorted(starts)))
    assert 0.6 * 60 < together <= 60 * 5 / 6
