"""Small lists beside the logs, in JSON Lines: read whole, and refused at the first line that is wrong."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from stillwatch.errors import Location, RecordError, UsageError
from stillwatch.records.lines import Defect, read_lines
from stillwatch.records.reasons import REASONS
from stillwatch.records.row import decode_object


class ListedFile:
    """One such file.

    Attributes:
        hint: what a person is told to do about a wrong line.
    """

    def __init__(self, path: Path, kind: Any, hint: str) -> None:
        self._path, self._kind, self._hint = path, kind, hint

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        """Yield each entry with the number of its line, counted from 1.

        Raises:
            UsageError: the file cannot be read, or a line is no entry; says which.
        """
        try:
            for item in read_lines(self._path):
                if isinstance(item, Defect):
                    raise self.wrong(item.line, REASONS[item.reason])
                for index, line in enumerate(item.lines):
                    if line.strip():
                        number, _ = item.place(index)
                        yield number, self._entry(line, number)
        except OSError as error:
            raise UsageError(f"{self._path} cannot be read: {error.strerror}", hint=self._hint) from error

    def wrong(self, line: int, message: str) -> UsageError:
        """Return the error for a line."""
        return UsageError(message, where=Location(str(self._path), line=line), hint=self._hint)

    def _entry(self, line: bytes, number: int) -> Any:
        try:
            return msgspec.convert(decode_object(line), self._kind)
        except (RecordError, msgspec.ValidationError) as error:
            raise self.wrong(number, str(error)) from error
