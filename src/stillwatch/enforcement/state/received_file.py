"""What other providers reported (received.jsonl), taken over whole when `share pull` replaces the file."""

from collections.abc import Callable
from pathlib import Path

from stillwatch.enforcement.state.received import Reports, reports_of
from stillwatch.enforcement.state.watched import Replaced
from stillwatch.records.indicators import load_indicators


class ReceivedFile:
    """Reads the file when it was replaced. One that cannot be read leaves what was read before in force."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        """`clock` gives Unix seconds: what has lapsed is not held."""
        self._replaced, self._clock = Replaced(path), clock

    def read_if_new(self) -> Reports | None:
        """Return the reports if the file is another one than last time, None if it is the same or absent.

        Raises:
            UsageError: it holds something else; says which line. The same file is not tried again.
        """
        if self._replaced.look() is None:
            return None
        return reports_of(load_indicators(self._replaced.path), self._clock())
