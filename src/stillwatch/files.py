"""Files that are either whole or absent, and a work directory that a killed run cannot leave in the way."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_WORK_PREFIX = ".work-"


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader sees the old content or the new, never a part of it."""
    with replacing(path) as stream:
        stream.write(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a stream whose content takes the place of `path` when the block ends, and is gone if it raises.

    What a killed process leaves behind is cleared by the next `work_directory` below the same directory.
    """
    descriptor, name = tempfile.mkstemp(prefix=f"{_WORK_PREFIX}{os.getpid()}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_whole(stream: BinaryIO, data: bytes) -> None:
    """Write all of `data` to an unbuffered stream, whose `write` may take a part at a time."""
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]


@contextlib.contextmanager
def work_directory(out: Path) -> Iterator[Path]:
    """Yield an empty directory below `out` for intermediate files, closed to other users; it is gone afterwards.

    Directories and unfinished files that a killed run left behind are removed first; those of a process still alive
    are kept.
    """
    out.mkdir(parents=True, exist_ok=True)
    for stale in out.glob(f"{_WORK_PREFIX}*"):
        if _process_lives(stale.name.removeprefix(_WORK_PREFIX).partition("-")[0]):
            continue
        if stale.is_dir():
            shutil.rmtree(stale, ignore_errors=True)
        else:
            stale.unlink(missing_ok=True)
    path = out / f"{_WORK_PREFIX}{os.getpid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _process_lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return int(pid) != os.getpid()
