"""Where a log keeps what: hash tiles and bundles of entries, as C2SP tlog-tiles lays them out and serves them.

A tile of level l holds up to 256 neighbouring nodes of height 8 * l; a bundle holds the entries of a tile of level 0,
each behind its length in two bytes, big-endian. A tile that is not full yet is kept by its width beside the place of
the full one: `tile/0/x001/234.p/17`.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from stillwatch.transparency.tree import HASH_SIZE, root_of

WIDTH = 256
TILE_SIZE = WIDTH * HASH_SIZE
MAX_ENTRY = 65_535
MAX_BUNDLE = WIDTH * (2 + MAX_ENTRY)
CHECKPOINT = "checkpoint"
ENTRIES = -1
"""The level of a bundle of entries."""

_HEIGHT = 8
_MAX_LEVEL = 63
_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


class Tile(NamedTuple):
    """The place of a tile: level (`ENTRIES` for a bundle), number in its level, and how many nodes or entries."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """The path below the log's directory, and below the prefix of its address."""
        digits = f"{self.number:03}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        *folders, last = [digits[start : start + 3] for start in range(0, len(digits), 3)]
        level = "entries" if self.level == ENTRIES else self.level
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{''.join(f'x{folder}/' for folder in folders)}{last}{partial}"


def parse_path(path: str) -> Tile:
    """Return the tile that a path names.

    Raises:
        ValueError: it names none, or not in the one way to write it.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise ValueError("no path of a tile")
    level, index, width = match.groups()
    tile = Tile(
        ENTRIES if level == "entries" else int(level),
        int(index.replace("x", "").replace("/", "")),
        WIDTH if width is None else int(width),
    )
    if tile.path != path or tile.level > _MAX_LEVEL or tile.width > WIDTH:
        raise ValueError("no path of a tile")
    return tile


def read_resource(directory: Path, path: str) -> bytes | None:
    """Return the bytes to serve for a path of the tile API (`checkpoint`, `tile/...`), or None where there is nothing.

    `path` may come from anyone: what is not exactly such a path is never looked up. Tiles never change once they are
    there; the checkpoint does.
    """
    if path != CHECKPOINT:
        try:
            parse_path(path)
        except ValueError:
            return None
    try:
        return (directory / path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_limited(path: Path, limit: int) -> bytes | None:
    """Return the content of a file, and at most one byte more than it should have; None if it is absent.

    A directory in the place of a file, which only a stranger puts there, has no content.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError:
        return b""


def join_entries(entries: Sequence[bytes]) -> bytes:
    """Return entries as a bundle; each is at most `MAX_ENTRY` bytes."""
    return b"".join(part for entry in entries for part in (len(entry).to_bytes(2, "big"), entry))


def split_entries(bundle: bytes) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        ValueError: it ends inside an entry.
    """
    entries, start = [], 0
    while start < len(bundle):
        begin = start + 2
        start = begin + int.from_bytes(bundle[start:begin], "big")
        if start > len(bundle) or begin > len(bundle):
            raise ValueError("ends inside an entry")
        entries.append(bundle[begin:start])
    return entries


class Edge:
    """The right edge of a growing tree: the nodes of its tiles that are not full yet, at most 255 a level."""

    def __init__(self, size: int = 0, rows: Sequence[Sequence[bytes]] = ()) -> None:
        self.size = size
        self._rows = [list(row) for row in rows]

    def copy(self) -> "Edge":
        """Return an edge that grows on its own."""
        return Edge(self.size, self._rows)

    def add(self, leaf: bytes) -> list[tuple[Tile, bytes]]:
        """Add a leaf hash and return the tiles that it makes full, lowest first."""
        self.size += 1
        full: list[tuple[Tile, bytes]] = []
        level, node = 0, leaf
        while True:
            if level == len(self._rows):
                self._rows.append([])
            row = self._rows[level]
            row.append(node)
            if len(row) < WIDTH:
                return full
            full.append((Tile(level, full_tiles(self.size, level) - 1), b"".join(row)))
            node = root_of(row)
            row.clear()
            level += 1

    def partial(self) -> Iterator[tuple[Tile, bytes]]:
        """Yield the tiles that are not full and not empty."""
        for level, row in enumerate(self._rows):
            if row:
                yield Tile(level, full_tiles(self.size, level), len(row)), b"".join(row)

    def row(self, level: int) -> list[bytes]:
        """Return the nodes of the tile of a level that is not full."""
        return self._rows[level] if level < len(self._rows) else []

    def root(self) -> bytes:
        """Return the root of the whole tree."""
        below: list[bytes] = []
        for row in self._rows:
            if nodes := row + below:
                below = [root_of(nodes)]
        return root_of(below)


def full_tiles(size: int, level: int) -> int:
    """Return how many full tiles a level has in a tree of `size` leaves."""
    return size >> (_HEIGHT * (level + 1))


def place_of(height: int, index: int) -> tuple[int, int, int, int]:
    """Return where the nodes below a node are: level and number of the tile, the first in it, and past the last."""
    level, above = divmod(height, _HEIGHT)
    first = index << above
    start = first % WIDTH
    return level, first // WIDTH, start, start + (1 << above)


def hashes_of(tile: bytes) -> list[bytes]:
    """Return the nodes in a hash tile.

    Raises:
        ValueError: it ends inside a hash.
    """
    if len(tile) % HASH_SIZE:
        raise ValueError("ends inside a hash")
    return [tile[start : start + HASH_SIZE] for start in range(0, len(tile), HASH_SIZE)]
