"""Compiled: the heart of the sketch, one pass over the words of each prompt. Pure functions of its UTF-8 bytes."""

import numba
import numpy as np
import numpy.typing as npt

from stillwatch.features.words import Bytes, Words, split_words
from stillwatch.hashing import mix64

SHINGLE_WORDS = 4
BINS = 64
EMPTY = np.uint32(0xFFFFFFFF)
EDGE_WORDS = 8
VOCABULARY_BYTES = 128
CUE_SLOTS = 4096
CUE_WORDS = 6

_STEP = np.uint64(0x9E3779B97F4A7C15)
_P1 = np.uint64(0xD6E8FEB86659FD93)
_P2 = np.uint64(0xA0761D6478BD642F)
_P3 = np.uint64(0xE7037ED1A0B428DB)

Offsets = npt.NDArray[np.int64]
Minhash = npt.NDArray[np.uint32]
CueTable = tuple[npt.NDArray[np.bool_], Words, npt.NDArray[np.int32]]


@numba.njit(cache=True, inline="always")
def chain(words: Words, start: int, stop: int) -> np.uint64:
    """Hash words[start:stop] in their order."""
    state = _STEP
    for position in range(start, stop):
        state = mix64(state ^ words[position]) + _STEP
    return state


@numba.njit(cache=True, inline="always")
def _shingle(words: Words, last: int) -> np.uint64:
    return mix64(words[last - 3] * _P3 + words[last - 2] * _P2 + words[last - 1] * _P1 + words[last])


@numba.njit(cache=True, inline="always")
def _value(shingle: np.uint64) -> np.uint32:
    return np.uint32((shingle >> np.uint64(20)) & np.uint64(0xFFFFFFFE))


@numba.njit(cache=True, inline="always")
def _lower(minhash: Minhash, shingle: np.uint64) -> None:
    position = shingle >> np.uint64(58)
    minhash[position] = min(minhash[position], _value(shingle))


@numba.njit(cache=True)
def _add_shingles(words: Words, count: int, minhash: Minhash) -> None:
    """Lower each bin of `minhash` (one-permutation MinHash, Li et al. 2012) by the shingles of the words."""
    if 0 < count < SHINGLE_WORDS:
        _lower(minhash, mix64(chain(words, 0, count)))
    for last in range(SHINGLE_WORDS - 1, count):
        _lower(minhash, _shingle(words, last))


@numba.njit(cache=True)
def _find_cues(words: Words, count: int, cues: CueTable) -> np.int32:
    """Return the bits of the cue phrases among the words.

    `cues` holds a gate (does some phrase end with a word of this remainder?), the sorted phrase hashes, their bits.
    """
    gate, keys, masks = cues
    found = np.int32(0)
    for last in range(count):
        if not gate[words[last] % np.uint64(CUE_SLOTS)]:
            continue
        for first in range(max(0, last - CUE_WORDS + 1), last + 1):
            phrase = chain(words, first, last + 1)
            at = np.searchsorted(keys, phrase)
            if at < keys.size and keys[at] == phrase:
                found |= masks[at]
    return found


@numba.njit(cache=True)
def _add_vocabulary(words: Words, count: int, vocabulary: Bytes) -> None:
    for position in range(count):
        bit = mix64(words[position]) >> np.uint64(54)
        vocabulary[bit >> np.uint64(3)] |= np.uint8(1) << np.uint8(bit & np.uint64(7))


@numba.njit(cache=True, nogil=True)
def sketch_rows(
    texts: tuple[Bytes, Offsets, Bytes, Offsets],
    cues: CueTable,
    hashes: Words,
    counts: npt.NDArray[np.int32],
    minhash: Minhash,
    vocabulary: Bytes,
) -> None:
    """Sketch each row of `texts` (system bytes and offsets, prompt bytes and offsets).

    Outputs: hashes (n, 4) content, system, head, tail; counts (n, 3) words, bytes, cues; minhash (n, BINS), filled
    with EMPTY before; vocabulary (n, VOCABULARY_BYTES), filled with 0 before.
    """
    system, system_at, prompt, prompt_at = texts
    longest = 1
    for row in range(hashes.shape[0]):
        longest = max(longest, system_at[row + 1] - system_at[row], prompt_at[row + 1] - prompt_at[row])
    words = np.empty(longest, np.uint64)
    exact = np.empty(longest, np.uint64)
    for row in range(hashes.shape[0]):
        first = split_words(system, system_at[row], system_at[row + 1], words, exact)
        hashes[row, 1] = chain(words, 0, first)
        found = _find_cues(words, first, cues)
        _add_shingles(words, first, minhash[row])
        count = split_words(prompt, prompt_at[row], prompt_at[row + 1], words, exact)
        hashes[row, 0] = chain(exact, 0, count)
        hashes[row, 2] = chain(words, 0, min(EDGE_WORDS, count))
        hashes[row, 3] = chain(words, max(0, count - EDGE_WORDS), count)
        _add_shingles(words, count, minhash[row])
        _add_vocabulary(words, count, vocabulary[row])
        counts[row, 0] = first + count
        counts[row, 1] = prompt_at[row + 1] - prompt_at[row] + system_at[row + 1] - system_at[row]
        counts[row, 2] = found | _find_cues(words, count, cues)


@numba.njit(cache=True)
def list_shingles(data: Bytes, bins: Bytes, values: Minhash) -> int:
    """Write the bin and value of every shingle of a text (not only the smallest of each bin); return how many.

    Both outputs must hold at least len(data) entries.
    """
    words = np.empty(max(1, data.size), np.uint64)
    count = split_words(data, 0, data.size, words, np.empty_like(words))
    found = 0
    for last in range(SHINGLE_WORDS - 1, count):
        shingle = _shingle(words, last)
        bins[found] = shingle >> np.uint64(58)
        values[found] = _value(shingle)
        found += 1
    return found
