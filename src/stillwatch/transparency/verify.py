"""Checking a log offline: every entry, every tile and every checkpoint against each other, in one pass.

Works on the directory of a live log and on what was fetched from a hub (`checkpoint` and `tile/`, without the tail).
What cannot be seen: entries behind the last checkpoint that were cut off whole, and a log that was rewritten together
with its key. Against both stand the checkpoints that others kept.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import msgspec

from stillwatch.errors import Location, PolicyRefusedError
from stillwatch.transparency.checkpoint import MAX_NOTE, Checkpoint, SignedCheckpoint, parse, verify
from stillwatch.transparency.keys import KeyKind, VerifyingKey, encode
from stillwatch.transparency.tail import TAIL, TailContent, read_tail
from stillwatch.transparency.tiles import (
    CHECKPOINT,
    ENTRIES,
    MAX_BUNDLE,
    TILE_SIZE,
    WIDTH,
    Edge,
    Tile,
    hashes_of,
    join_entries,
    read_limited,
)
from stillwatch.transparency.tree import HASH_SIZE, leaf_hash
from stillwatch.transparency.view import damaged, read_bundle


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """A log that holds.

    Attributes:
        size: entries that the log's checkpoint covers.
        root: its root, base64.
        time: when it was signed, Unix seconds; None where no key was given.
        key: the key that signed, as text; None where none was given, so that no signature was checked.
        entries: entries there are, those not yet signed included.
        unfinished: bytes of an append under way, or one that was killed and never acknowledged.
        checkpoints: how many checkpoints from elsewhere it was found to continue.
    """

    origin: str
    size: int
    root: str
    time: int | None
    key: str | None
    entries: int
    unfinished: int
    checkpoints: int


def verify_log(
    directory: Path, key: VerifyingKey | None = None, known: Mapping[str, SignedCheckpoint] | None = None
) -> Verified:
    """Verify a log against its checkpoint, and that against checkpoints kept elsewhere.

    Memory does not grow with the log. A log that grows meanwhile is verified as it was at the beginning.

    Args:
        directory: of the log.
        key: the log's key, got from elsewhere; without it a log that was rewritten as a whole passes.
        known: checkpoints from elsewhere by the name to call each by: a witness's memory, a reply of the hub.

    Raises:
        PolicyRefusedError: the log does not hold; says which entry, tile or checkpoint.
    """
    path = directory / CHECKPOINT
    others = known or {}
    signed, time = _own_checkpoint(path, key)
    own = signed.checkpoint
    tail = read_tail(directory / TAIL)
    for name, other in others.items():
        _check_known(name, other, own.origin, key)
    base = own.size - own.size % WIDTH if tail is None else tail.base
    check = _Check(directory, base)
    entries = _entries(directory, base, own.size, tail)
    for name, mark in sorted([("", signed), *others.items()], key=lambda item: item[1].checkpoint.size):
        check.take(islice(entries, mark.checkpoint.size - check.size))
        if not name:
            check.compare_partial()  # says which entry; the root would only say that one was changed
        check.compare(name or str(path), mark.checkpoint)
        if not name:
            check.find_partial()
    check.take(entries)
    check.compare_partial()
    return Verified(
        origin=own.origin,
        size=own.size,
        root=encode(own.root),
        time=time,
        key=None if key is None else key.text,
        entries=check.size,
        unfinished=0 if tail is None else tail.unfinished,
        checkpoints=len(others),
    )


class _Check:
    """Follows the entries, and compares what they make with what lies on the disk."""

    def __init__(self, directory: Path, base: int) -> None:
        self._directory = directory
        self._base = base
        self._edge = Edge()
        self._bundle: list[bytes] = []

    @property
    def size(self) -> int:
        return self._edge.size

    def take(self, entries: Iterable[bytes]) -> None:
        """Add entries; each tile that they fill must be there and the same, as must be what is left of partial ones."""
        for entry in entries:
            self._bundle.append(entry)
            for tile, hashes in self._edge.add(leaf_hash(entry)):
                stored = read_limited(self._directory / tile.path, TILE_SIZE)
                if stored is not None or self.size <= self._base:  # behind that a tile may not be written yet
                    _compare(self._directory, tile, stored, hashes)
                self._compare_parts(tile, hashes)
                if tile.level == 0:
                    self._compare_parts(Tile(ENTRIES, tile.number), None)
                    self._bundle.clear()

    def compare(self, name: str, mark: Checkpoint) -> None:
        """Compare the entries up to here with a checkpoint of the same size."""
        where = Location(name)
        if self.size < mark.size:
            raise PolicyRefusedError(
                f"the log was cut: it holds {self.size} entries, this checkpoint says {mark.size}", where=where
            )
        if self._edge.root() != mark.root:
            raise PolicyRefusedError(
                f"the log was changed or forked: its first {mark.size} entries are not those of this checkpoint",
                where=where,
                hint="two checkpoints of one log that do not fit are evidence: keep both",
            )

    def find_partial(self) -> None:
        """See that the partial tiles of the log's checkpoint are there, or the full ones in their place."""
        tiles = [tile for tile, _ in self._edge.partial()]
        if self._bundle:
            tiles.append(Tile(ENTRIES, self.size // WIDTH, len(self._bundle)))
        for tile in tiles:
            if not any((self._directory / place.path).is_file() for place in (tile, tile._replace(width=WIDTH))):
                raise damaged(self._directory, tile, "is missing")

    def compare_partial(self) -> None:
        """Compare the partial tiles that end here or before."""
        for tile, hashes in self._edge.partial():
            self._compare_parts(tile, hashes)
        if self._bundle:
            self._compare_parts(Tile(ENTRIES, self.size // WIDTH, len(self._bundle)), None)

    def _compare_parts(self, tile: Tile, hashes: bytes | None) -> None:
        """Compare each partial tile that is kept with the beginning of the tile, given as hashes or as the bundle."""
        folder = self._directory / f"{tile._replace(width=WIDTH).path}.p"
        for width in _widths(folder):
            if width > tile.width:
                continue  # written while we were reading
            part = tile._replace(width=width)
            stored = read_limited(self._directory / part.path, MAX_BUNDLE)
            if stored is None:
                continue  # its tile became full while we were reading
            if hashes is not None:
                _compare(self._directory, part, stored, hashes[: width * HASH_SIZE])
            elif stored != join_entries(self._bundle[:width]):
                raise damaged(self._directory, part, f"holds other entries than the log from {tile.number * WIDTH} on")


def _own_checkpoint(path: Path, key: VerifyingKey | None) -> tuple[SignedCheckpoint, int | None]:
    where = Location(str(path))
    note = read_limited(path, MAX_NOTE)
    if note is None:
        raise PolicyRefusedError("the log has no checkpoint: it was never signed, or that was taken away", where=where)
    try:
        signed = parse(note)
    except ValueError as error:
        raise PolicyRefusedError(f"no signed checkpoint: {error}", where=where) from None
    if key is None:
        return signed, None
    try:
        verify(signed, key._replace(kind=KeyKind.NOTE))
        return signed, verify(signed, key.timed())
    except PolicyRefusedError as error:
        raise PolicyRefusedError(error.message, where=where) from None


def _check_known(name: str, other: SignedCheckpoint, origin: str, key: VerifyingKey | None) -> None:
    where = Location(name)
    if other.checkpoint.origin != origin:
        raise PolicyRefusedError(f"a checkpoint of {other.checkpoint.origin}, not of {origin}", where=where)
    if key is None:
        return
    try:
        verify(other, key._replace(kind=KeyKind.NOTE))
    except PolicyRefusedError as error:
        raise PolicyRefusedError(error.message, where=where) from None


def _entries(directory: Path, base: int, signed: int, tail: TailContent | None) -> Iterator[bytes]:
    """Yield all entries: from full bundles, then from the tail, or without one from the partial bundle."""
    for index in range(base // WIDTH):
        yield from read_bundle(directory, Tile(ENTRIES, index))
    if tail is not None:
        yield from tail.entries
    elif signed > base:
        yield from read_bundle(directory, Tile(ENTRIES, base // WIDTH, signed - base))


def _compare(directory: Path, tile: Tile, stored: bytes | None, hashes: bytes) -> None:
    if stored is None:
        raise damaged(directory, tile, "is missing")
    if stored == hashes:
        return
    try:
        pairs = zip(hashes_of(stored), hashes_of(hashes), strict=True)
        place = next(place for place, (was, found) in enumerate(pairs) if was != found)
    except ValueError:
        raise damaged(directory, tile, f"has {len(stored):,} bytes instead of {len(hashes):,}") from None
    if tile.level == 0:
        raise damaged(directory, tile, f"does not fit entry {tile.number * WIDTH + place}: one of them was changed")
    raise damaged(directory, tile, f"does not fit the tile {Tile(tile.level - 1, tile.number * WIDTH + place).path}")


def _widths(folder: Path) -> list[int]:
    try:
        names = [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(name) for name in names if name.isascii() and name.isdecimal() and 0 < int(name) < WIDTH)
