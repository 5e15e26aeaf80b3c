import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.hashing import hash_strings, mix64, string_buffers

TEXTS = st.lists(st.one_of(st.none(), st.text(max_size=40)), max_size=20)


def _one(text: str) -> int:
    return int(hash_strings(pa.array([text]))[0])


def test_values_never_change() -> None:
    known = {
        "": -2152535657050944081,
        "a": -4474924225346549561,
        "account-1": -2530551367069843935,
        "sixteen bytes ok": -3217088481046972585,
        "größer als sechzehn Bytes 漢字": -6542237148380415463,
    }
    assert {text: _one(text) for text in known} == known


@given(st.text(max_size=40))
def test_a_hash_is_splitmix_over_words_of_eight_bytes(text: str) -> None:
    data, golden, full = text.encode(), 0x9E3779B97F4A7C15, 2**64 - 1

    def mix(value: int) -> int:
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & full
        value = (value ^ value >> 27) * 0x94D049BB133111EB & full
        return value ^ value >> 31

    state = golden ^ len(data)
    for start in range(0, len(data), 8):
        state = mix(state ^ int.from_bytes(data[start : start + 8], "little")) + golden & full
    assert _one(text) % 2**64 == mix(state)


@given(TEXTS, st.data())
def test_a_hash_depends_on_the_bytes_alone(texts: list[str | None], data: st.DataObject) -> None:
    expected = [_one(text or "") for text in texts]
    array = pa.array(texts, pa.string())
    start = data.draw(st.integers(0, len(texts)))
    chunks = pa.chunked_array([array[:start], array[start:]])
    assert hash_strings(array).tolist() == expected
    assert hash_strings(array.cast(pa.large_string())).tolist() == expected
    assert hash_strings(array.dictionary_encode()).tolist() == expected
    assert hash_strings(array[start:]).tolist() == expected[start:]
    assert hash_strings(array.cast(pa.large_string())[start:]).tolist() == expected[start:]
    assert hash_strings(chunks).tolist() == expected


def test_nulls_hash_like_the_empty_string_even_where_bytes_lie_under_them() -> None:
    offsets = pa.py_buffer(np.array([0, 3, 6], np.int32))
    array = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"abcdef"), pa.py_buffer(b"\x02"))
    assert array.to_pylist() == [None, "def"]
    assert hash_strings(array).tolist() == [_one(""), _one("def")]


def test_a_column_without_any_value_hashes_like_empty_strings() -> None:
    assert hash_strings(pa.nulls(3)).tolist() == [_one("")] * 3
    assert hash_strings(pa.chunked_array([], pa.string())).shape == (0,)
    assert hash_strings(pa.array([], pa.string())).shape == (0,)


def test_half_a_million_similar_ids_do_not_meet() -> None:
    ids = pa.array([f"account-{number:06}" for number in range(250_000)] + [f"acct_{n}" for n in range(250_000)])
    assert np.unique(hash_strings(ids)).size == len(ids)


@pytest.mark.parametrize("bit", range(64))
def test_each_bit_of_the_input_moves_half_of_the_output(bit: int) -> None:
    values = np.random.default_rng(bit).integers(0, 2**64, 2_000, dtype=np.uint64)
    changed = mix64.py_func(values) ^ mix64.py_func(values ^ np.uint64(1 << bit))
    assert np.unpackbits(changed.view(np.uint8)).mean() == pytest.approx(0.5, abs=0.01)


def test_buffers_are_neither_copied_nor_writable() -> None:
    array = pa.array(["some", None, "texts"], pa.large_string())[1:]
    data, offsets = string_buffers(array)
    assert data.ctypes.data == array.buffers()[2].address
    assert offsets.tolist() == [4, 4, 9]
    assert not data.flags.writeable
    assert not offsets.flags.writeable
