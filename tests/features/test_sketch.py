import gzip
import hashlib
import itertools
import json
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features.word_oracle import jaccard, shingles, words

from stillwatch.features import kernel
from stillwatch.features.sketch import (
    SKETCH_VERSION,
    Cues,
    bands,
    load_cues,
    minhash_matrix,
    similarity,
    sketch_texts,
    text_bands,
    vocabulary_matrix,
)
from stillwatch.records.exchange import SKETCH_TYPE

CORPORA = Path(os.environ.get("STILLWATCH_CORPORA", Path(__file__).parents[3] / "shared" / "data")) / "traffic"
TEXTS = st.one_of(st.none(), st.text(max_size=60), st.sampled_from(["Show your full reasoning. " * 4, "x y z " * 30]))
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=12)
Pairs = list[tuple[str, str]]
Floats = npt.NDArray[np.float64]


def _sketch(texts: list[str]) -> pa.StructArray:
    return sketch_texts(pa.nulls(len(texts)), pa.array(texts, pa.string()))


def _minhash(texts: list[str]) -> npt.NDArray[np.uint32]:
    return minhash_matrix(_sketch(texts).field("minhash"))


@given(PAIRS, st.data())
def test_a_sketch_depends_on_the_bytes_of_its_row_alone(
    rows: list[tuple[str | None, str | None]], data: st.DataObject
) -> None:
    system, prompt = (pa.array(column, pa.string()) for column in zip(*rows, strict=True))
    whole = sketch_texts(system, prompt)
    whole.validate(full=True)
    assert whole.type == SKETCH_TYPE
    start = data.draw(st.integers(0, len(rows)))
    assert whole[start:].to_pylist() == sketch_texts(system[start:], prompt[start:]).to_pylist()
    one_by_one = [sketch_texts(pa.array([s], pa.string()), pa.array([p], pa.string())).to_pylist()[0] for s, p in rows]
    assert whole.to_pylist() == one_by_one
    for told in (system.cast(pa.large_string()), system.dictionary_encode()):
        assert sketch_texts(told, prompt.cast(pa.large_string())).equals(whole)
        assert sketch_texts(told[start:], prompt[start:]).to_pylist() == one_by_one[start:]


def test_only_a_row_without_any_text_has_no_sketch() -> None:
    made = sketch_texts(pa.array([None, "", None, "be brief"]), pa.array([None, None, "", None]))
    assert made.is_valid().to_pylist() == [False, True, True, True]
    assert sketch_texts(pa.nulls(0), pa.nulls(0)).to_pylist() == []


def test_each_field_says_what_the_documentation_says() -> None:
    system, prompt = "You are careful. Think step by step!", "Item 12: " + " ".join("abcdefghijkl") + " é"
    (made,) = sketch_texts(pa.array([system]), pa.array([prompt])).to_pylist()
    assert made["version"] == SKETCH_VERSION
    assert made["words"] == len(words(system)) + len(words(prompt)) == 7 + 15
    assert made["chars"] == len(system.encode()) + len(prompt.encode())
    assert made["cues"] == 1 << load_cues().names.index("reasoning_elicitation")

    def alone(text: str) -> dict[str, object]:
        return _sketch([text]).to_pylist()[0]

    assert made["head_hash"] == alone(" ".join(words(prompt)[:8]))["head_hash"]
    assert made["tail_hash"] == alone(" ".join(words(prompt)[-8:]))["tail_hash"]
    assert made["content_hash"] == alone(prompt)["content_hash"] != alone(prompt.replace("12", "13"))["content_hash"]
    assert made["vocabulary"] == alone(prompt)["vocabulary"]
    both = np.minimum(_minhash([system]), _minhash([prompt]))
    assert np.frombuffer(made["minhash"], "<u4").tolist() == both[0].tolist()


def test_the_system_hash_follows_the_system_prompt_but_not_its_digits() -> None:
    told = ["Today is 2026-01-01. Help.", "Today is 2026-11-23. Help.", "Today is 2026-01-01. Hurry.", None, ""]
    prompt = pa.array(["hello"] * len(told))
    first, later, other, none, empty = sketch_texts(pa.array(told), prompt).field("system_hash").to_pylist()
    assert first == later != other
    assert none == empty != first


def test_the_vocabulary_holds_one_bit_for_each_word_of_the_prompt() -> None:
    texts = ["red green blue", "green", "red blue"]
    bits = np.unpackbits(vocabulary_matrix(_sketch(texts).field("vocabulary")), axis=1)
    assert bits.sum(axis=1).tolist() == [3, 1, 2]
    assert np.array_equal(bits[0], bits[1] | bits[2])


def _random_pairs(length: tuple[int, int], count: int, seed: int) -> Pairs:
    """Pairs of texts that share a stretch of random length."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    vocabulary = np.array(["".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(3_000)])
    pairs = []
    for _ in range(count):
        size = int(rng.integers(*length))
        left, right = rng.choice(vocabulary, (2, size))
        shared = int(rng.integers(0, size + 1))
        start = int(rng.integers(0, size - shared + 1))
        right[start : start + shared] = left[start : start + shared]
        pairs.append((" ".join(left), " ".join(right)))
    return pairs


def _compare(pairs: Pairs) -> tuple[Floats, npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    sets = {text: shingles(text) for pair in pairs for text in pair}
    exact = np.array([jaccard(sets[left], sets[right]) for left, right in pairs])
    return exact, _minhash([left for left, _ in pairs]), _minhash([right for _, right in pairs])


def _check_estimate(exact: Floats, left: npt.NDArray[np.uint32], right: npt.NDArray[np.uint32]) -> None:
    """The estimate is a share of the filled bins; drawn without replacement, it varies at most like a binomial one."""
    estimate = similarity(left, right)
    filled = ((left != kernel.EMPTY) | (right != kernel.EMPTY)).sum(axis=1)
    variance = exact * (1 - exact) / filled
    assert np.array_equal(estimate[variance == 0], exact[variance == 0])
    assert abs((estimate - exact).sum()) <= 4 * np.sqrt(variance.sum())
    uncertain = variance > 0
    assert not uncertain.any() or np.mean((estimate - exact)[uncertain] ** 2 / variance[uncertain]) < 1.2


@pytest.mark.parametrize("length", [(1, 6), (4, 8), (8, 20), (20, 60), (60, 400)])
def test_the_estimate_is_unbiased_against_exact_jaccard(length: tuple[int, int]) -> None:
    _check_estimate(*_compare(_random_pairs(length, 1_500, seed=length[0])))


def test_texts_without_words_are_similar_to_nothing() -> None:
    minhash = _minhash(["", "?!", "some words of a text"])
    assert similarity(minhash, minhash[[1, 2, 2]]).tolist() == [0.0, 0.0, 1.0]


def _expected_recall(exact: Floats) -> Floats:
    recall: Floats = 1 - (1 - exact**2) ** 32
    return recall


def _meet(left: npt.NDArray[np.uint32], right: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = (bands(left) == bands(right)).any(axis=1)
    return found


def test_bands_recall_what_the_formula_says_for_texts_that_fill_the_bins() -> None:
    exact, left, right = _compare(_random_pairs((300, 700), 2_500, seed=3))
    met, expected = _meet(left, right), _expected_recall(exact)
    for low in np.arange(0, 1, 0.1):
        these = (exact >= low) & (exact < low + 0.1)
        error = np.sqrt((expected * (1 - expected))[these].sum())
        assert abs(met[these].sum() - expected[these].sum()) <= 4 * error + 2
    assert met[exact >= 0.5].mean() > 0.998


def test_bands_recall_no_less_for_short_texts() -> None:
    exact, left, right = _compare(_random_pairs((8, 60), 2_500, seed=4))
    met, expected = _meet(left, right), _expected_recall(exact)
    for low in np.arange(0.1, 1, 0.1):
        these = (exact >= low) & (exact < low + 0.1)
        assert met[these].mean() >= expected[these].mean() - 0.02


def test_different_texts_seldom_share_a_band() -> None:
    texts = [left for left, _ in _random_pairs((20, 400), 1_500, seed=5)]
    _, holders = np.unique(bands(_minhash(texts)) + np.arange(32, dtype=np.uint64), return_counts=True)
    assert (holders > 1).sum() < 10


def _prompts(name: str, limit: int) -> list[str]:
    path = CORPORA / name
    if not path.exists():
        pytest.skip(f"{path} is absent; STILLWATCH_CORPORA names the shared corpora")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for _, line in zip(range(limit), lines, strict=False)]
    return [row["prompt"] for row in rows if row["prompt"]]


@pytest.mark.corpora
@pytest.mark.parametrize(
    "name",
    [
        "distil_selfinstruct_template.jsonl.gz", "distil_evolinstruct_template.jsonl.gz",
        "distil_rubric_ultrafeedback_template.jsonl.gz", "hard_banking77_classifier.jsonl.gz",
        "benign_hh_harmless_test.jsonl.gz", "benign_awesome_prompts.jsonl.gz",
    ],
)  # fmt: skip
def test_estimate_and_recall_hold_on_real_prompts(name: str) -> None:
    prompts = _prompts(name, 500)
    rng = np.random.default_rng(9)
    first, second = rng.integers(0, len(prompts), (2, 1_000))
    pairs = [(prompts[a], prompts[b]) for a, b in zip(first, second, strict=True) if a < b]
    # Real pairs are either of one template or unrelated; halves of one prompt fill the range between.
    halves = [(text, text[len(text) * start // 10 :]) for text in prompts[:200] for start in (1, 3, 5)]
    exact, left, right = _compare([pair for pair in pairs + halves if words(pair[0]) and words(pair[1])])
    estimate = similarity(left, right)
    assert abs((estimate - exact).mean()) < 0.01
    assert np.sqrt(((estimate - exact) ** 2).mean()) < 0.06
    related = exact >= 0.1
    assert _meet(left, right)[related].mean() >= _expected_recall(exact)[related].mean() - 0.03


def test_a_cue_is_found_wherever_and_however_it_is_written() -> None:
    names = load_cues().names
    told = ["Please SHOW your\nfull-reasoning.", "on a scale of 1", "schritt für Schritt", "思维链", "a rubric", "show"]
    masks = _sketch(told).field("cues").to_pylist()
    found = [{name for bit, name in enumerate(names) if mask >> bit & 1} for mask in masks]
    reasoning, rubric = {"reasoning_elicitation"}, {"rubric_grading"}
    assert found == [reasoning, rubric, reasoning, reasoning, rubric, set()]


@given(st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta"]), max_size=9))
def test_cues_are_runs_of_words(text: list[str]) -> None:
    cues = Cues({"pair": ["alpha beta"], "other": ["gamma", "beta gamma delta alpha beta gamma"]})
    hashes, counts = np.empty((4, 1), np.uint64), np.empty((3, 1), np.int32)
    data, offsets = np.frombuffer(" ".join(text).encode() or b" ", np.uint8), np.array([0, len(" ".join(text))])
    offsets.flags.writeable = False
    minhash = np.empty((1, kernel.BINS), np.uint32)
    kernel.sketch_rows((data, offsets), cues.table, hashes, counts, minhash, np.zeros((1, 128), np.uint8))
    pair = ("alpha", "beta") in itertools.pairwise(text)
    assert counts[2, 0] == pair + 2 * ("gamma" in text)


@pytest.mark.parametrize("phrase", ["", "?!", "one two three four five six seven"])
def test_a_cue_of_no_or_too_many_words_is_refused(phrase: str) -> None:
    with pytest.raises(ValueError, match="1 to 6 are possible"):
        Cues({"bad": [phrase]})


def test_two_cues_may_share_a_phrase() -> None:
    gate, keys, masks = Cues({"one": ["same words"], "two": ["same words", "more"]}).table
    assert np.unique(keys).size == keys.size
    assert sorted(masks.tolist()) == [2, 3]
    assert gate.sum() == 2


def test_the_bytes_of_a_version_never_change() -> None:
    system = pa.array([None, "You are a careful judge, version 3.", "你是助手", None])
    long, wide = "On a scale of 1 to 10 … " + "grüße an МИР und \uff12\uff13 Welt. " * 9, "a-b_c\u200bd 漢字🙂 e" * 5
    prompt = pa.array([long, "x", None, wide])
    made = sketch_texts(system, prompt)
    digest = hashlib.sha256()
    for column in made.flatten():
        digest.update(repr(column.to_pylist()).encode())
    for column in load_cues().table:
        digest.update(column.tobytes())
    assert (SKETCH_VERSION, digest.hexdigest()[:16]) == (1, "7066ed2f574e9fcc")


@given(
    system=st.none() | st.text(max_size=200),
    prompt=st.text(max_size=400)
    | st.lists(st.sampled_from(["alpha", "beta", "12", "gamma"]), max_size=300).map(" ".join),
)
def test_bands_of_one_text_equal_those_of_its_sketch(system: str | None, prompt: str) -> None:
    sketch = sketch_texts(pa.array([system], pa.string()), pa.array([prompt], pa.string()))
    made, head = text_bands(system, prompt)
    assert made.tolist() == bands(minhash_matrix(sketch.field("minhash")))[0].tolist()
    assert np.uint64(head).astype(np.int64) == sketch.field("head_hash")[0].as_py()
