"""The verdicts of a run of detection (verdicts.jsonl), taken over whole when the file is replaced."""

from pathlib import Path
from typing import NamedTuple

import msgspec

from stillwatch.detection.findings.model import Verdict
from stillwatch.enforcement.model import Code
from stillwatch.errors import Location, UsageError


class Loaded(NamedTuple):
    """A run's verdicts and when it ended (Unix seconds): the file's own age, so that a restart prolongs nothing."""

    verdicts: list[Verdict]
    at_s: float


class VerdictFile:
    """Tells when the file was replaced. A file that cannot be read leaves what was read before in force."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def read_if_new(self) -> Loaded | None:
        """Return the verdicts if the file is another one than last time, None if it is the same or absent.

        Raises:
            UsageError: it holds something else; says which line. The same file is not tried again.
        """
        try:
            stat = self._path.stat()
        except OSError:
            return None
        mark = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if mark == self._seen:
            return None
        self._seen = mark
        return Loaded(read_verdicts(self._path), stat.st_mtime)


def read_verdicts(path: Path) -> list[Verdict]:
    """Read verdicts.jsonl.

    Raises:
        UsageError: the file cannot be read, or a line is no verdict; says which.
    """
    decode = msgspec.json.Decoder(Verdict).decode
    verdicts = []
    number = 0
    try:
        with path.open("rb") as stream:
            for line in stream:
                number += 1
                verdicts.append(_checked(decode(line)))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="give the verdicts.jsonl of a run") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        where = Location(str(path), line=number)
        raise UsageError(f"no verdict: {error}", where=where, hint="give the verdicts.jsonl of a run") from error
    return verdicts


def _checked(verdict: Verdict) -> Verdict:
    msgspec.convert(verdict.reason_code, Code)  # it goes into headers
    for band in verdict.template_bands:
        int(band, 16)
    return verdict
