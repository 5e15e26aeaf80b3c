from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detection.factories import FRAME, Traffic, numbers_only, population
from tests.detection.reports import bands_of, bands_of_frame

from stillwatch.detection import common_bands
from stillwatch.detection.common_bands import Held, held_in, most_in_history, most_in_window, narrowest, wordless
from stillwatch.statistics import binomial_tail


def array(*values: int) -> npt.NDArray[np.int64]:
    return np.array(values, np.int64)


@given(st.integers(0, 5000), st.sampled_from([1e-9, 0.001, 0.01, 0.5]))
def test_one_account_more_in_history_would_be_unlikely(accounts: int, fpr: float) -> None:
    most = most_in_history(accounts, fpr)
    assert binomial_tail(most + 1, accounts, fpr) <= 0.05
    assert most == 0 or binomial_tail(most, accounts, fpr) > 0.05


def test_the_limits_worked_by_hand() -> None:
    assert (most_in_history(150, 0.001), most_in_history(100_000, 0.001), most_in_history(0, 0.001)) == (1, 117, 0)
    assert [most_in_window(accounts) for accounts in (0, 39, 40, 50, 1000)] == [4, 4, 4, 5, 100]


def test_who_holds_which_band(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common_bands, "_BATCH_ROWS", 7)
    traffic = Traffic(1)
    traffic.strangers(20)
    traffic.together(["a", "b"], FRAME, each=3, cover=2)
    people = population(tmp_path, traffic.rows)
    asked = np.unique(np.array([int(band, 16) for band in bands_of_frame(FRAME)], np.uint64))
    everybody = np.ones(len(people), np.bool_)
    held = held_in(people, asked, 5, everybody)
    assert {people.ids[account] for account in held.accounts} == {"a", "b"}
    assert set(held.counts()) <= {0, 1, 2}
    assert np.unique(held.rows).size == 6
    assert not held.common.any()
    narrow = held_in(people, asked, 1, everybody)
    assert narrow.common.any()
    assert not narrow.common[narrow.row_bands].any()
    assert not narrow.common[narrow.account_bands].any()
    nobody = held_in(people, asked, 0, ~everybody)
    assert (np.unique(nobody.rows).size, nobody.accounts.size) == (6, 0)


def test_nothing_is_held_where_nothing_is_asked_or_said() -> None:
    people = numbers_only(["a"])
    asked = np.array([1], np.uint64)
    for bands in (asked, asked[:0]):
        held = held_in(people, bands, 3, np.ones(1, np.bool_))
        assert (held.rows.size, held.accounts.size, held.common.size) == (0, 0, bands.size)


def test_texts_without_words_share_the_wordless_bands() -> None:
    assert {f"{int(band):016x}" for band in wordless()} == set(bands_of("?!")) == set(bands_of("…"))


def held(pairs: list[tuple[int, int]], bands: int, limit: int, common: tuple[int, ...] = ()) -> Held:
    accounts, places = zip(*pairs, strict=True) if pairs else ((), ())
    beyond = np.zeros(bands, np.bool_)
    beyond[list(common)] = True
    return Held(array(), array(), array(*accounts), array(*places), limit, beyond)


def test_a_source_is_heard_with_its_narrowest_bands_until_together_they_meet_too_many() -> None:
    one_each = held([(account, account) for account in range(5)], 6, limit=3)
    assert narrowest(array(0, 1, 2, 3, 4, 5), [one_each]).tolist() == [0, 1, 2, 5]
    assert narrowest(array(3, 4), [one_each]).tolist() == [3, 4]
    assert narrowest(array(), [one_each]).tolist() == []
    same = held([(0, band) for band in range(5)], 5, limit=1)
    assert narrowest(array(*range(5)), [same]).tolist() == [0, 1, 2, 3, 4]


def test_a_band_that_is_common_in_one_period_is_not_heard() -> None:
    past, now = held([], 3, 1, common=(0,)), held([(1, 2), (2, 2)], 3, 1, common=(1,))
    assert narrowest(array(0, 1, 2), [past, now]).tolist() == []
    assert narrowest(array(0, 1, 2), [past, held([(1, 2)], 3, 1, common=(1,))]).tolist() == [2]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 19)), unique=True, max_size=200),
    st.integers(0, 30),
)
def test_however_many_bands_there_are_together_they_keep_the_limit(pairs: list[tuple[int, int]], limit: int) -> None:
    common = {band for band in range(20) if sum(place == band for _, place in pairs) > limit}
    period = held([pair for pair in pairs if pair[1] not in common], 20, limit, tuple(common))
    heard = set(narrowest(np.arange(20), [period]).tolist())
    assert len({account for account, band in pairs if band in heard}) <= limit
    assert not heard & common
