"""Lines of a log, plain, gzip or zstd, in bounded memory: a damaged file or an endless line never stops a run."""

import gzip
import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import zstandard

MAX_LINE_BYTES = 16 * 2**20
BLOCK_BYTES = 8 * 2**20
_READ_BYTES = 2**20
_ZSTD_FEED_BYTES = 4096  # a hostile 4 KiB of zstd can become 128 MiB, an honest one some 20 KiB
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Defect:
    """A place in a file that is no line: it is written to the rejects."""

    reason: str
    line: int
    offset: int
    sample: bytes = b""


@dataclass(slots=True)
class Block:
    """Consecutive whole lines, without their line ends.

    Attributes:
        first: number of the first line, from 1.
        offset: where it starts, in bytes of the uncompressed file.
    """

    first: int
    offset: int
    lines: list[bytes]
    _starts: list[int] | None = None

    def place(self, index: int) -> tuple[int, int]:
        """Return line number and byte offset of the line at `index`."""
        if self._starts is None:
            self._starts = list(itertools.accumulate((len(line) + 1 for line in self.lines), initial=0))
        return self.first + index, self.offset + self._starts[index]


class CompressionError(Exception):
    """The compressed stream ends early or is damaged."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_lines(path: Path) -> Iterator[Block | Defect]:
    """Yield the lines of a file in blocks of some 8 MiB, and its defects in their place."""
    splitter = _Splitter()
    try:
        for chunk in read_bytes(path):
            yield from splitter.feed(chunk)
    except CompressionError as error:
        yield from splitter.finish()
        yield Defect(error.reason, splitter.line, splitter.offset)
        return
    yield from splitter.finish()


def read_bytes(path: Path) -> Iterator[bytes]:
    """Yield the uncompressed content of a file in pieces.

    Raises:
        CompressionError: after the last piece that could be had of a damaged file.
    """
    with path.open("rb") as stream:
        magic = stream.read(4)
        stream.seek(0)
        if magic.startswith(_GZIP_MAGIC):
            yield from _gzip_bytes(stream)
        elif magic == _ZSTD_MAGIC:
            yield from _zstd_bytes(stream)
        elif magic and path.suffix in {".gz", ".zst"}:
            raise CompressionError("corrupt_compression")
        else:
            while chunk := stream.read(_READ_BYTES):
                yield chunk


def _gzip_bytes(stream: BinaryIO) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=stream) as unzipped:
        try:
            while chunk := unzipped.read1(_READ_BYTES):
                yield chunk
        except EOFError as error:
            raise CompressionError("truncated_compression") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise CompressionError("corrupt_compression") from error


def _zstd_bytes(stream: BinaryIO) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor()
    frame, pending = decompressor.decompressobj(), b""
    started = False
    while data := pending or stream.read(_ZSTD_FEED_BYTES):
        if frame.eof:
            frame, started = decompressor.decompressobj(), False
        try:
            chunk = frame.decompress(data)
        except zstandard.ZstdError as error:
            raise CompressionError("corrupt_compression") from error
        started, pending = True, frame.unused_data if frame.eof else b""
        if chunk:
            yield chunk
    if started and not frame.eof:
        raise CompressionError("truncated_compression")


class _Splitter:
    """Cuts pieces of a file into blocks of whole lines; drops a line that grows beyond the limit."""

    def __init__(self) -> None:
        self.line = 1
        self.offset = 0
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._tail_bytes = 0  # of the held bytes, those after the last line end
        self._skipped: Defect | None = None

    def feed(self, chunk: bytes) -> Iterator[Block | Defect]:
        if self._skipped is not None:
            yield from self._skip(chunk)
            return
        if self.offset == 0 and not self._held:
            shorter = chunk.removeprefix(_BYTE_ORDER_MARK)
            self.offset += len(chunk) - len(shorter)
            chunk = shorter
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        end = chunk.rfind(b"\n")
        self._tail_bytes = len(chunk) - end - 1 if end >= 0 else self._tail_bytes + len(chunk)
        if self._tail_bytes > MAX_LINE_BYTES:
            yield from self._start_skipping()
        elif self._held_bytes - self._tail_bytes >= BLOCK_BYTES:
            yield from self._whole_lines()

    def finish(self) -> Iterator[Block | Defect]:
        if self._skipped is not None:
            yield self._skipped
            return
        yield from self._whole_lines()
        if self._held_bytes:
            last = b"".join(self._held)
            yield Block(self.line, self.offset, [last])
            self._advance(1, len(last))
            self._hold(b"")

    def _whole_lines(self) -> Iterator[Block | Defect]:
        lines = b"".join(self._held).split(b"\n")
        self._hold(lines.pop())
        if not lines:
            return
        first, offset, start = self.line, self.offset, 0
        for index, line in enumerate(lines):
            if len(line) > MAX_LINE_BYTES:
                if index > start:
                    yield Block(first, offset, lines[start:index])
                taken = sum(map(len, lines[start:index])) + index - start
                yield Defect("line_too_long", first + index - start, offset + taken, line[:256])
                first, offset, start = first + index - start + 1, offset + taken + len(line) + 1, index + 1
        if start < len(lines):
            yield Block(first, offset, lines[start:])
        self._advance(len(lines), sum(map(len, lines)) + len(lines))

    def _start_skipping(self) -> Iterator[Block | Defect]:
        yield from self._whole_lines()
        sample = b"".join(piece[:256] for piece in self._held)[:256]
        self._skipped = Defect("line_too_long", self.line, self.offset, sample)
        self._advance(0, self._held_bytes)
        self._hold(b"")

    def _skip(self, chunk: bytes) -> Iterator[Block | Defect]:
        end = chunk.find(b"\n")
        if end < 0:
            self._advance(0, len(chunk))
            return
        if self._skipped is not None:
            yield self._skipped
        self._skipped = None
        self._advance(1, end + 1)
        yield from self.feed(chunk[end + 1 :])

    def _hold(self, rest: bytes) -> None:
        self._held = [rest] if rest else []
        self._held_bytes = self._tail_bytes = len(rest)

    def _advance(self, lines: int, size: int) -> None:
        self.line += lines
        self.offset += size
