import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detection.factories import Traffic, population, word

from stillwatch.detection.contrast import FOLDS, PER_ACCOUNT, fit_contrast, mixture_scores, row_log_odds
from stillwatch.detection.population import Population

WORDS = sorted({word(random.Random(number)) for number in range(2_000)})
OLD, NEW = WORDS[:300], WORDS[300:600]


def people(directory: Path, seed: int, novel: int, each: int = 6) -> Population:
    traffic = Traffic(seed)
    for number in range(60):
        for _ in range(each):
            vocabulary = NEW if number < novel else OLD
            traffic.add(f"a{seed}-{number:03}", " ".join(traffic.rng.choice(vocabulary) for _ in range(20)))
    return population(directory, traffic.rows)


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> Population:
    return people(tmp_path_factory.mktemp("now"), 1, novel=20)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Population:
    return people(tmp_path_factory.mktemp("before"), 2, novel=0)


def test_new_rows_have_higher_odds_than_old_ones_of_either_period(now: Population, before: Population) -> None:
    contrast = fit_contrast(now, np.ones(len(now.store)), before)
    here, there = (row_log_odds(part, [contrast])[:, 0] for part in (now, before))
    novel = now.row_account < 20
    assert here[novel].mean() > 1 > max(here[~novel].mean(), there.mean())


def test_several_contrasts_at_once_equal_each_alone(now: Population, before: Population) -> None:
    weights = [np.ones(len(now.store)), (now.row_account < 20).astype(np.float64)]
    contrasts = [fit_contrast(now, weight, before) for weight in weights]
    together = row_log_odds(now, contrasts)
    for number, contrast in enumerate(contrasts):
        assert together[:, number].tolist() == row_log_odds(now, [contrast])[:, 0].tolist()


def test_weights_are_multiples_that_add_up_exactly(now: Population, before: Population) -> None:
    contrast = fit_contrast(now, np.ones(len(now.store)), before)
    assert contrast.weights.shape == (FOLDS, 1024)
    assert np.array_equal(contrast.weights * 1024, np.round(contrast.weights * 1024))


def test_nothing_to_tell_apart_gives_no_odds(now: Population, before: Population) -> None:
    contrast = fit_contrast(now, np.zeros(len(now.store)), before)
    assert not contrast.weights.any()
    assert not contrast.bias.any()


def test_one_heavy_account_is_not_what_a_period_is_about(before: Population, tmp_path: Path) -> None:
    traffic = Traffic(3)
    for number in range(60):
        each = 600 if number == 0 else 6
        for _ in range(each):
            vocabulary = WORDS[600:660] if number == 0 else NEW if number < 20 else OLD
            traffic.add(f"c{number:03}", " ".join(traffic.rng.choice(vocabulary) for _ in range(20)))
    mixed = population(tmp_path, traffic.rows)
    odds = row_log_odds(mixed, [fit_contrast(mixed, np.ones(len(mixed.store)), before)])[:, 0]
    novel = (mixed.row_account > 0) & (mixed.row_account < 20)
    assert odds[novel].mean() > 1
    assert PER_ACCOUNT < 600


@given(
    st.lists(st.tuples(st.floats(-7, 12), st.integers(0, 4)), max_size=60),
    st.randoms(use_true_random=False),
)
def test_mixture_scores_are_never_negative_and_need_no_order(rows: list[tuple[float, int]], rng: random.Random) -> None:
    ratio, account = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], np.int64)
    scores = mixture_scores(ratio, account, 5)
    assert (scores >= 0).all()
    order = np.array(rng.sample(range(len(rows)), len(rows)), np.int64)
    assert mixture_scores(ratio[order], account[order], 5).tolist() == scores.tolist()


def test_cover_traffic_does_not_dilute_the_rest() -> None:
    plain = mixture_scores(np.full(10, 2.0), np.zeros(10, np.int64), 1)[0]
    covered = mixture_scores(np.r_[np.full(10, 2.0), np.full(10, -3.0)], np.zeros(20, np.int64), 1)[0]
    mean_of_all = (10 * 2.0 - 10 * 3.0) / 20
    assert covered > 0.3 * plain > mean_of_all
