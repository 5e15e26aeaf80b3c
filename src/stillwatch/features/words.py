"""Compiled: UTF-8 bytes to word hashes, the normalisation on which all sketches rest.

Words are runs of letters, lower-cased in ASCII; each run of digits reads as one `0`, so that a template with a counter
stays one template; scripts that are written without spaces count each character as a word; punctuation separates;
zero-width characters and soft hyphens vanish, full-width ASCII folds to ASCII (both are cheap ways to hide a template).
"""

import numba
import numpy as np
import numpy.typing as npt

SEED = np.uint64(0xCBF29CE484222325)
PRIME = np.uint64(0x100000001B3)

_SKIP = np.int32(0)
_SEPARATOR = np.int32(1)
_LETTER = np.int32(2)
_DIGIT = np.int32(3)
_IDEOGRAPH = np.int32(4)

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]


@numba.njit(cache=True, inline="always")
def _ascii_class(byte: int) -> np.int32:
    if 48 <= byte <= 57:
        return _DIGIT
    if 65 <= byte <= 90 or 97 <= byte <= 122:
        return _LETTER
    return _SEPARATOR


@numba.njit(cache=True)
def _plane_class(code: int) -> np.int32:
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


@numba.njit(cache=True)
def _wide_class(data: Bytes, at: int, end: int) -> tuple[np.int32, int, np.int64]:
    """Class, length in bytes, and ASCII byte (full-width forms; else the lead byte) of the character at `at`."""
    lead = np.int64(data[at])
    kind, length, byte = _LETTER, 1, lead
    if lead >= 0xF0:
        kind, length = _IDEOGRAPH, min(4, end - at)
    elif lead >= 0xE0 and at + 2 < end:
        code = ((lead & 0x0F) << 12) | ((np.int64(data[at + 1]) & 0x3F) << 6) | (np.int64(data[at + 2]) & 0x3F)
        length = 3
        if 0xFF01 <= code <= 0xFF5E:
            byte = code - 0xFEE0
            kind = _ascii_class(byte)
        else:
            kind = _plane_class(code)
    elif lead >= 0xC0 and at + 1 < end:
        length = 2
        if lead == 0xC2:
            kind = _SKIP if data[at + 1] == 0xAD else _SEPARATOR
    return kind, length, byte


@numba.njit(cache=True, inline="always")
def _feed(state: np.uint64, data: Bytes, at: int, length: int, byte: int) -> np.uint64:
    if byte < 0x80:
        return (state ^ np.uint64(byte | 0x20)) * PRIME
    for inner in range(at, at + length):
        state = (state ^ np.uint64(data[inner])) * PRIME
    return state


@numba.njit(cache=True)
def split_words(data: Bytes, start: int, end: int, words: Words, exact: Words) -> int:
    """Hash the words of data[start:end] into `words` (digits collapsed) and `exact` (digits kept); return how many.

    Both outputs must hold at least end - start entries.
    """
    count = 0
    state, literal = SEED, SEED
    open_word, in_digits = False, False
    at = start
    while at < end:
        byte, length = np.int64(data[at]), 1
        if byte < 0x80:
            kind = _ascii_class(byte)
        else:
            kind, length, byte = _wide_class(data, at, end)
        if kind >= _LETTER:
            if kind == _IDEOGRAPH and open_word:
                words[count], exact[count] = state, literal
                count += 1
                state, literal = SEED, SEED
            literal = _feed(literal, data, at, length, byte)
            if kind != _DIGIT:
                state = _feed(state, data, at, length, byte)
            elif not in_digits:
                state = (state ^ np.uint64(48)) * PRIME
            in_digits = kind == _DIGIT
            open_word = True
        if open_word and (kind == _SEPARATOR or kind == _IDEOGRAPH):
            words[count], exact[count] = state, literal
            count += 1
            state, literal = SEED, SEED
            open_word, in_digits = False, False
        at += length
    if open_word:
        words[count], exact[count] = state, literal
        count += 1
    return count
