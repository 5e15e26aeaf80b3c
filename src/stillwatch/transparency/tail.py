"""The tail of a log: the file in which entries are safe before their bundle is full.

It begins with its own place in the log; each append adds one batch: a sealed head (length of the body), the body (as
in a bundle), a digest of the body. Only the last batch can be unacknowledged, and a killed process leaves a beginning
of it, so what ends early is cut off. What is whole but damaged was changed, and stops the log.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from stillwatch.errors import Location, PolicyRefusedError
from stillwatch.files import write_whole
from stillwatch.transparency.durable import write_durably
from stillwatch.transparency.tiles import MAX_BUNDLE, MAX_ENTRY, WIDTH, join_entries, read_limited, split_entries

TAIL = "tail"
MAX_BATCH = 4_096
MAX_BODY = 8 * 1_024 * 1_024 + MAX_ENTRY + 2
"""An append of more entries or bytes is written as several batches."""

_MAX_TAIL = 2 * MAX_BUNDLE + MAX_BODY
_MAGIC = b"stillwatch tail\n"
_SEAL = 8
_DIGEST = 32
_HEADER = len(_MAGIC) + 8 + _SEAL
_HEAD = 4 + _SEAL


class TailContent(NamedTuple):
    """What a tail holds: index of its first entry, the entries, bytes that are whole, bytes of an unfinished batch."""

    base: int
    entries: list[bytes]
    whole: int
    unfinished: int


def read_tail(path: Path) -> TailContent | None:
    """Read a tail, or None if there is none.

    Raises:
        PolicyRefusedError: it is not what was written.
    """
    data = read_limited(path, _MAX_TAIL)
    if data is None:
        return None
    fields, seal = data[: _HEADER - _SEAL], data[_HEADER - _SEAL : _HEADER]
    if not fields.startswith(_MAGIC) or seal != _seal(fields):
        raise _changed(path, "its beginning is not as it was written")
    if len(data) > _MAX_TAIL:
        raise _changed(path, f"longer than {_MAX_TAIL:,} bytes")
    base = int.from_bytes(fields[len(_MAGIC) :], "big")
    entries: list[bytes] = []
    start = _HEADER
    while start < len(data):
        body = _body(path, data, start, base + len(entries))
        if body is None:
            return TailContent(base, entries, start, len(data) - start)
        try:
            entries += split_entries(body)
        except ValueError as error:
            raise _changed(path, str(error), offset=start) from None
        start += _HEAD + len(body) + _DIGEST
    return TailContent(base, entries, start, 0)


class Tail:
    """The tail of a log that this process holds."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stream: BinaryIO | None = None
        self._end = 0

    def recover(self) -> TailContent:
        """Read the tail, begin it where there is none, and cut off what was never acknowledged.

        Raises:
            PolicyRefusedError: it is not what was written.
        """
        content = read_tail(self._directory / TAIL)
        if content is None:
            self.restart(0, ())
            return TailContent(0, [], self._end, 0)
        stream = self._open()
        if content.unfinished:
            stream.truncate(content.whole)
            os.fsync(stream.fileno())
        self._end = content.whole
        return content

    def append(self, entries: Sequence[bytes]) -> None:
        """Add a batch; it is on the disk when this returns."""
        stream = self._stream or self._open()
        batch = _batch(self._end, entries)
        write_whole(stream, batch)
        os.fsync(stream.fileno())
        self._end += len(batch)

    def restart(self, base: int, entries: Sequence[bytes]) -> None:
        """Begin anew at `base`, which is a multiple of the width of a bundle, with the entries that are left."""
        self.close()
        data = _header(base)
        if entries:
            data += _batch(len(data), entries)
        write_durably(self._directory, {TAIL: data})
        self._end = len(data)

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _open(self) -> BinaryIO:
        self._stream = (self._directory / TAIL).open("ab", buffering=0)
        return self._stream


def _header(base: int) -> bytes:
    fields = _MAGIC + base.to_bytes(8, "big")
    return fields + _seal(fields)


def _batch(start: int, entries: Sequence[bytes]) -> bytes:
    body = join_entries(entries)
    return b"".join((_head(start, len(body)), body, hashlib.sha256(body).digest()))


def _head(start: int, length: int) -> bytes:
    fields = length.to_bytes(4, "big")
    return fields + _seal(start.to_bytes(8, "big") + fields)


def _seal(fields: bytes) -> bytes:
    return hashlib.sha256(fields).digest()[:_SEAL]


def _body(path: Path, data: bytes, start: int, index: int) -> bytes | None:
    """Return the body of the batch at `start`, whose first entry has `index`, or None where the batch is unfinished."""
    head = data[start : start + _HEAD]
    if len(head) < _HEAD:
        return None
    length = int.from_bytes(head[:4], "big")
    if head != _head(start, length):
        if any(data[start:]):
            raise _changed(path, f"the batch that begins with entry {index} was changed", offset=start)
        return None  # a file system may fill up with zeros what a power cut kept it from writing
    begin = start + _HEAD
    end = begin + length
    if end + _DIGEST > len(data):
        return None
    if hashlib.sha256(data[begin:end]).digest() != data[end : end + _DIGEST]:
        raise _changed(path, f"an entry from {index} on was changed", offset=start)
    return data[begin:end]


def _changed(path: Path, message: str, offset: int | None = None) -> PolicyRefusedError:
    return PolicyRefusedError(
        f"{message}",
        where=Location(str(path), offset=offset),
        hint=f"compare with a copy of the log; up to {WIDTH} entries and what was appended last lie only here",
    )
