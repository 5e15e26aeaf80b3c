"""Finished exchanges on their way to detection: native records in daily JSON Lines files, on disk before the 202."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from stillwatch.files import write_whole


class Spool:
    """Appends lines to `exchanges-YYYYMMDD.jsonl`; `detect` reads the directory as it is."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._day = ""
        self._stream: BinaryIO | None = None

    def add(self, lines: list[bytes], now_s: float) -> None:
        """Write lines and return when the disk has them.

        A process that was killed may have left half a line; it is ended, so that it spoils no line but itself.

        Raises:
            OSError: the disk refuses; nothing was acknowledged.
        """
        if not lines:
            return
        try:
            stream = self._open(now_s)
            write_whole(stream, b"\n".join(lines) + b"\n")
            os.fsync(stream.fileno())
        except OSError:
            self.close()  # what was written of the lines is ended when the file is opened again
            raise

    def close(self) -> None:
        """Close the day's file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _open(self, now_s: float) -> BinaryIO:
        day = datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%d")
        if self._stream is None or day != self._day:
            self.close()
            path = self._directory / f"exchanges-{day}.jsonl"
            torn = path.exists() and not _ends_whole(path)
            self._stream, self._day = path.open("ab", buffering=0), day
            path.chmod(0o600)
            if torn:
                write_whole(self._stream, b"\n")
        return self._stream


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        if size == 0:
            return True
        stream.seek(size - 1)
        return stream.read(1) == b"\n"
