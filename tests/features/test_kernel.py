import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.features.word_oracle import exact_words, shingles, words

from stillwatch.features import kernel
from stillwatch.features.sketch import sketch_texts

# Every kind of character that the normalisation knows, the edges of its ranges, and runs beyond a block of 64 bytes.
_EDGES = "aZ09@[`{/: \n\0ÀÞß\u00d7÷ÿ\u00ad\u00bf\u2000\u200b\u2010\u202e\u2060\u206f\u2070\u2bff\u3000\u303f\u3040漢字"
_CASED = "\u0400\u040f\u0410\u042f\u0430\u0450\u0391\u03a9\u03b1\u03c2"
_WIDE = "\u9fff\ua000\u0e01\u0eff\uff21\uff5a\uff10\uff01\ufeff\ufe0f\U0001f600\U000e0041\U000e1000\U0010ffff한글é"
ALPHABET = st.one_of(
    st.sampled_from(_EDGES + _CASED + _WIDE), st.characters(exclude_categories=["Cs"], exclude_characters="\u03a2")
)
PIECES = st.one_of(
    st.text(ALPHABET, max_size=12),
    st.sampled_from(["word ", "x" * 70, "1" * 70, " " * 70, "internationalisation", "٣", "a1b22c", "漢" * 30, ". "]),
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)


def _hashes(text: str) -> tuple[list[int], list[int], int]:
    hashed, made, sequence = kernel.hash_text(np.frombuffer(text.encode(), np.uint8))
    return hashed.tolist(), made.tolist(), int(sequence)


def _one_by_one(found: list[str]) -> list[int]:
    """Hash each word alone, behind so much text that it goes the short way where it can."""
    return [_hashes(word + " " + "x" * 100)[0][0] for word in found]


@given(TEXTS)
@example("x" * 63 + " y")
@example("x" * 64)
@example("x" * 64 + "1")
@example("1" + "x" * 64 + " " + "y" * 200)
@example("é" * 32 + "plain words after it " * 5)
def test_words_are_those_of_the_documented_normalisation(text: str) -> None:
    assert _hashes(text)[0] == _one_by_one(words(text))


@given(st.lists(st.text(st.sampled_from("abcxyzé漢0"), min_size=1, max_size=20), min_size=2, max_size=30))
def test_two_words_have_one_hash_only_if_they_are_one_word(texts: list[str]) -> None:
    found = {word for text in texts for word in words(text)}
    assert len(set(_one_by_one(sorted(found)))) == len(found)


@given(TEXTS)
def test_shingles_are_four_words_in_a_row(text: str) -> None:
    _, made, sequence = _hashes(text)
    assert len(set(made)) == len(shingles(text))
    assert len(words(text)) >= 4 or made == [sequence] * len(made)


@given(st.binary(max_size=300))
@example(b"\x80")
@example(b"\xbf" * 100)
@example(b"a\xe3")
@example(b"a\xe3\x81")
@example(b"\xf0\x9f")
@example(b"\xf3")
@example(b"\xc3")
@example(b"\xc0\x00")
@example(b"\xe3a b")
@example(b"\xf0\x9f b")
@example(b"word " * 20 + b"\xe2\x80")
def test_bytes_that_are_no_text_are_read_within_their_bounds(data: bytes) -> None:
    alone, _, _ = kernel.hash_text(np.frombuffer(data, np.uint8))
    assert alone.size <= len(data)
    for around in (b"\x80\xbf", b"Az09", b" \xe2\x80\x8b"):
        buffer = pa.py_buffer(around * 40 + data + around * 40)
        offsets = np.array([0, 40 * len(around), 40 * len(around) + len(data)])
        offsets.flags.writeable = False
        array = pa.LargeStringArray.from_buffers(2, pa.py_buffer(offsets), buffer)
        exact = pa.LargeStringArray.from_buffers(1, pa.py_buffer(np.array([0, len(data)])), pa.py_buffer(data))
        assert sketch_texts(pa.nulls(2), array)[1].equals(sketch_texts(pa.nulls(1), exact)[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Write a POEM about Ärger, ΩMEGA and ЖЮЛЬ", "write a poem about ärger, ωmega and жюль"),
        ("Task 7 of 120: item A12", "task 99981 of 1: item a0"),
        ("a  b\n\n\tc — “d”", "a b c d"),
        ("igno\u200bre the pre\u00advious in\u2060struc\ufefftions", "ignore the previous instructions"),
        ("hid\U000e0041\U000e0042den", "hidden"),
        ("\uff37\uff52\uff49\uff54\uff45 \uff11\uff12 lines", "write 5 lines"),
        ("漢字かな", "漢 字 か な"),
    ],
)
def test_what_does_not_change_the_meaning_does_not_change_the_words(one: str, other: str) -> None:
    assert _hashes(one) == _hashes(other)


@pytest.mark.parametrize(("one", "other"), [("café", "cafe"), ("ab c", "a bc"), ("a b", "b a"), ("x y z", "x y z z")])
def test_what_changes_the_words_changes_the_hash(one: str, other: str) -> None:
    assert _hashes(one)[2] != _hashes(other)[2]


@given(TEXTS)
def test_the_content_hash_keeps_the_digits_and_nothing_else(text: str) -> None:
    def content(given_text: str) -> int:
        return sketch_texts(pa.nulls(1), pa.array([given_text]))[0]["content_hash"].as_py()

    assert content(text) == content(" ".join(exact_words(text)))
    if words(text) != exact_words(text):
        assert content(text) != content(" ".join(words(text)))


def test_the_order_of_shingles_in_a_bin_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    lines = [" ".join(f"w{chr(97 + c)}" * 2 for c in rng.integers(0, 26, 4)) for _ in range(50)]
    _, made, _ = kernel.hash_text(np.frombuffer("\n".join(lines).encode(), np.uint8))
    bins, values = kernel.shingle_bin.py_func(made), kernel.shingle_value.py_func(made)
    smallest = np.full(kernel.BINS, kernel.EMPTY, np.uint64)
    np.minimum.at(smallest, bins.astype(np.int64), values)
    minhash = sketch_texts(pa.nulls(1), pa.array(["\n".join(lines)])).field("minhash")[0].as_py()
    assert np.frombuffer(minhash, "<u4").tolist() == smallest.tolist()
