"""Accounts that fill one frame, from one list or each with words of its own."""

import random
from pathlib import Path

import numpy as np
import pytest
from tests.detection.factories import Traffic, population, word

from stillwatch.detection.campaigns.topics import MAX_ROWS, family_dispersal, few_rows

WORDS = sorted({word(random.Random(number)) for number in range(2_000)})
FRAME = "compose an offer for the following customer of ours and keep it short {item}"


def dispersal(directory: Path, *, own: bool, each: int = 12) -> float:
    traffic = Traffic(1)
    for number in range(10):
        vocabulary = traffic.rng.sample(WORDS, 40) if own else WORDS[:400]
        for _ in range(each):
            item = " ".join(traffic.rng.choice(vocabulary) for _ in range(15))
            traffic.add(f"acct-{number}", FRAME.replace("{item}", item))
    people = population(directory, traffic.rows)
    return family_dispersal(people, np.arange(len(people.store)))


def test_work_that_is_dealt_out_leaves_accounts_no_topic_of_their_own(tmp_path: Path) -> None:
    assert dispersal(tmp_path, own=False) == pytest.approx(1, abs=0.2)


def test_a_business_of_ones_own_shows_through_a_common_frame(tmp_path: Path) -> None:
    assert dispersal(tmp_path, own=True) > 2


def test_single_prompts_tell_nothing(tmp_path: Path) -> None:
    assert np.isnan(dispersal(tmp_path, own=True, each=1))


def test_a_heavy_account_is_looked_at_in_part(tmp_path: Path) -> None:
    traffic = Traffic(1)
    for number in range(MAX_ROWS + 20):
        traffic.add("heavy", f"{WORDS[number]} {WORDS[number + 1]}")
    traffic.add("light", "one prompt of another account")
    people = population(tmp_path, traffic.rows)
    rows = few_rows(people, np.arange(len(people.store)), np.array([0, 1]))
    assert sorted(np.bincount(people.row_account[rows]).tolist()) == [1, MAX_ROWS]
