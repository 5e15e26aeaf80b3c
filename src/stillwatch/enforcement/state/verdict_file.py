"""The verdicts of a run of detection (verdicts.jsonl), taken over whole when the file is replaced."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from stillwatch.detection.findings.model import Verdict
from stillwatch.enforcement.decide import Standing
from stillwatch.enforcement.model import Code
from stillwatch.enforcement.state.known_texts import KnownTexts
from stillwatch.enforcement.state.standings import standing_of
from stillwatch.enforcement.state.watched import Replaced
from stillwatch.errors import Location, UsageError


class Loaded(NamedTuple):
    """What a run's verdicts make of accounts and of texts."""

    found: Mapping[str, Standing]
    texts: KnownTexts


class VerdictFile:
    """Reads the file when it was replaced. A file that cannot be read leaves what was read before in force."""

    def __init__(self, path: Path) -> None:
        self._replaced = Replaced(path)

    def read_if_new(self) -> Loaded | None:
        """Return the verdicts if the file is another one than last time, None if it is the same or absent.

        Raises:
            UsageError: it holds something else; says which line. The same file is not tried again.
        """
        stat = self._replaced.look()
        if stat is None:
            return None
        found: dict[str, Standing] = {}
        texts, at_s = KnownTexts(), stat.st_mtime  # the file's own age: a restart prolongs nothing
        for verdict in read_verdicts(self._replaced.path):
            found[verdict.account_id] = standing_of(verdict, at_s)
            texts.add(verdict, at_s)
        return Loaded(found, texts)


def read_verdicts(path: Path) -> Iterator[Verdict]:
    """Yield what stands in verdicts.jsonl, one after the other: a large file is never held whole.

    Raises:
        UsageError: the file cannot be read, or a line is no verdict; says which.
    """
    decode = msgspec.json.Decoder(Verdict).decode
    number = 0
    try:
        with path.open("rb") as stream:
            for line in stream:
                number += 1
                yield _checked(decode(line))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="give the verdicts.jsonl of a run") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        where = Location(str(path), line=number)
        raise UsageError(f"no verdict: {error}", where=where, hint="give the verdicts.jsonl of a run") from error


def _checked(verdict: Verdict) -> Verdict:
    msgspec.convert(verdict.reason_code, Code)  # it goes into headers
    for band in verdict.template_bands:
        int(band, 16)
    return verdict
