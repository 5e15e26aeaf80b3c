"""The last refusals, for when no decision can be had: who was refused stays refused, everybody else passes."""

from collections import OrderedDict
from collections.abc import Callable

from stillwatch.enforcement.model import WITHIN_THROTTLE, Decision

Who = tuple[str, str]
"""What an account goes by, and its name there: `account` and the account's id, or `key` and the hash of its API key."""


class Memory:
    """Remembers the refused and the degraded, each for the `ttl_s` of its decision; of more than `most` the latest."""

    def __init__(self, clock: Callable[[], float], most: int = 20_000) -> None:
        """`clock` returns seconds that never go back."""
        self._clock, self._most = clock, most
        self._held: OrderedDict[Who, tuple[Decision, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def keep(self, who: Who, decision: Decision) -> None:
        """Take note of the latest decision on an account: a pass lifts what was remembered.

        A refusal that holds for one request alone (`ttl_s` 0) neither lifts nor adds anything.
        """
        if not (decision.refuses or decision.degrades):
            if decision.reason_code != WITHIN_THROTTLE:
                self._held.pop(who, None)
        elif decision.ttl_s > 0:
            self._held[who] = (decision, self._clock() + decision.ttl_s)
            self._held.move_to_end(who)
            if len(self._held) > self._most:
                self._held.popitem(last=False)

    def recall(self, who: Who) -> Decision | None:
        """Return the decision that stands in for one that cannot be had; None: the account passes."""
        decision, until_s = self._held.get(who, (None, 0.0))
        if decision is None:
            return None
        if self._clock() >= until_s:
            del self._held[who]
            return None
        self._held.move_to_end(who)
        return decision
