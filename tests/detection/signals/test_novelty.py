import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.detection.factories import Traffic, numbers_only, population, word

from stillwatch.detection.population import Population
from stillwatch.detection.signals.novelty import Novelty

WORDS = sorted({word(random.Random(number)) for number in range(2_000)})
OLD, NEW, OWN = WORDS[:300], WORDS[300:600], WORDS[600:660]


def chat(rng: random.Random, vocabulary: list[str]) -> str:
    return " ".join(rng.choice(vocabulary) for _ in range(20))


@pytest.fixture(scope="module")
def everyone(tmp_path_factory: pytest.TempPathFactory) -> Population:
    """Accounts that all talk about the same things."""
    traffic = Traffic(1)
    for number in range(300):
        for _ in range(1 + number % 5):
            traffic.add(f"a{number:03}", chat(traffic.rng, OLD))
    return population(tmp_path_factory.mktemp("everyone"), traffic.rows)


def part(people: Population, accounts: np.ndarray) -> Population:
    rows = np.flatnonzero(np.isin(people.row_account, accounts))
    table = people.table.take(pa.array(np.sort(accounts)))
    return Population.of(table, people.store.part(rows), people.fields)


def test_who_writes_what_nobody_wrote_before_scores_high(tmp_path: Path) -> None:
    now, before = Traffic(2), Traffic(3)
    for number in range(40):
        for _ in range(3):
            now.add(f"a{number:03}", chat(now.rng, NEW if number < 10 else OLD))
            before.add(f"b{number:03}", chat(before.rng, OLD))
    here, there = Novelty().scores(population(tmp_path / "now", now.rows), population(tmp_path / "before", before.rows))
    assert here[:10].min() > max(here[10:].max(), there.max())


def test_a_third_of_novel_prompts_is_enough(tmp_path: Path) -> None:
    now, before = Traffic(4), Traffic(5)
    for number in range(100):
        for turn in range(12):
            now.add(f"a{number:03}", chat(now.rng, NEW if number < 25 and turn < 4 else OLD))
            before.add(f"b{number:03}", chat(before.rng, OLD))
    here, _ = Novelty().scores(population(tmp_path / "now", now.rows), population(tmp_path / "before", before.rows))
    assert np.quantile(here[:25], 0.25) > np.quantile(here[25:], 0.95)


def test_not_assessable_without_content_or_without_another_period(everyone: Population) -> None:
    bare = numbers_only(["a"])
    for here, there in ((bare, everyone), (everyone, bare), (everyone, everyone)):
        for scores, people in zip(Novelty().scores(here, there), (here, there), strict=True):
            assert np.isnan(scores).all()
            assert scores.size == len(people)


def test_accounts_of_one_population_score_alike_in_both_periods(everyone: Population) -> None:
    """Whoever is put into the window at random is as novel as those left in history: ranks are uniform."""
    rng = np.random.default_rng(6)
    ranks = []
    for _ in range(12):
        shuffled = rng.permutation(len(everyone))
        here, there = Novelty().scores(part(everyone, shuffled[:150]), part(everyone, shuffled[150:]))
        above = here[:, None] - there[None, :]
        ranks.append(((above > 0) + 0.5 * (above == 0)).mean())
    assert abs(np.mean(ranks) - 0.5) < 0.05


def test_the_order_of_rows_changes_no_score(everyone: Population, tmp_path: Path) -> None:
    traffic = Traffic(7)
    for number in range(30):
        for _ in range(4):
            traffic.add(f"a{number:03}", chat(traffic.rng, NEW if number % 2 else OLD))
    one, _ = Novelty().scores(population(tmp_path / "one", traffic.rows), everyone)
    random.Random(8).shuffle(traffic.rows)
    other, _ = Novelty().scores(population(tmp_path / "other", traffic.rows), everyone)
    assert one.tolist() == other.tolist()


def test_an_account_is_scored_without_its_own_words_of_either_period(tmp_path: Path) -> None:
    """A customer with words of its own in both periods, whatever its place among the accounts of each."""
    now, before = Traffic(9), Traffic(10)
    for traffic, others in ((now, "zyx"), (before, "abc")):
        for number in range(31):
            traffic.add(f"{others[number % 3]}{number:03}", chat(traffic.rng, OLD))
        for _ in range(5):
            traffic.add("mmm", chat(traffic.rng, OWN))
    people = population(tmp_path / "now", now.rows), population(tmp_path / "before", before.rows)
    here, there = Novelty().scores(*people)
    place = [whose.table.column("account_id").to_pylist().index("mmm") for whose in people]
    assert abs(here[place[0]] - there[place[1]]) < 2.0
