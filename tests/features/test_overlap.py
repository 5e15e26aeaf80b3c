import numpy as np
import pyarrow as pa
import pytest
from tests.features.sketch_logs import Asked, Words

from stillwatch.features.overlap import Overlap, measure_overlap
from stillwatch.features.sketch import minhash_matrix, sketch_texts

FRAME = Words(99).text(25)


def _measure(rows: list[Asked]) -> Overlap:
    made = sketch_texts(pa.nulls(len(rows)), pa.array([prompt for _, prompt in rows]))
    _, account = np.unique([account for account, _ in rows], return_inverse=True)
    return measure_overlap(np.asarray(made.field("content_hash")), account, minhash_matrix(made.field("minhash")))


def _shuffled(rows: list[Asked], seed: int) -> list[Asked]:
    return [rows[place] for place in np.random.default_rng(seed).permutation(len(rows))]


@pytest.mark.parametrize("accounts", [6, 40])
def test_strangers_who_run_one_benchmark_share_their_items(accounts: int) -> None:
    words = Words(1)
    items = [words.text(40) for _ in range(30)]
    rows = [(f"a{number}", f"{FRAME} {item}") for number in range(accounts) for item in items]
    overlap = _measure(_shuffled(rows, 1))
    assert overlap.exact == 1.0
    assert overlap.share == 1.0


def test_the_same_items_beside_other_answers_are_shared_items() -> None:
    words = Words(2)
    items = [words.text(50) for _ in range(40)]
    rows = [
        (f"a{number}", f"{FRAME}\nQuestion: {item}\nAnswer: {words.text(20)}") for number in range(12) for item in items
    ]
    overlap = _measure(_shuffled(rows, 2))
    assert overlap.exact == 0.0
    assert overlap.near > 0.9
    assert overlap.share == overlap.near


def test_a_harvest_that_shards_its_items_shares_none() -> None:
    words = Words(3)
    rows = [(f"a{number}", f"{FRAME}\n{words.text(50)}") for number in range(12) for _ in range(40)]
    overlap = _measure(_shuffled(rows, 3))
    assert overlap.exact == 0.0
    assert overlap.near < 0.02


def test_a_harvest_that_asks_each_item_again_in_its_own_account_shares_none() -> None:
    words = Words(4)
    rows = [
        (f"a{number}", f"{FRAME}\n{item} {words.text(8)}")
        for number in range(12)
        for item in [words.text(50) for _ in range(15)]
        for _ in range(3)
    ]
    assert _measure(_shuffled(rows, 4)).share < 0.02


def test_prompts_recombined_from_one_list_are_no_shared_items() -> None:
    words = Words(5)
    parts = [words.text(14) for _ in range(25)]
    rows = [
        (f"a{number}", f"{FRAME}\n" + " ".join(words.rng.choice(parts, 3, replace=False)))
        for number in range(15)
        for _ in range(40)
    ]
    overlap = _measure(_shuffled(rows, 5))
    assert overlap.near == 0.0


def test_half_a_benchmark_is_half_of_the_share() -> None:
    words = Words(6)
    items = [words.text(50) for _ in range(20)]
    shared = [(f"a{number}", f"{FRAME} {item}") for number in range(10) for item in items]
    own = [(f"a{number}", f"{FRAME} {words.text(50)}") for number in range(10) for _ in range(20)]
    overlap = _measure(_shuffled(shared + own, 6))
    assert overlap.exact == pytest.approx(0.5)
    assert overlap.near == pytest.approx(0.5, abs=0.05)


def test_one_account_shares_with_nobody() -> None:
    words = Words(7)
    assert _measure([("a", f"{FRAME} {words.text(30)}") for _ in range(20)] * 2).share == 0.0
