"""`rejects.jsonl`: where every record goes that could not become an exchange."""

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from stillwatch.errors import InputRejectedError, Location
from stillwatch.records.reasons import REASONS
from stillwatch.records.secrets import redact

SAMPLE_BYTES = 200


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the records that were read; `read` is the sum of the other three."""

    read: int
    accepted: int
    duplicate: int
    rejected: int


class RejectLog:
    """Streams rejected records to a temporary file and puts it in place, whole, when it is closed.

    Args:
        path: where `rejects.jsonl` will be.
        work: directory for the file while it grows, on the same file system; by default that of `path`.
    """

    def __init__(self, path: Path, work: Path | None = None) -> None:
        self.path = path
        self.by_reason: Counter[str] = Counter()
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=work or path.parent)
        self._temporary = Path(name)
        self._stream = os.fdopen(descriptor, "wb")
        self._encoder = msgspec.json.Encoder()

    @property
    def total(self) -> int:
        """Number of records rejected so far."""
        return self.by_reason.total()

    def add(self, where: Location, reason: str, sample: bytes = b"") -> None:
        """Record one rejected record.

        Args:
            where: file and line (or row), and the byte offset where known.
            reason: a code of `stillwatch.records.reasons.REASONS`.
            sample: the start of the record; its first 200 bytes are kept, made printable and without keys.
        """
        if reason not in REASONS:
            raise ValueError(f"reason {reason!r} is not in the closed list")
        self.by_reason[reason] += 1
        row: dict[str, object] = {"file": where.file, "line": where.line}
        if where.row is not None:
            row = {"file": where.file, "row": where.row}
        row |= {"offset": where.offset, "reason": reason, "sample": redact(printable(sample[:SAMPLE_BYTES]))}
        self._stream.write(self._encoder.encode(row) + b"\n")

    def close(self) -> None:
        """Put the whole file in place."""
        if self._stream.closed:
            return
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        self._temporary.chmod(0o644)
        self._temporary.replace(self.path)

    def discard(self) -> None:
        """Drop what was written, for a run that failed."""
        self._stream.close()
        self._temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def reject_log(path: Path, work: Path | None = None) -> Iterator[RejectLog]:
    """Yield a `RejectLog` that is put in place when the block ends, and dropped when it fails."""
    log = RejectLog(path, work)
    try:
        yield log
    except BaseException:
        log.discard()
        raise
    log.close()


def printable(data: bytes) -> str:
    r"""Return bytes as text in which whatever a terminal should not receive is escaped as ``\xNN``."""
    text = data.decode("utf-8", "backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def check_reject_limit(counts: Counts, max_rejects: float) -> None:
    """Raise `InputRejectedError` where more than the share `max_rejects` (0 to 1) of the records was rejected.

    Call it after the outputs are written: what was accepted stays usable.
    """
    if counts.rejected > max_rejects * counts.read:
        raise InputRejectedError(
            f"{counts.rejected:,} of {counts.read:,} records were rejected, more than {max_rejects:.2%}",
            hint="see rejects.jsonl for the place and the reason of each; --max-rejects sets the limit",
        )
