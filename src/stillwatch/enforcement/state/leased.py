"""A limit that replicas share.

Units are leased from the shared store before they are spent, so together the replicas admit no more than the limit.
While the store is lost, each counts its own part of the rate.
"""

from dataclasses import dataclass
from typing import NamedTuple

from stillwatch.enforcement.limits import Meter, Rate, Seconds

LEASE_S = 2.0
"""What of a lease is not spent within this time is given back."""
LEASED_SHARE = 0.02
"""Part of a limit's burst that is leased beyond the request that asks; less where little is left."""


@dataclass(slots=True)
class Peers:
    """What a replica knows of the shared store and of the others, by its last word.

    Attributes:
        lost: the store does not answer.
        count: replicas that were alive.
    """

    lost: bool = True
    count: int = 1


class _Held(NamedTuple):
    units: float
    until_s: float


class LeasedMeter(Meter):
    """Counts one rate for many keys by leases."""

    __slots__ = ("_denied", "_held", "_peers")

    def __init__(self, rate: Rate, peers: Peers) -> None:
        super().__init__(rate)
        self._peers = peers
        self._held: dict[str, _Held] = {}
        self._denied: dict[str, _Held] = {}

    def lacking(self, key: str, units: float, now: float) -> float:
        """Return how many units must be leased before a request for `units` can be judged, 0 if it can be."""
        if self._peers.lost:
            return 0.0
        missing = units - self._in_hand(key, now)
        if missing <= 0.0:
            return 0.0
        denied = self._denied.get(key)
        return 0.0 if denied is not None and now < denied.until_s and missing >= denied.units else missing

    def grant(self, key: str, units: float, now: float) -> None:
        """Take units into the hand."""
        self._denied.pop(key, None)
        self._held[key] = _Held(self._in_hand(key, now) + units, now + LEASE_S)

    def deny(self, key: str, units: float, wait: Seconds, now: float) -> None:
        """Remember that so many units will not be had before `wait` has passed."""
        self._denied[key] = _Held(units, now + wait)

    def wait(self, key: str, units: float, now: float) -> Seconds:
        """Return how long `units` more must wait to fit, see `Meter.wait`."""
        if not self._peers.lost:
            missing = units - self._in_hand(key, now)
            if missing <= 0.0:
                return 0.0
            denied = self._denied.get(key)
            if denied is not None and now < denied.until_s and missing >= denied.units:
                return denied.until_s - now
        return super().wait(key, units * self._peers.count, now)

    def charge(self, key: str, units: float, now: float) -> None:
        """Count units, see `Meter.charge`; what was reserved and not used goes back into the hand."""
        super().charge(key, units * self._peers.count, now)
        held = self._held.get(key)
        if held is not None:
            self._held[key] = held._replace(units=max(0.0, held.units - units))
        elif units < 0.0:
            self._held[key] = _Held(-units, now + LEASE_S)

    def take_back(self, now: float) -> list[tuple[str, float]]:
        """Return the keys and units of leases that have run out, and forget them; and forget old denials."""
        over = [(key, held.units) for key, held in self._held.items() if held.until_s <= now]
        for key, _ in over:
            del self._held[key]
        self._denied = {key: denied for key, denied in self._denied.items() if denied.until_s > now}
        return [(key, units) for key, units in over if units > 0.0]

    def _in_hand(self, key: str, now: float) -> float:
        held = self._held.get(key)
        return 0.0 if held is None or held.until_s <= now else held.units
