"""A log at one size: reading entries and making proofs, from the tiles on the disk and the edge in memory."""

from dataclasses import dataclass
from pathlib import Path

from stillwatch.errors import Location, PolicyRefusedError, UsageError
from stillwatch.transparency.tiles import (
    ENTRIES,
    MAX_BUNDLE,
    TILE_SIZE,
    WIDTH,
    Edge,
    Tile,
    full_tiles,
    hashes_of,
    place_of,
    read_limited,
    split_entries,
)
from stillwatch.transparency.tree import Node, consistency_proof, inclusion_proof, root_at, root_of


@dataclass(frozen=True, slots=True)
class View:
    """What a log is at one moment; it stays true while the log grows, and any thread may read it.

    Attributes:
        edge: nodes of the tiles that are not full.
        entries: the entries behind the last full bundle.
    """

    directory: Path
    edge: Edge
    entries: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.edge.size

    def entry(self, index: int) -> bytes:
        """Return an entry.

        Raises:
            UsageError: there is none of this index.
            PolicyRefusedError: its bundle is gone or cut.
        """
        if not 0 <= index < self.size:
            raise UsageError(f"no entry {index} in a log of {self.size}")
        bundle, place = divmod(index, WIDTH)
        if bundle == full_tiles(self.size, 0):
            return self.entries[place]
        return read_bundle(self.directory, Tile(ENTRIES, bundle))[place]

    def root(self, size: int) -> bytes:
        """Return the root over the first `size` entries.

        Raises:
            UsageError: the log does not hold so many.
        """
        self._check(size)
        return self.edge.root() if size == self.size else root_at(size, self._nodes())

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the proof that an entry stands at `index` of the tree of `size`, lowest hash first.

        Raises:
            UsageError: there is no such entry or size.
        """
        self._check(size)
        if not 0 <= index < size:
            raise UsageError(f"no entry {index} in a tree of {size}")
        return inclusion_proof(index, size, self._nodes())

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the tree of `new` entries begins with the tree of `old`.

        Raises:
            UsageError: there are no such sizes, or the old one is the larger.
        """
        self._check(new)
        if not 0 <= old <= new:
            raise UsageError(f"a tree of {old} is not the beginning of one of {new}")
        return consistency_proof(old, new, self._nodes())

    def _check(self, size: int) -> None:
        if not 0 <= size <= self.size:
            raise UsageError(f"the log holds {self.size} entries, not {size}")

    def _nodes(self) -> Node:
        """Return a function that finds nodes; it reads each tile once, a few of them for a whole proof."""
        tiles: dict[tuple[int, int], list[bytes]] = {}

        def node(height: int, index: int) -> bytes:
            level, number, start, end = place_of(height, index)
            if (level, number) not in tiles:
                full = number < full_tiles(self.size, level)
                tiles[level, number] = (
                    read_hashes(self.directory, Tile(level, number)) if full else self.edge.row(level)
                )
            return root_of(tiles[level, number][start:end])

        return node


def load_edge(directory: Path, size: int) -> Edge:
    """Return the edge of a log of `size` entries, a multiple of the width of a tile, from the full tiles below it.

    Raises:
        PolicyRefusedError: one of them is gone or cut.
    """
    rows: list[list[bytes]] = [[]]
    level = 1
    while below := full_tiles(size, level - 1):
        first = below - below % WIDTH
        rows.append([root_of(read_hashes(directory, Tile(level - 1, index))) for index in range(first, below)])
        level += 1
    return Edge(size, rows)


def read_hashes(directory: Path, tile: Tile) -> list[bytes]:
    """Return the nodes of a tile.

    Raises:
        PolicyRefusedError: the tile is gone, or has another size than it should.
    """
    data = read_limited(directory / tile.path, TILE_SIZE)
    if data is None:
        raise damaged(directory, tile, "is missing")
    try:
        hashes = hashes_of(data)
    except ValueError as error:
        raise damaged(directory, tile, str(error)) from None
    if len(hashes) != tile.width:
        raise damaged(directory, tile, f"holds {len(hashes)} hashes instead of {tile.width}")
    return hashes


def read_bundle(directory: Path, tile: Tile) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        PolicyRefusedError: the bundle is gone, or does not hold as many entries as it should.
    """
    data = read_limited(directory / tile.path, MAX_BUNDLE)
    if data is None:
        raise damaged(directory, tile, "is missing")
    try:
        entries = split_entries(data)
    except ValueError as error:
        raise damaged(directory, tile, str(error)) from None
    if len(entries) != tile.width:
        raise damaged(directory, tile, f"holds {len(entries)} entries instead of {tile.width}")
    return entries


def damaged(directory: Path, tile: Tile, fault: str) -> PolicyRefusedError:
    """Return the error for a tile that is not as it was written."""
    return PolicyRefusedError(
        f"the log does not hold: {tile.path} {fault}",
        where=Location(str(directory / tile.path)),
        hint="a tile never changes once it is written: compare with a copy of the log",
    )
