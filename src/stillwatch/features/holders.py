"""Compiled: by how many accounts is each value of a MinHash bin held? One pass with a hash table, no sorting.

Rows must come grouped by account: an account then counts once if its number is compared with the last one seen.
"""

import numba
import numpy as np
import numpy.typing as npt

from stillwatch.features.kernel import EMPTY, Minhash

_SPREAD = np.uint64(0x9E3779B97F4A7C15)

Numbers = npt.NDArray[np.int32]


@numba.njit(cache=True, inline="always")
def _find(keys: Minhash, value: np.uint32) -> np.int64:
    """Place of a value in an open-addressing table (a power of two of slots), or of the empty slot where it belongs."""
    mask = np.int64(keys.size - 1)
    at = np.int64((np.uint64(value) * _SPREAD) >> np.uint64(32)) & mask
    while keys[at] != value and keys[at] != EMPTY:
        at = (at + 1) & mask
    return at


@numba.njit(cache=True, nogil=True)
def count_holders(values: Minhash, account: Numbers, part: int, parts: int, keys: Minhash, holders: Numbers) -> None:
    """Count the accounts that hold each value, of the values whose remainder by `parts` is `part`.

    `keys` (filled with EMPTY) and `holders` are the table: a power of two of slots, more than there are such values.
    """
    last = np.full(keys.size, -1, np.int32)
    for row in range(values.size):
        value = values[row]
        if value == EMPTY or (value >> np.uint32(1)) % np.uint32(parts) != part:
            continue
        at = _find(keys, value)
        if keys[at] == EMPTY:
            keys[at] = value
            holders[at] = 0
        if last[at] != account[row]:
            last[at] = account[row]
            holders[at] += 1


@numba.njit(cache=True, nogil=True)
def count_known(values: Minhash, account: Numbers, keys: Minhash, holders: Numbers) -> None:
    """Count, into `holders` (zeros), the accounts that hold each value that is already in the table `keys`."""
    last = np.full(keys.size, -1, np.int32)
    for row in range(values.size):
        if values[row] == EMPTY:
            continue
        at = _find(keys, values[row])
        if keys[at] != EMPTY and last[at] != account[row]:
            last[at] = account[row]
            holders[at] += 1


@numba.njit(cache=True, nogil=True)
def fill_table(values: Minhash, keys: Minhash) -> None:
    """Put values into an empty table."""
    for value in values:
        keys[_find(keys, value)] = value


@numba.njit(cache=True, nogil=True)
def mark_members(values: Minhash, keys: Minhash, member: npt.NDArray[np.bool_]) -> None:
    """Set `member` to whether each value is in the table."""
    for row in range(values.size):
        member[row] = values[row] != EMPTY and keys[_find(keys, values[row])] != EMPTY
