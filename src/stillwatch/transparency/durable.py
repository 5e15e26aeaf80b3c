"""Writing that has reached the disk when it returns, and a hold on what only one process may change."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from stillwatch.errors import Location, UsageError
from stillwatch.files import write_whole

_WORK_PREFIX = ".work-"


def write_durably(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a directory, each whole or not at all, in the order given; all of them outlive a power cut.

    Unfinished files lie in `directory` itself, where `clear_unfinished` finds them.
    """
    changed = {directory: None}
    works: list[Path] = []
    try:
        _write(directory, files.values(), works)
        for name, work in zip(files, works, strict=True):
            target = directory / name
            for folder in _absent(target.parent):
                folder.mkdir(exist_ok=True)
                changed[folder.parent] = None
            work.replace(target)
            changed[target.parent] = None
    except BaseException:
        for work in works:
            work.unlink(missing_ok=True)
        raise
    for folder in changed:
        sync_directory(folder)


def _write(directory: Path, contents: Iterable[bytes], works: list[Path]) -> None:
    """Write to new files, noted in `works`, and wait for the disk when all are written: it takes them together."""
    with contextlib.ExitStack() as opened:
        streams = []
        for data in contents:
            descriptor, work = tempfile.mkstemp(prefix=_WORK_PREFIX, dir=directory)
            works.append(Path(work))
            stream = opened.enter_context(os.fdopen(descriptor, "wb", buffering=0))
            write_whole(stream, data)
            os.fchmod(stream.fileno(), 0o644)
            streams.append(stream)
        for stream in streams:
            os.fsync(stream.fileno())


def clear_unfinished(directory: Path) -> None:
    """Remove what a killed process did not finish. Only for who holds the directory."""
    for work in directory.glob(f"{_WORK_PREFIX}*"):
        work.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """See the names in a directory on the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a file of its own for the block; the system lets go of it when the process ends, however it ends.

    Raises:
        UsageError: another process, or another part of this one, holds it.
    """
    with path.open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                "held by another process", where=Location(str(path)), hint="one process at a time writes here"
            ) from None
        yield


def _absent(folder: Path) -> list[Path]:
    """Return the folders on the way that are not there, uppermost first."""
    absent = []
    while not folder.is_dir():
        absent.append(folder)
        folder = folder.parent
    return absent[::-1]
