from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detection.factories import Traffic, write_log

from stillwatch.detection.campaigns.texts import SAMPLES, SLOT, emptied, read_prompts, sample_rows

WORDS = st.lists(st.sampled_from(["tide", "moss", "ember", "quill", "<b>", SLOT, "é"]), max_size=12)


def test_what_differs_becomes_a_slot() -> None:
    texts = ["grade the answer A1 with care", "grade the answer B7 B8 with care", "grade the answer with care"]
    assert emptied(texts) == f"grade the answer {SLOT} with care"


def test_slots_side_by_side_are_one() -> None:
    assert emptied(["a x b y c", "a z c", "a q b c"]) == f"a {SLOT} c"


@pytest.mark.parametrize("texts", [[], ["only one"]])
def test_one_text_alone_shows_nothing(texts: list[str]) -> None:
    assert emptied(texts) is None


def test_texts_with_nothing_in_common_are_one_slot() -> None:
    assert emptied(["a b", "c d"]) == SLOT
    assert emptied(["", ""]) == ""


@given(st.lists(WORDS, min_size=2, max_size=5))
def test_only_words_that_every_text_has_in_that_order_are_shown(texts: list[list[str]]) -> None:
    frame = emptied([" ".join(words) for words in texts])
    assert frame is not None
    for words in texts:
        rest = iter(words)
        assert all(word in rest for word in frame.split() if word != SLOT)


def test_prompts_are_read_by_position_over_all_files(tmp_path: Path) -> None:
    traffic = Traffic(1)
    for number in range(10):
        traffic.add("a", f"prompt {number}", system="be brief" if number == 7 else None)
    traffic.add("a", None)
    files = [write_log(tmp_path / f"{start}.parquet", traffic.rows[start : start + 4]) for start in (0, 4, 8)]
    found = read_prompts(files, np.array([9, 0, 7, 10]))
    assert found == {0: "prompt 0", 7: "be brief\nprompt 7", 9: "prompt 9"}
    assert read_prompts(files, np.empty(0, np.int64)) == {}


def test_a_sample_takes_another_account_each_time_as_far_as_there_are_any() -> None:
    rows = np.arange(100, 140)
    account = np.repeat(np.arange(20), 2)
    chosen = sample_rows(rows, account)
    assert chosen.size == SAMPLES
    assert np.unique(account[chosen - 100]).size == SAMPLES
    few = sample_rows(rows[:8], account[:8])
    assert set(account[few - 100]) == {0, 1, 2, 3}
    assert sample_rows(rows[:1], account[:1]).tolist() == [100]
