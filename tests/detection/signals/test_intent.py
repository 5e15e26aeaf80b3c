from pathlib import Path

import numpy as np
from tests.detection.factories import Traffic, numbers_only, population, words

from stillwatch.detection.signals.intent import Intent


def test_the_score_is_the_part_of_prompts_that_ask(tmp_path: Path) -> None:
    traffic = Traffic(1)
    for turn in range(4):
        said = words(traffic.rng, 9)
        traffic.add("asks", f"Think step by step. {said}")
        traffic.add("half", f"Think step by step. {said}" if turn % 2 else said)
        traffic.add("never", said)
        traffic.add("silent", None)
    people = population(tmp_path, traffic.rows)
    here, there = Intent().scores(people, people)
    by_name = dict(zip(people.table.column("account_id").to_pylist(), here.tolist(), strict=True))
    assert (by_name["asks"], by_name["half"], by_name["never"]) == (1.0, 0.5, 0.0)
    assert np.isnan(by_name["silent"])
    assert np.array_equal(here, there, equal_nan=True)


def test_not_assessable_without_content() -> None:
    here, _ = Intent().scores(numbers_only(["a", "b"]), numbers_only(["c"]))
    assert np.isnan(here).all()
