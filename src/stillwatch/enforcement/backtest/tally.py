"""Counts of a replay. What grows is a small entry per account that was seen, and one per rule that hit it."""

from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(slots=True)
class Sums:
    """Requests and their output tokens: those counted, and of them those refused and those made smaller."""

    requests: int = 0
    tokens: int = 0
    refused: int = 0
    refused_tokens: int = 0
    degraded: int = 0

    def add(self, other: "Sums") -> None:
        """Add another count to this one."""
        self.requests += other.requests
        self.tokens += other.tokens
        self.refused += other.refused
        self.refused_tokens += other.refused_tokens
        self.degraded += other.degraded


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a request."""

    refused: bool = False
    degraded: bool = False


PASSED = Fate()


class Spent(NamedTuple):
    """A budget that would have been spent: when (µs since 1970 UTC), and why."""

    at_us: int
    reason: str


@dataclass(slots=True)
class Tally:
    """Requests of one kind, such as those that a rule hit.

    Attributes:
        sums: by account and the cohort that it was in.
        first_us, last_us: the earliest and the latest of them, µs since 1970 UTC.
    """

    sums: dict[tuple[str, str], Sums] = field(default_factory=dict)
    first_us: int | None = None
    last_us: int | None = None

    def count(self, account: str, cohort: str, tokens: int, fate: Fate, ts_us: int) -> None:
        """Count a request; requests come in order of time."""
        if self.first_us is None:
            self.first_us = ts_us
        self.last_us = ts_us
        sums = self.sums.get((account, cohort))
        if sums is None:
            sums = self.sums[account, cohort] = Sums()
        sums.requests += 1
        sums.tokens += tokens
        if fate.refused:
            sums.refused += 1
            sums.refused_tokens += tokens
        if fate.degraded:
            sums.degraded += 1

    def by_account(self) -> dict[str, Sums]:
        """Return the counts of each account, whatever cohort it was in."""
        found: dict[str, Sums] = {}
        for (account, _), sums in self.sums.items():
            found.setdefault(account, Sums()).add(sums)
        return found

    def whole(self) -> Sums:
        """Return the counts of all accounts together."""
        found = Sums()
        for sums in self.sums.values():
            found.add(sums)
        return found
