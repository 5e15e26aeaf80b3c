"""One 64-bit hash of bytes for the whole project: deterministic, the same on every machine and in every version.

Identity, joins and sketches rest on it, so it never changes without a new sketch version. It is a fast hash, not a
cryptographic one: whoever knows a text can compute its hash, so hashes of content are as confidential as counts of it.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

_K1 = np.uint64(0x9E3779B97F4A7C15)
_K2 = np.uint64(0xBF58476D1CE4E5B9)
_K3 = np.uint64(0x94D049BB133111EB)

Int64Array = npt.NDArray[np.int64]


@numba.njit
def mix64(value: np.uint64) -> np.uint64:
    """Scatter 64 bits so that each input bit changes half of the output (the finaliser of SplitMix64)."""
    value = (value ^ (value >> np.uint64(30))) * _K2
    value = (value ^ (value >> np.uint64(27))) * _K3
    return value ^ (value >> np.uint64(31))


@numba.njit(cache=True, nogil=True)
def _hash_spans(  # pragma: no cover - runs as machine code
    data: npt.NDArray[np.uint8], offsets: Int64Array, out: npt.NDArray[np.uint64]
) -> None:
    for row in range(out.size):
        start, end = offsets[row], offsets[row + 1]
        state = _K1 ^ np.uint64(end - start)
        word, filled = np.uint64(0), 0
        for position in range(start, end):
            word |= np.uint64(data[position]) << np.uint64(8 * filled)
            filled += 1
            if filled == 8:
                state = mix64(state ^ word) + _K1
                word, filled = np.uint64(0), 0
        if filled:
            state = mix64(state ^ word) + _K1
        out[row] = mix64(state)


def string_buffers(array: pa.Array) -> tuple[npt.NDArray[np.uint8], Int64Array]:
    """Return the UTF-8 bytes of a string array and its offsets (length + 1), read-only, without copying the bytes.

    Nulls have no bytes. `array` may be string or large_string, a dictionary of them, or all null.
    """
    if not pa.types.is_large_string(array.type):
        array = array.cast(pa.large_string())
    if not len(array):
        return _read_only(np.empty(0, np.uint8)), _read_only(np.zeros(1, np.int64))
    _, offsets, data = array.buffers()
    spans = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    if array.null_count and np.diff(spans)[np.asarray(array.is_null())].any():
        return string_buffers(array.fill_null(""))
    return _read_only(np.frombuffer(data or b"", dtype=np.uint8)), _read_only(spans)


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Arrow's memory is read-only or not by chance; one kind of array keeps numba from compiling everything twice."""
    array.flags.writeable = False
    return array


def hash_strings(array: pa.Array | pa.ChunkedArray) -> Int64Array:
    """Hash each string of an Arrow array to int64 (length of the array); null hashes like the empty string."""
    if isinstance(array, pa.ChunkedArray):
        chunks = [hash_strings(chunk) for chunk in array.chunks]
        return np.concatenate(chunks) if chunks else np.empty(0, np.int64)
    data, offsets = string_buffers(array)
    out = np.empty(len(array), np.uint64)
    _hash_spans(data, offsets, out)
    return out.view(np.int64)
