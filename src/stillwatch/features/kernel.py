"""Compiled: from UTF-8 bytes to words to sketches, each a pure function of the bytes.

Words are runs of letters, lower-cased (ASCII, Latin-1, Greek, Cyrillic); each run of digits reads as one `0`, so that a
template with a counter stays one template; scripts that are written without spaces count each character as a word;
punctuation separates; zero-width characters, soft hyphens and tag characters vanish, full-width ASCII folds to ASCII
(both are cheap ways to hide a template). Bytes that are no UTF-8 are letters of their own.

Plain ASCII words, nearly all there are, take a short way: 64 bytes are classified at once, and a word is hashed eight
bytes at a time. All other runs are normalised byte by byte and then hashed alike.

One module on purpose: numba's cache sees changes only in the file of the function that was called.
"""

import numba
import numpy as np
import numpy.typing as npt

from stillwatch.features.simd import BLOCK, classify_block, load_word, lowest_bit
from stillwatch.hashing import mix64

SHINGLE_WORDS = 4
BINS = 64
EMPTY = np.uint32(0xFFFFFFFF)
EDGE_WORDS = 8
VOCABULARY_BYTES = 128
CUE_SLOTS = 4096
CUE_WORDS = 6

_SKIP = 0
_SEPARATOR = 1
_LETTER = 2
_DIGIT = 3
_IDEOGRAPH = 4

_START = np.uint64(0xCBF29CE484222325)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_CASE_BITS = np.uint64(0x2020202020202020)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE = np.uint64(1)
_MARGIN = BLOCK + 8

_P1 = np.uint64(0xD6E8FEB86659FD93)
_P2 = np.uint64(0xA0761D6478BD642F)
_P3 = np.uint64(0xE7037ED1A0B428DB)

_BAND_RIGHT = np.uint64(0xBF58476D1CE4E5B9)
_BAND_MIX = np.uint64(0x94D049BB133111EB)

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
Offsets = npt.NDArray[np.int64]
Minhash = npt.NDArray[np.uint32]
CueTable = tuple[npt.NDArray[np.bool_], Words, npt.NDArray[np.int32]]


@numba.njit
def _join(state: np.uint64, word: np.uint64) -> np.uint64:
    """Add a word to the hash of a sequence of words."""
    return state * _SPREAD + word


@numba.njit
def _hash_word(data: Bytes, start: int, end: int, case_bits: np.uint64) -> np.uint64:
    """Hash data[start:end], not empty, after setting `case_bits`; may read (but not use) 7 bytes past the end."""
    state = _START
    while end - start > 8:
        state = (state ^ (load_word(data, start) | case_bits)) * _SPREAD
        state ^= state >> np.uint64(32)
        start += 8
    inside = _ALL >> np.uint64(64 - 8 * (end - start))
    state = (state ^ ((load_word(data, start) | case_bits) & inside)) * _SPREAD
    return state ^ (state >> np.uint64(32))


@numba.njit
def _ascii_class(byte: int) -> int:
    if 48 <= byte <= 57:
        return _DIGIT
    if 97 <= byte | 0x20 <= 122:
        return _LETTER
    return _SEPARATOR


@numba.njit
def _plane_class(code: int) -> int:
    """Class of a character that takes three bytes in UTF-8."""
    kind = _LETTER
    if 0x2000 <= code <= 0x206F:
        hidden = 0x200B <= code <= 0x200F or 0x202A <= code <= 0x202E or code >= 0x2060
        kind = _SKIP if hidden else _SEPARATOR
    elif code == 0xFEFF or 0xFE00 <= code <= 0xFE0F:
        kind = _SKIP
    elif 0x2070 <= code <= 0x2BFF or 0x3000 <= code <= 0x303F:
        kind = _SEPARATOR
    elif 0x3040 <= code <= 0x9FFF or 0x0E00 <= code <= 0x0EFF:
        kind = _IDEOGRAPH
    return kind


@numba.njit
def _lower(code: int) -> int:
    """Lower case of a character that takes two bytes in UTF-8: Latin-1, Greek and Cyrillic."""
    if (0xC0 <= code <= 0xDE and code != 0xD7) or 0x391 <= code <= 0x3A9 or 0x410 <= code <= 0x42F:
        code += 0x20
    elif 0x400 <= code <= 0x40F:
        code += 0x50
    return code


@numba.njit
def _read_character(data: Bytes, at: int, end: int) -> tuple[int, int, np.int64]:
    """Class and length in bytes of the character at `at`, and what it folds to: a code below 0x800, or -1 (itself).

    A byte that is not the start of a character of UTF-8 is a letter by itself; the end of the text is a separator.
    """
    lead, left = np.int64(data[at]) if at < end else np.int64(0), end - at
    if lead < 0x80:
        return _ascii_class(lead), 1, lead | np.int64(0x20)
    second = np.int64(data[at + 1]) ^ 0x80 if left > 1 else np.int64(0xFF)
    third = np.int64(data[at + 2]) ^ 0x80 if left > 2 else np.int64(0xFF)
    kind, length, code = _LETTER, 1, np.int64(-1)
    if second > 0x3F:
        return kind, length, code
    if 0xC2 <= lead < 0xE0:
        length = 2
        code = ((lead & 0x1F) << 6) | second
        if lead == 0xC2:
            kind = _SKIP if code == 0xAD else _SEPARATOR
        code = _lower(code)
    elif 0xE0 <= lead < 0xF0 and third <= 0x3F:
        length = 3
        code = ((lead & 0x0F) << 12) | (second << 6) | third
        if 0xFF01 <= code <= 0xFF5E:
            kind, code = _ascii_class(code - 0xFEE0), (code - 0xFEE0) | 0x20
        else:
            kind, code = _plane_class(code), np.int64(-1)
    elif lead >= 0xF0 and third <= 0x3F and left > 3 and data[at + 3] & 0xC0 == 0x80:
        length = 4
        kind = _SKIP if lead == 0xF3 and second == 0x20 else _IDEOGRAPH
    return kind, length, code


@numba.njit
def _append(out: Bytes, size: int, data: Bytes, at: int, length: int, code: int) -> int:
    """Append the character at `at`, or the code below 0x800 that it folds to; return the new size."""
    if code < 0:
        for inner in range(length):
            out[size + inner] = data[at + inner]
        return size + length
    if code < 0x80:
        out[size] = code
        return size + 1
    out[size], out[size + 1] = 0xC0 | (code >> 6), 0x80 | (code & 0x3F)
    return size + 2


@numba.njit
def _collapse_digits(exact: Bytes, size: int, folded: Bytes) -> int:
    """Write to `folded` what `exact` holds with each run of digits as one 0; return the new size."""
    kept, in_digits = 0, False
    for place in range(size):
        byte = exact[place]
        is_digit = 48 <= byte <= 57
        if not (is_digit and in_digits):
            folded[kept] = 48 if is_digit else byte
            kept += 1
        in_digits = is_digit
    return kept


@numba.njit
def _split_slowly(
    data: Bytes, start: int, end: int, words: Words, count: int, content: np.uint64, scratch: tuple[Bytes, Bytes]
) -> tuple[int, np.uint64]:
    """Do what `split_words` promises, character by character, after `count` words with hash `content`."""
    exact, folded = scratch
    size, digits = 0, False
    at = start
    while at <= end:
        while at < end and np.uint8(97) <= data[at] | np.uint8(0x20) <= np.uint8(122):
            exact[size] = data[at] | np.uint8(0x20)
            size, at = size + 1, at + 1
        kind, length, code = _read_character(data, at, end)
        if size and (kind == _SEPARATOR or kind == _IDEOGRAPH):
            word = _hash_word(exact, 0, size, np.uint64(0))
            content = _join(content, word)
            if digits:
                word = _hash_word(folded, 0, _collapse_digits(exact, size, folded), np.uint64(0))
            words[count] = word
            count += 1
            size, digits = 0, False
        if kind >= _LETTER:
            size = _append(exact, size, data, at, length, code)
            digits |= kind == _DIGIT
        if kind == _IDEOGRAPH:
            words[count] = _hash_word(exact, 0, size, np.uint64(0))
            content = _join(content, words[count])
            count += 1
            size = 0
        at += length
    return count, content


@numba.njit
def split_words(data: Bytes, start: int, end: int, words: Words, scratch: tuple[Bytes, Bytes]) -> tuple[int, np.uint64]:
    """Hash the words of data[start:end] into `words`; return how many, and one hash of all with their digits kept.

    `words` must hold at least end - start entries, each array of `scratch` 8 more.
    """
    count, content = 0, _START
    first, is_open, was_open = start, False, np.uint64(0)
    odd_before = False
    block = start
    while block < min(end, data.size - _MARGIN):
        letters, odd = classify_block(data, block)
        if end - block < BLOCK:
            inside = (_ONE << np.uint64(end - block)) - _ONE
            letters, odd = letters & inside, odd & inside
        in_word = letters | odd
        edges = in_word ^ ((in_word << _ONE) | was_open)
        was_open = in_word >> np.uint64(63)
        while edges:
            edge = lowest_bit(edges)
            edges &= edges - _ONE
            if not is_open:
                first, is_open = block + edge, True
                continue
            is_open = False
            mine = odd & ((_ONE << np.uint64(edge)) - _ONE)
            odd ^= mine
            if mine or odd_before:
                odd_before = False
                count, content = _split_slowly(data, first, block + edge, words, count, content, scratch)
            else:
                word = _hash_word(data, first, block + edge, _CASE_BITS)
                words[count] = word
                content = _join(content, word)
                count += 1
        odd_before |= odd != 0
        block += BLOCK
    if not is_open:
        first = min(block, end)
    if first < end:
        count, content = _split_slowly(data, first, end, words, count, content, scratch)
    return count, content


@numba.njit
def hash_sequence(words: Words, start: int, stop: int) -> np.uint64:
    """Hash words[start:stop] in their order."""
    state = _START
    for position in range(start, stop):
        state = _join(state, words[position])
    return mix64(state)


@numba.njit
def _shingle(first: np.uint64, second: np.uint64, third: np.uint64, last: np.uint64) -> np.uint64:
    """Hash four words in a row."""
    return mix64(first * _P3 + second * _P2 + third * _P1 + last)


@numba.njit
def shingle_value(hashed: np.uint64) -> np.uint64:
    """Return what a bin keeps of a shingle: 31 bits above a 0, so that it is never EMPTY."""
    return (hashed >> np.uint64(20)) & np.uint64(0xFFFFFFFE)


@numba.njit
def shingle_bin(hashed: np.uint64) -> np.uint64:
    """Return the number of the bin that a shingle falls into."""
    return hashed >> np.uint64(58)


@numba.njit
def _lower_bin(minhash: Minhash, hashed: np.uint64) -> None:
    number = shingle_bin(hashed)
    minhash[number] = min(minhash[number], np.uint32(shingle_value(hashed)))


@numba.njit
def _add_shingles(words: Words, count: int, minhash: Minhash) -> None:
    """Lower each bin of `minhash` (one-permutation MinHash, Li et al. 2012) by the shingles of the words.

    A text of one to three words is one shingle.
    """
    if 0 < count < SHINGLE_WORDS:
        _lower_bin(minhash, hash_sequence(words, 0, count))
    for last in range(SHINGLE_WORDS - 1, count):
        _lower_bin(minhash, _shingle(words[last - 3], words[last - 2], words[last - 1], words[last]))


@numba.njit
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
            phrase = hash_sequence(words, first, last + 1)
            low, high = 0, keys.size
            while low < high:
                middle = (low + high) // 2
                if keys[middle] < phrase:
                    low = middle + 1
                else:
                    high = middle
            if low < keys.size and keys[low] == phrase:
                found |= masks[low]
    return found


@numba.njit
def _add_vocabulary(words: Words, count: int, vocabulary: Bytes) -> None:
    for position in range(count):
        bit = (words[position] * _P1) >> np.uint64(54)
        vocabulary[bit >> np.uint64(3)] |= np.uint8(1) << np.uint8(bit & np.uint64(7))


@numba.njit(cache=True, nogil=True)
def sketch_rows(
    texts: tuple[Bytes, Offsets],
    cues: CueTable,
    hashes: Words,
    counts: npt.NDArray[np.int32],
    minhash: Minhash,
    vocabulary: Bytes,
) -> None:
    """Sketch each text of a string array (bytes and offsets).

    Outputs: hashes (4, n) of all words with digits kept, of all words, of the first and the last EDGE_WORDS; counts
    (3, n) words, bytes, cues; minhash (n, BINS), filled with EMPTY before; vocabulary (n, VOCABULARY_BYTES), filled
    with 0 before.
    """
    data, offsets = texts
    longest = 0
    for row in range(hashes.shape[1]):
        longest = max(longest, offsets[row + 1] - offsets[row])
    words = np.empty(longest + 1, np.uint64)
    scratch = (np.empty(longest + 8, np.uint8), np.empty(longest + 8, np.uint8))
    for row in range(hashes.shape[1]):
        count, content = split_words(data, offsets[row], offsets[row + 1], words, scratch)
        hashes[0, row] = mix64(content)
        hashes[1, row] = hash_sequence(words, 0, count)
        hashes[2, row] = hash_sequence(words, 0, min(EDGE_WORDS, count))
        hashes[3, row] = hash_sequence(words, max(0, count - EDGE_WORDS), count)
        counts[0, row] = count
        counts[1, row] = offsets[row + 1] - offsets[row]
        counts[2, row] = _find_cues(words, count, cues)
        _add_shingles(words, count, minhash[row])
        _add_vocabulary(words, count, vocabulary[row])


@numba.njit(cache=True)
def hash_text(data: Bytes) -> tuple[Words, Words, np.uint64]:
    """Return the hashes of the words of a text, of its shingles, and of all words in their order."""
    words = np.empty(data.size, np.uint64)
    scratch = (np.empty(data.size + 8, np.uint8), np.empty(data.size + 8, np.uint8))
    count, _ = split_words(data, 0, data.size, words, scratch)
    sequence = hash_sequence(words, 0, count)
    shingles = np.full(1 if 0 < count < SHINGLE_WORDS else max(0, count - SHINGLE_WORDS + 1), sequence)
    for last in range(SHINGLE_WORDS - 1, count):
        shingles[last - SHINGLE_WORDS + 1] = _shingle(words[last - 3], words[last - 2], words[last - 1], words[last])
    return words[:count], shingles, sequence


@numba.njit(cache=True, nogil=True)
def band_text(data: Bytes, told: Bytes, bands: Words) -> np.uint64:
    """Write the LSH bands of a prompt and its system prompt, and return the hash of the prompt's first words.

    They are those of `sketch.bands`, without its matrix: a decision has one text. `bands` has one per pair of bins.
    """
    words = np.empty(max(data.size, told.size) + 1, np.uint64)
    scratch = (np.empty(words.size + 8, np.uint8), np.empty(words.size + 8, np.uint8))
    minhash = np.full(BINS, EMPTY, np.uint32)
    count = 0
    for text in (told, data):
        count, _ = split_words(text, 0, text.size, words, scratch)
        _add_shingles(words, count, minhash)
    head = hash_sequence(words, 0, min(EDGE_WORDS, count))
    dense = np.full(BINS, np.uint64(EMPTY))
    filled, distance = np.uint64(0), np.uint64(BINS)
    for step in range(2 * BINS):  # twice around, backwards: each empty bin borrows the next filled one
        place = (2 * BINS - 1 - step) % BINS
        if minhash[place] != EMPTY:
            filled, distance = np.uint64(minhash[place]), np.uint64(0)
        elif distance < np.uint64(BINS):
            distance += _ONE
        if distance < np.uint64(BINS):
            dense[place] = filled + (distance << np.uint64(32))
    for band in range(bands.size):
        joined = dense[2 * band] * _SPREAD + dense[2 * band + 1] * _BAND_RIGHT
        mixed = (joined ^ (joined >> np.uint64(29))) * _BAND_MIX + np.uint64(band + 1)
        bands[band] = mixed ^ (mixed >> np.uint64(32))
    return head
