"""Files that others replace while the service runs: seen to be new by a look at their entry, read aside."""

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")


class Replaced:
    """Tells when a file was replaced."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None

    def look(self) -> os.stat_result | None:
        """Return the file's entry if it is another file than at the last look, None if it is the same or absent."""
        try:
            stat = self.path.stat()
        except OSError:
            return None
        mark = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if mark == self._seen:
            return None
        self._seen = mark
        return stat


class Watched(Generic[T]):
    """A file that is read aside, so that no decision waits for it."""

    def __init__(self, read_if_new: Callable[[], T | None], aside: Executor) -> None:
        """`read_if_new` runs in `aside`; it returns None where there is nothing new."""
        self.read_if_new, self._aside = read_if_new, aside
        self._reading: Future[T | None] | None = None

    def take(self) -> T | None:
        """Return what was read since the last call, and have the next reading begin where none is going on.

        Raises:
            StillwatchError: what was read is something else.
        """
        if self._reading is None:
            self._reading = self._aside.submit(self.read_if_new)
        if not self._reading.done():
            return None
        done, self._reading = self._reading, None
        return done.result()
