"""Rate limits by the generic cell rate algorithm (GCRA, ITU-T I.371): one number per key, no refill job.

The number is the theoretical arrival time: the moment at which everything charged so far would be spent at the limit's
own pace. A charge fits while that moment lies at most one burst ahead of now.
"""

from dataclasses import dataclass

Seconds = float


@dataclass(frozen=True, slots=True)
class Rate:
    """`amount` units in `per_s` seconds, of which `burst` units may come at once."""

    amount: float
    per_s: float
    burst: float

    @property
    def cost_s(self) -> Seconds:
        """Seconds that one unit takes at the limit's pace."""
        return self.per_s / self.amount

    @property
    def depth_s(self) -> Seconds:
        """Seconds that a full burst takes at the limit's pace."""
        return self.burst * self.cost_s


class Meter:
    """Counts one rate for many keys. Keys that are idle for a whole burst cost nothing after `sweep`."""

    __slots__ = ("_arrivals", "_cost_s", "_depth_s", "rate")

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._cost_s, self._depth_s = rate.cost_s, rate.depth_s
        self._arrivals: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._arrivals)

    def wait(self, key: str, units: float, now: float) -> Seconds:
        """Return how long `units` more must wait to fit, 0 if they fit now; charges nothing.

        More than a whole burst fits when nothing is owed: a single large request is late, never impossible.
        """
        owed = self._arrivals.get(key, 0.0) - now
        if owed <= 0.0:
            return 0.0
        return max(0.0, owed + min(units * self._cost_s, self._depth_s) - self._depth_s)

    def charge(self, key: str, units: float, now: float) -> None:
        """Count units, whether they fit or not; negative units give back what was reserved and not used."""
        arrivals = self._arrivals
        before = arrivals.get(key, 0.0)
        arrivals[key] = max(before, now) + units * self._cost_s

    def sweep(self, now: float) -> None:
        """Forget keys that owe nothing."""
        self._arrivals = {key: at for key, at in self._arrivals.items() if at > now}

    def dump(self) -> dict[str, float]:
        """Return what is owed, to be kept over a restart: key → theoretical arrival time. It goes on changing."""
        return self._arrivals

    def load(self, arrivals: dict[str, float]) -> None:
        """Take over what `dump` returned."""
        self._arrivals.update(arrivals)
