"""The log: entries that are safe when `append` returns, and checkpoints that are signed when someone asks for one.

Appending and signing are apart: a member's log of clearances signs after each entry, a hub's publisher appends
thousands and signs every few seconds. On the disk it is what C2SP tlog-tiles serves, and one more file, the tail.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from stillwatch.errors import InputRejectedError, Location, PolicyRefusedError, UsageError
from stillwatch.transparency.checkpoint import MAX_NOTE, Checkpoint, is_origin, parse, sign, verify
from stillwatch.transparency.durable import clear_unfinished, held, write_durably
from stillwatch.transparency.keys import SigningKey
from stillwatch.transparency.tail import MAX_BATCH, MAX_BODY, TAIL, Tail
from stillwatch.transparency.tiles import CHECKPOINT, ENTRIES, MAX_ENTRY, WIDTH, Tile, join_entries, read_limited
from stillwatch.transparency.tree import leaf_hash
from stillwatch.transparency.view import View, load_edge

_LOCK = "lock"
_RESTORE = "keep it as evidence, and restore the log from a copy"


class Log:
    """A log in a directory, held by one process at a time; its threads may append, sign and read as they like.

    After an error of the disk the log closes itself: what was acknowledged is there when it is opened again, and what
    was not may be, so ask for `size` before appending the same again.
    """

    def __init__(self, directory: Path, origin: str, key: SigningKey) -> None:
        """Open a log, or begin one.

        Raises:
            UsageError: another process holds it, or it is the log of another origin.
            PolicyRefusedError: it no longer fits its last checkpoint, or that was signed by another key.
        """
        if not is_origin(origin):
            raise UsageError("the origin of a log has neither spaces nor plus signs and is not empty")
        self._directory = directory
        self._origin = origin
        self._key = key
        self._writing = threading.Lock()
        self._tail = Tail(directory)
        directory.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as opening:
            opening.enter_context(held(directory / _LOCK))
            opening.callback(self._tail.close)
            clear_unfinished(directory)
            self._view = self._recover()
            self._check_checkpoint()
            self._holding = opening.pop_all()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the log. Reading goes on to work; there is nothing to save."""
        with self._writing:
            self._let_go()

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._view.size

    def append(self, entries: Sequence[bytes]) -> int:
        """Append entries, each of at most 65,535 bytes; all are on the disk when this returns.

        Returns:
            The index of the first one.

        Raises:
            InputRejectedError: an entry is too long; none was appended.
            UsageError: the log is closed.
        """
        for number, entry in enumerate(entries):
            if len(entry) > MAX_ENTRY:
                raise InputRejectedError(f"entry {number} has {len(entry):,} bytes, more than {MAX_ENTRY:,}")
        with self._changing():
            first = self._view.size
            for batch in _batches(entries):
                self._tail.append(batch)
                self._view = self._grown(self._view, batch)
        return first

    def checkpoint(self, now: float) -> bytes:
        """Sign the log as it is, and keep the note as its checkpoint; `now` in Unix seconds.

        Raises:
            UsageError: the log is closed.
        """
        with self._changing():
            view = self._view
            note = sign(Checkpoint(self._origin, view.size, view.edge.root()), self._key, now)
            partial = {tile.path: data for tile, data in _partial(view) if not (self._directory / tile.path).is_file()}
            write_durably(self._directory, partial)
            write_durably(self._directory, {CHECKPOINT: note})
        return note

    def entry(self, index: int) -> bytes:
        """Return an entry; see `View.entry`."""
        return self._view.entry(index)

    def root(self, size: int) -> bytes:
        """Return the root over the first `size` entries; see `View.root`."""
        return self._view.root(size)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Prove an entry; see `View.inclusion`."""
        return self._view.inclusion(index, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Prove growth; see `View.consistency`."""
        return self._view.consistency(old, new)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        with self._writing:
            if self._closed:
                raise UsageError("the log is closed", hint="open it again; an error of the disk closes it")
            try:
                yield
            except BaseException:
                self._let_go()
                raise

    def _let_go(self) -> None:
        self._closed = True
        self._holding.close()

    def _recover(self) -> View:
        traces = [name for name in (CHECKPOINT, "tile") if (self._directory / name).exists()]
        if traces and not (self._directory / TAIL).exists():
            raise PolicyRefusedError(
                f"the log has a {traces[0]} and no {TAIL}",
                where=Location(str(self._directory / TAIL)),
                hint="what was appended last lay in it; a copy of a log without it can be verified, not continued",
            )
        content = self._tail.recover()
        view = View(self._directory, load_edge(self._directory, content.base), ())
        return self._grown(view, content.entries)

    def _grown(self, view: View, entries: Sequence[bytes]) -> View:
        """Return the view with entries that the tail holds; bundles that they fill become tiles, and leave the tail."""
        edge, waiting, files = view.edge.copy(), [*view.entries], {}
        full = []
        for entry in entries:
            waiting.append(entry)
            for tile, hashes in edge.add(leaf_hash(entry)):
                files[tile.path] = hashes
                full.append(tile)
                if tile.level == 0:
                    bundle = Tile(ENTRIES, tile.number)
                    files[bundle.path] = join_entries(waiting)
                    full.append(bundle)
                    waiting.clear()
        if files:
            write_durably(self._directory, files)
            self._tail.restart(edge.size - len(waiting), waiting)
            for tile in full:
                _remove_partial(self._directory, tile)
        return View(self._directory, edge, tuple(waiting))

    def _check_checkpoint(self) -> None:
        """Refuse to go on from a log that is not the one last signed: the next signature would cover the change."""
        path = self._directory / CHECKPOINT
        note = read_limited(path, MAX_NOTE)
        if note is None:
            return
        where = Location(str(path))
        try:
            signed = parse(note)
        except ValueError as error:
            raise PolicyRefusedError(f"no signed checkpoint: {error}", where=where) from None
        origin, size, root = signed.checkpoint
        if origin != self._origin:
            raise UsageError(f"the log of {origin}, not of {self._origin}", where=where)
        for key in (self._key.verifying, self._key.verifying.timed()):
            verify(signed, key)
        if size > self.size:
            raise PolicyRefusedError(
                f"the log was cut: it holds {self.size} entries, its checkpoint says {size}", where=where, hint=_RESTORE
            )
        if self._view.root(size) != root:
            raise PolicyRefusedError(
                f"the log was changed: its first {size} entries are not those signed", where=where, hint=_RESTORE
            )


def _batches(entries: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    start = taken = 0
    for index, entry in enumerate(entries):
        if index - start == MAX_BATCH or (taken and taken + len(entry) + 2 > MAX_BODY):
            yield entries[start:index]
            start, taken = index, 0
        taken += len(entry) + 2
    if start < len(entries):
        yield entries[start:]


def _partial(view: View) -> Iterator[tuple[Tile, bytes]]:
    yield from view.edge.partial()
    if view.entries:
        yield Tile(ENTRIES, view.size // WIDTH, len(view.entries)), join_entries(view.entries)


def _remove_partial(directory: Path, tile: Tile) -> None:
    """Remove the partial tiles of one that is full: it serves in their place."""
    folder = directory / f"{tile.path}.p"
    if folder.is_dir():
        for part in folder.iterdir():
            part.unlink()
        folder.rmdir()
