"""Finds repeated exchange ids over any number of rows in bounded memory.

Hashes of ids are kept, in memory or in partitions on disk; ids are compared as text only where hashes meet.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Int64Array = npt.NDArray[np.int64]

_PARTITIONS = 32
_HELD_ROWS = 2**22
_COMPARED_ROWS = 2**22
_ROW_BITS = 40  # a position is part << 40 | row: over 8 million parts of a million million rows


class DuplicateFinder:
    """Collects the id hashes of all parts, then tells which rows repeat an earlier id.

    Args:
        work: directory for partitions, needed from four million rows on.
        held_rows: rows kept in memory before they are written to partitions.
    """

    def __init__(self, work: Path, held_rows: int = _HELD_ROWS) -> None:
        self._work = work
        self._limit = held_rows
        self._held: list[tuple[Int64Array, Int64Array]] = []
        self._held_rows = 0
        self._spilled = False

    def add(self, part: int, rows: Int64Array, hashes: Int64Array) -> None:
        """Note the id hashes of some rows (from 0) of one part; both arrays have the same length."""
        if not rows.size:
            return
        self._held.append((hashes, rows | (part << _ROW_BITS)))
        self._held_rows += rows.size
        if self._held_rows >= self._limit:
            self._spill()

    def find(self, parts: Mapping[int, Path]) -> dict[int, Int64Array]:
        """Return, for each part that has any, the sorted rows whose id occurs earlier in the input.

        Args:
            parts: the Parquet file of each part that counts, by its number; others that were noted are ignored.
                Only rows whose hashes meet are read from them.
        """
        repeated = [_repeats(parts, positions) for positions in self._slices(np.array(sorted(parts)))]
        found = np.sort(np.concatenate(repeated)) if repeated else np.empty(0, np.int64)
        return {part: rows for part, rows in _by_part(found) if rows.size}

    def _spill(self) -> None:
        hashes = np.concatenate([hashes for hashes, _ in self._held])
        positions = np.concatenate([positions for _, positions in self._held])
        owner = hashes & (_PARTITIONS - 1)
        order = np.argsort(owner, kind="stable")
        bounds = np.searchsorted(owner[order], np.arange(_PARTITIONS + 1))
        pairs = np.stack([hashes[order], positions[order]], axis=1)
        for number in range(_PARTITIONS):
            with self._partition(number).open("ab") as stream:
                stream.write(pairs[bounds[number] : bounds[number + 1]].tobytes())
        self._held, self._held_rows, self._spilled = [], 0, True

    def _partition(self, number: int) -> Path:
        return self._work / f"ids-{number:02d}.bin"

    def _pairs(self) -> Iterator[tuple[Int64Array, Int64Array]]:
        if not self._spilled:
            if self._held:
                yield (
                    np.concatenate([hashes for hashes, _ in self._held]),
                    np.concatenate([positions for _, positions in self._held]),
                )
            return
        if self._held:
            self._spill()
        for number in range(_PARTITIONS):
            path = self._partition(number)
            pairs = np.fromfile(path, np.int64).reshape(-1, 2)
            path.unlink()
            yield pairs[:, 0], pairs[:, 1]

    def _slices(self, parts: Int64Array) -> Iterator[Int64Array]:
        """Yield sorted positions whose hashes meet; all those of one hash are in the same slice."""
        waiting: list[Int64Array] = []
        for all_hashes, all_positions in self._pairs():
            known = np.isin(all_positions >> _ROW_BITS, parts)
            hashes, positions = all_hashes[known], all_positions[known]
            order = np.argsort(hashes, kind="stable")
            ordered = hashes[order]
            same = ordered[1:] == ordered[:-1]
            meets = np.zeros(ordered.size, bool)
            meets[1:] |= same
            meets[:-1] |= same
            waiting.append(positions[order[meets]])
            if sum(some.size for some in waiting) >= _COMPARED_ROWS:
                yield np.sort(np.concatenate(waiting))
                waiting = []
        if any(some.size for some in waiting):
            yield np.sort(np.concatenate(waiting))


def _by_part(positions: Int64Array) -> Iterator[tuple[int, Int64Array]]:
    """Yield the rows of each part, given sorted positions."""
    numbers = positions >> _ROW_BITS
    for part in np.unique(numbers).tolist():
        low, high = np.searchsorted(numbers, [part, part + 1])
        yield part, positions[low:high] & ((1 << _ROW_BITS) - 1)


def _repeats(parts: Mapping[int, Path], positions: Int64Array) -> Int64Array:
    """Return those of the sorted positions whose id stands at an earlier one."""
    ids = pa.chunked_array(
        [chunk for part, rows in _by_part(positions) for chunk in _ids(parts[part], rows)], pa.large_string()
    )
    codes = ids.combine_chunks().dictionary_encode().indices.to_numpy()
    repeated = np.ones(positions.size, bool)
    repeated[np.unique(codes, return_index=True)[1]] = False
    return positions[repeated]


def _ids(path: Path, rows: Int64Array) -> Iterator[pa.Array]:
    with pq.ParquetFile(path) as file:
        start = 0
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            low, high = np.searchsorted(rows, [start, end])
            if low < high:
                column = file.read_row_group(group, ["exchange_id"]).column(0).cast(pa.large_string())
                yield column.take(pa.array(rows[low:high] - start)).combine_chunks()
            start = end
