"""What a join keeps in memory of millions of rows: hashes, times and row numbers in flat arrays."""

import hashlib
from array import array

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]


class RowIndex:
    """Finds the rows that were noted under a name, optionally those near a moment only.

    Rows are added first and looked up afterwards. Names are kept as 64-bit hashes, so that a caller to whom a
    false row matters compares the name itself.
    """

    def __init__(self) -> None:
        self._hashes, self._times, self._rows = array("q"), array("q"), array("q")
        self._sorted: tuple[Int64Array, Int64Array, Int64Array] | None = None

    def add(self, name: str, row: int, time: int) -> None:
        """Note a row, and its time in microseconds, under a name."""
        self._hashes.append(_hash(name))
        self._times.append(time)
        self._rows.append(row)
        self._sorted = None

    def rows(self, name: str) -> list[int]:
        """Return the rows of a name, by time."""
        low, high, _, rows = self._span(name)
        return rows[low:high].tolist()  # type: ignore[no-any-return]  # numpy says Any

    def near(self, name: str, time: int, tolerance: int) -> list[int]:
        """Return the rows of a name that are at most `tolerance` microseconds away from a moment, by time."""
        low, high, times, rows = self._span(name)
        start = low + np.searchsorted(times[low:high], time - tolerance)
        end = low + np.searchsorted(times[low:high], time + tolerance, side="right")
        return rows[start:end].tolist()  # type: ignore[no-any-return]  # numpy says Any

    def _span(self, name: str) -> tuple[int, int, Int64Array, Int64Array]:
        hashes, times, rows = self._in_order()
        wanted = _hash(name)
        low, high = np.searchsorted(hashes, wanted), np.searchsorted(hashes, wanted, side="right")
        return int(low), int(high), times, rows

    def _in_order(self) -> tuple[Int64Array, Int64Array, Int64Array]:
        if self._sorted is None:
            hashes, times, rows = (np.array(part, np.int64) for part in (self._hashes, self._times, self._rows))
            order = np.lexsort((rows, times, hashes))
            self._sorted = hashes[order], times[order], rows[order]
        return self._sorted


def _hash(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
