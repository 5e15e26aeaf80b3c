"""A circuit breaker: a service that fails again and again is let be for a while, so that nobody waits for it."""

from collections.abc import Callable


class Breaker:
    """Closed until `failures` calls in a row have failed; then open, but for one probe every `pause_s` seconds.

    Nothing has to be told of a probe that came to no end: the next one is let through a pause later all the same.
    """

    def __init__(self, clock: Callable[[], float], failures: int = 5, pause_s: float = 1.0) -> None:
        """`clock` returns seconds that never go back."""
        self._clock, self._most, self._pause_s = clock, failures, pause_s
        self._failures = 0
        self._next_probe_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are kept back."""
        return self._failures >= self._most

    def lets_through(self) -> bool:
        """Whether a call may be made now; of an open breaker, a yes is the probe of this pause."""
        if not self.is_open:
            return True
        now_s = self._clock()
        if now_s < self._next_probe_s:
            return False
        self._next_probe_s = now_s + self._pause_s
        return True

    def succeeded(self) -> None:
        """Take note of an answer: the breaker closes."""
        self._failures = 0

    def failed(self) -> None:
        """Take note of a call without an answer."""
        self._failures += 1
        if self._failures == self._most:
            self._next_probe_s = self._clock() + self._pause_s
