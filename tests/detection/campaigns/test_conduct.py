from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from tests.detection import factories
from tests.detection.factories import START, Traffic, ids, model_days, numbers_only, replays

from stillwatch.detection.campaigns import conduct
from stillwatch.detection.campaigns.conduct import (
    first_seen_synchrony,
    first_use_synchrony,
    handle_replay,
    harvest_intent,
    release_pivot,
)
from stillwatch.detection.population import Population
from stillwatch.records.registry import Release

Ints = npt.NDArray[np.int64]
SPAN_US = 2 * 86_400_000_000


class Timed:
    """Accounts with so many exchanges each, at random moments; all that synchrony looks at."""

    def __init__(self, rng: np.random.Generator, sizes: Ints) -> None:
        self.row_account = np.repeat(np.arange(sizes.size), sizes)
        self.store = SimpleNamespace(ts_us=rng.integers(0, SPAN_US, self.row_account.size))

    def __len__(self) -> int:
        return int(self.row_account.max()) + 1

    def some(self, rng: np.random.Generator, share: float) -> Ints:
        """Choose rows of every account at random; of some accounts all rows."""
        chosen = []
        for account in range(len(self)):
            own = np.flatnonzero(self.row_account == account)
            part = 1.0 if rng.random() < 0.3 else share
            chosen.append(rng.choice(own, max(1, round(part * own.size)), replace=False))
        return np.sort(np.concatenate(chosen))


def at_most(rate: float, trials: int) -> float:
    """Return how many of the trials may fall below `rate` if it is honest, but for one chance in 100,000."""
    return float(stats.binom.ppf(1 - 1e-5, trials, rate))


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_first_use_p_values_are_honest_where_the_frame_was_taken_up_at_random(share: float) -> None:
    rng = np.random.default_rng(1)
    found = []
    for seed in range(250):
        people = Timed(rng, rng.integers(3, 20, 15))
        one = first_use_synchrony(people, people.some(rng, share), seed)  # type: ignore[arg-type]
        found += [] if one is None else [one.p_value]
    p_values = np.array(found)
    assert p_values.size > 150
    for level in (0.01, 0.05, 0.2):
        assert (p_values <= level).sum() <= at_most(level, p_values.size)


def test_taking_a_frame_up_within_an_hour_is_told(tmp_path: Path) -> None:
    traffic = Traffic(1)
    names = ids(12)
    for number, name in enumerate(names):
        for _ in range(10):
            traffic.add(name, factories.words(traffic.rng, 20))
        for later in range(5):
            moment = START + timedelta(hours=30 + 3 * later, minutes=number)
            traffic.add(name, factories.filled(traffic.rng, factories.FRAME), ts=moment)
    people = factories.population(tmp_path, traffic.rows)
    rows = np.flatnonzero([("almanac" in row["prompt"]) for row in traffic.rows])
    told = first_use_synchrony(people, rows, 0)
    assert told is not None
    assert told.p_value == pytest.approx(0.001)
    assert "within 0." in told.detail
    assert first_use_synchrony(people, rows, 0) == told


def test_first_use_is_silent_about_few_accounts_and_accounts_that_did_nothing_else() -> None:
    rng = np.random.default_rng(2)
    few = Timed(rng, np.full(4, 10))
    assert first_use_synchrony(few, few.some(rng, 0.2), 0) is None  # type: ignore[arg-type]
    single = Timed(rng, np.full(12, 10))
    every = np.arange(single.row_account.size)
    assert first_use_synchrony(single, every, 0) is None  # type: ignore[arg-type]


def test_many_accounts_are_permuted_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    people = Timed(rng, rng.integers(3, 20, 30))
    rows = people.some(rng, 0.3)
    whole = first_use_synchrony(people, rows, 5)  # type: ignore[arg-type]
    monkeypatch.setattr(conduct, "_MAX_CELLS", 100)
    pieces = first_use_synchrony(people, rows, 5)  # type: ignore[arg-type]
    assert whole is not None
    assert pieces is not None
    assert pieces.p_value == pytest.approx(whole.p_value, abs=0.06)


def appearing(rng: np.random.Generator, accounts: int) -> Population:
    """Accounts that ask now and then, some a lot; the first exchange is the earliest of uniform moments."""
    exchanges = rng.poisson(rng.lognormal(1.5, 1.2, accounts)) + 1
    first = (SPAN_US * (1 - rng.random(accounts) ** (1 / exchanges))).astype(np.int64)
    return numbers_only(ids(accounts), exchanges=exchanges, first_us=first)


@pytest.mark.parametrize("among", ["all", "light", "heavy"])
def test_first_seen_p_values_are_honest_for_accounts_of_any_activity(among: str) -> None:
    rng = np.random.default_rng(4)
    p_values = []
    for _ in range(200):
        people = appearing(rng, 800)
        order = np.argsort(people.ints("exchanges"))
        pool = {"all": order, "light": order[:300], "heavy": order[-300:]}[among]
        told = first_seen_synchrony(people, np.sort(rng.choice(pool, 20, replace=False)))
        assert told is not None
        p_values.append(told.p_value)
    for level in (0.01, 0.05, 0.2):
        assert (np.array(p_values) <= level).sum() <= at_most(level, len(p_values))


def test_accounts_that_appear_together_are_told() -> None:
    rng = np.random.default_rng(5)
    first = np.sort(rng.integers(0, SPAN_US, 500))
    people = numbers_only(ids(500), exchanges=np.full(500, 5), first_us=first)
    told = first_seen_synchrony(people, np.arange(300, 320))
    assert told is not None
    assert told.p_value < 1e-6
    assert first_seen_synchrony(people, np.arange(4)) is None
    assert first_seen_synchrony(people, np.arange(498)) is None


RELEASE = Release(model="sable-3", released_at=datetime(2026, 5, 3, tzinfo=UTC))
RELEASED = 20_576  # days since 1970


def test_release_pivot_counts_who_moved_within_two_days() -> None:
    assert datetime.fromtimestamp(RELEASED * 86_400, UTC) == RELEASE.released_at
    names = ids(100)
    people = numbers_only(names)
    days = [(name, "sable-3", RELEASED + number % 2, 3) for number, name in enumerate(names[:8])]
    days += [(name, "sable-3", RELEASED + 2, 3) for name in names[10:60]]  # two days late
    days += [(name, "sable-2", RELEASED, 3) for name in names]
    days += [(names[70], "sable-3", RELEASED + 1, 3)]
    told = release_pivot(people, model_days(days), np.arange(10), (RELEASE,))
    assert told is not None
    assert told.p_value == pytest.approx(stats.binom.sf(7, 10, 2 / 92))
    assert told.detail.startswith("8 of 10 accounts used sable-3")
    other = Release(model="sable-9", released_at=RELEASE.released_at)
    both = release_pivot(people, model_days(days), np.arange(10), (other, RELEASE))
    assert both is not None
    assert both.p_value == pytest.approx(2 * told.p_value)


def test_release_pivot_has_nothing_to_say_without_releases_or_movers() -> None:
    people = numbers_only(ids(50))
    assert release_pivot(people, model_days(), np.arange(10), ()) is None
    still = release_pivot(people, model_days(), np.arange(10), (RELEASE,))
    assert still is not None
    assert still.p_value == 1.0


def test_release_pivot_p_values_are_honest_where_everybody_moves_alike() -> None:
    rng = np.random.default_rng(6)
    names = ids(400)
    people = numbers_only(names)
    p_values = []
    for _ in range(200):
        moved = np.flatnonzero(rng.random(400) < 0.2)
        days = model_days([(names[number], "sable-3", RELEASED, 1) for number in moved])
        told = release_pivot(people, days, np.sort(rng.choice(400, 30, replace=False)), (RELEASE,))
        assert told is not None
        p_values.append(told.p_value)
    for level in (0.01, 0.05, 0.2):
        assert (np.array(p_values) <= level).sum() <= at_most(level, len(p_values))


def test_handle_replay_counts_accounts_that_presented_handles_of_others() -> None:
    names = ids(100)
    people = numbers_only(names)
    told = handle_replay(people, replays([*names[:5], names[50]]), np.arange(10))
    assert told is not None
    assert told.p_value == pytest.approx(stats.binom.sf(4, 10, 2 / 92))
    assert told.detail.startswith("5 of 10")
    assert handle_replay(people, replays(names[50:60]), np.arange(10)) is None
    assert handle_replay(people, replays(), np.arange(10)) is None


def test_harvest_intent_compares_with_the_other_accounts(tmp_path: Path) -> None:
    traffic = Traffic(7)
    for number in range(40):
        asks = number < 8 or number == 30
        for _ in range(3):
            said = factories.words(traffic.rng, 12)
            traffic.add(f"a{number:02}", f"think step by step {said}" if asks else said)
    people = factories.population(tmp_path, traffic.rows)
    rows = np.flatnonzero(people.row_account < 8)
    told, capabilities = harvest_intent(people, rows, np.arange(8))
    assert told is not None
    assert told.p_value == pytest.approx((2 / 34) ** 8)
    assert capabilities == ["reasoning_elicitation"]
    quiet = np.flatnonzero((people.row_account >= 10) & (people.row_account < 20))
    assert harvest_intent(people, quiet, np.arange(10, 20)) == (None, [])
