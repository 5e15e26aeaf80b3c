from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features.sketch_logs import Asked, Words, benign, framed, store_of

from stillwatch.features import kernel
from stillwatch.features.hot_rows import MIN_ACCOUNTS, find_hot_rows
from stillwatch.features.sketch import minhash_matrix, sketch_texts
from stillwatch.features.store import SketchStore
from stillwatch.features.templates import (
    TemplateFamily,
    mine_families,
    text_tokens,
    token_ids,
)


def _mine(
    window: SketchStore, history: SketchStore | None = None
) -> list[tuple[npt.NDArray[np.int64], TemplateFamily]]:
    """Return each family with the row numbers of its members."""
    hot = find_hot_rows(window, history)
    _, account = np.unique(window.account, return_inverse=True)
    return [(hot.rows[family.members], family) for family in mine_families(hot, account[hot.rows])]


def _harvest(words: Words, frame: list[str], accounts: int, each: int, slot: int) -> list[Asked]:
    return [
        (f"farm-{frame[0][:4]}-{number}", framed(words, frame, slot)) for number in range(accounts) for _ in range(each)
    ]


@pytest.mark.parametrize(("accounts", "each"), [(6, 40), (30, 8), (200, 3)])
@pytest.mark.parametrize("share", [0.8, 0.5, 0.2])
def test_a_frame_that_accounts_share_is_found_with_its_exchanges_and_no_others(
    tmp_path: Path, accounts: int, each: int, share: float
) -> None:
    words = Words(accounts)
    frame = [words.text(15), words.text(15)]
    slot = round(15 / share - 15)
    rows = benign(words, 150, 6)
    planted = _harvest(words, frame, accounts, each, slot)
    families = _mine(store_of(tmp_path / "log", rows + planted))
    assert len(families) == 1
    (members, family) = families[0]
    assert members.min() >= len(rows)
    assert members.size >= 0.97 * len(planted)
    possible = (30 - 2 * 3) / (30 + 2 * slot - 3)
    assert family.coverage.mean() == pytest.approx(possible, rel=0.35)
    assert np.isin(family.core, text_tokens(frame)).all()
    frame_tokens = text_tokens(frame)
    _, smallest_of_bin = np.unique(frame_tokens >> np.uint64(32), return_index=True)
    assert np.isin(frame_tokens[smallest_of_bin], family.tokens).mean() > 0.85


def test_two_frames_are_two_families_the_wider_first(tmp_path: Path) -> None:
    words = Words(2)
    narrow, wide = ([words.text(12), words.text(12)] for _ in range(2))
    first = _harvest(words, narrow, 8, 10, 20)
    second = _harvest(words, wide, 40, 10, 20)
    families = _mine(store_of(tmp_path / "log", first + second + benign(words, 100, 5)))
    assert [set(members.tolist()) for members, _ in families] == [set(range(80, 480)), set(range(80))]
    assert not np.isin(families[0][1].tokens, families[1][1].tokens).any()


def test_nothing_is_found_where_texts_are_independent(tmp_path: Path) -> None:
    window = store_of(tmp_path / "log", benign(Words(3), 300, 8))
    assert find_hot_rows(window, None).rows.size == 0
    assert _mine(window) == []


def test_an_empty_window_has_no_families(tmp_path: Path) -> None:
    assert _mine(store_of(tmp_path / "log", [])) == []


def test_what_few_accounts_send_is_no_family_however_often(tmp_path: Path) -> None:
    words = Words(4)
    frame = [words.text(30)]
    assert _mine(store_of(tmp_path / "few", _harvest(words, frame, MIN_ACCOUNTS - 1, 100, 20))) == []
    assert len(_mine(store_of(tmp_path / "enough", _harvest(words, frame, MIN_ACCOUNTS, 100, 20)))) == 1


def test_a_frame_that_history_knows_is_not_hot_and_a_new_one_stays_so(tmp_path: Path) -> None:
    words = Words(5)
    known, new = [words.text(30)], [words.text(30)]
    history = store_of(tmp_path / "history", _harvest(words, known, 20, 5, 20) + benign(words, 80, 5))
    rows = _harvest(words, known, 20, 5, 20) + _harvest(words, new, 20, 5, 20) + benign(words, 60, 5)
    window = store_of(tmp_path / "window", rows)
    assert len(_mine(window)) == 2
    ((members, _),) = _mine(window, history)
    assert members.tolist() == list(range(100, 200))


def test_a_frame_that_is_far_commoner_than_in_history_is_hot_again(tmp_path: Path) -> None:
    words = Words(6)
    frame = [words.text(30)]
    history = store_of(tmp_path / "history", _harvest(words, frame, 1, 1, 20) + benign(words, 400, 1))
    window = store_of(tmp_path / "window", _harvest(words, frame, 50, 2, 20) + benign(words, 50, 1))
    ((members, _),) = _mine(window, history)
    assert members.tolist() == list(range(100))


def test_an_empty_history_knows_nothing(tmp_path: Path) -> None:
    words = Words(7)
    window = store_of(tmp_path / "window", _harvest(words, [words.text(30)], 10, 4, 20))
    assert len(_mine(window, store_of(tmp_path / "history", []))) == 1


def _content(window: SketchStore) -> list[tuple[list[int], list[int], list[int], list[float]]]:
    """Return the families by what they hold: content hashes, tokens, core and coverage."""
    shown = []
    for members, family in _mine(window):
        order = np.argsort(window.content[members])
        content, coverage = window.content[members][order], family.coverage[order]
        shown.append((content.tolist(), family.tokens.tolist(), family.core.tolist(), coverage.tolist()))
    return shown


def test_families_do_not_depend_on_the_order_the_files_or_the_names_of_accounts(tmp_path: Path) -> None:
    words = Words(8)
    frames = [[words.text(12), words.text(8)] for _ in range(4)]
    rows = benign(words, 60, 3)
    for number, frame in enumerate(frames):
        rows += _harvest(words, frame, 5 + number, 6, 15)
    expected = _content(store_of(tmp_path / "one", rows))
    assert len(expected) == 4
    shuffled = [rows[place] for place in words.rng.permutation(len(rows))]
    assert _content(store_of(tmp_path / "files", rows, files=7)) == expected
    assert _content(store_of(tmp_path / "order", shuffled, files=3)) == expected
    renamed = [(account[::-1] + "@x", prompt) for account, prompt in rows]
    assert _content(store_of(tmp_path / "names", renamed)) == expected


@given(st.lists(st.text(max_size=80), max_size=5))
def test_the_tokens_of_a_text_include_all_that_its_sketch_holds(texts: list[str]) -> None:
    minhash = minhash_matrix(sketch_texts(pa.nulls(len(texts)), pa.array(texts, pa.string())).field("minhash"))
    rows, bins = np.nonzero(minhash != kernel.EMPTY)
    tokens = text_tokens(texts)
    assert np.isin(token_ids(minhash[rows, bins], bins), tokens).all()
    assert np.array_equal(tokens, np.unique(tokens))
