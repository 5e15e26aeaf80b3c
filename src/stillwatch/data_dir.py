"""The directory that a service keeps its data in: its owner's alone, and one process's."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from stillwatch.errors import Location, UsageError


def make_data_dir(data_dir: Path) -> None:
    """Make a directory for its owner alone, unless it is there.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else None
        raise UsageError(
            f"the data directory cannot be made: {reason or 'no such name'}", where=Location(str(data_dir))
        ) from error


@contextlib.contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Hold a data directory against a second process; the lock goes with the process, however it ends.

    Raises:
        UsageError: it is in use, or it cannot be made.
    """
    make_data_dir(data_dir)
    with _lock_file(data_dir / "lock") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"{data_dir} is in use by another process", hint="give each its own --data-dir") from error
        yield


def _lock_file(path: Path) -> IO[str]:
    try:
        return path.open("w")
    except OSError as error:
        raise UsageError(f"nothing can be written here: {error.strerror}", where=Location(str(path))) from error
