"""An attacker that adapts: how it works in a round, what it sees of it, and what it changes for the next one.

It sees what a real one sees, the status codes of its own requests: a request is refused (429 or 403) when the
provider throttles, challenges or blocks, and answered otherwise. Which rule refused it, and what was degraded, it
does not learn.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce

from stillwatch.errors import UsageError
from stillwatch_range.timing import Rhythm

_TOLERATED = 0.02
"""Part of its harvest that is refused in the best of times; up to it the attacker changes nothing."""
_MOST_ACCOUNTS = 2_000


@dataclass(frozen=True, slots=True)
class Stance:
    """How the attacker works in a round of one day. The defaults are those of one that feels safe.

    Attributes:
        accounts: accounts in use.
        daily: harvested requests per day, over all accounts.
        mixing: part of its traffic that is unrelated to the harvest.
        wordings: how many rewordings of its prompts it uses side by side; 0 = only the original.
        worded: rewordings used up in earlier rounds.
        rhythm: how its requests arrive.
        shared_infrastructure: part of its new accounts that share a card, a proxy or a device with a few others.
        residential: every account has an address of a home to itself.
        rotates_clients: every account changes its client, as far as the provider sees one, each round.
        drops: accounts that were refused are given up, and fresh ones take their place.
    """

    accounts: int = 20
    daily: int = 240
    mixing: float = 0.5
    wordings: int = 0
    worded: int = 0
    rhythm: Rhythm = "program"
    shared_infrastructure: float = 0.4
    residential: bool = False
    rotates_clients: bool = False
    drops: bool = False


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the attacker saw in a round: requests sent and refused, of its harvest and of the rest, and by account."""

    harvest_sent: int
    harvest_refused: int
    cover_sent: int
    cover_refused: int
    refused_accounts: frozenset[str]

    @property
    def caught(self) -> bool:
        """Whether more of the harvest is refused than the attacker puts up with."""
        return self.harvest_refused > _TOLERATED * self.harvest_sent


Adaptation = Callable[[Stance], Stance]


def paraphrase(stance: Stance) -> Stance:
    """Use fresh rewordings, twice as many as before."""
    return replace(stance, worded=stance.worded + stance.wordings, wordings=max(1, 2 * stance.wordings))


def split(stance: Stance) -> Stance:
    """Do the same work through three times as many accounts."""
    return replace(stance, accounts=min(3 * stance.accounts, _MOST_ACCOUNTS))


def slow_down(stance: Stance) -> Stance:
    """Do half as much a day."""
    return replace(stance, daily=max(1, stance.daily // 2))


def mimic_hours(stance: Stance) -> Stance:
    """Send as people do, in sittings of waking hours."""
    return replace(stance, rhythm="human")


def buy_addresses(stance: Stance) -> Stance:
    """Give every account an address of its own at a home, and share no cards or devices any more."""
    return replace(stance, residential=True, shared_infrastructure=0.0)


def rotate_clients(stance: Stance) -> Stance:
    """Come with other clients and devices every round."""
    return replace(stance, rotates_clients=True)


def drop_refused(stance: Stance) -> Stance:
    """Give up accounts that were refused."""
    return replace(stance, drops=True)


_ALL = (paraphrase, split, slow_down, mimic_hours, buy_addresses, rotate_clients, drop_refused)


def everything(stance: Stance) -> Stance:
    """Do all of it at once."""
    return reduce(lambda changed, adapt: adapt(changed), _ALL, stance)


def nothing(stance: Stance) -> Stance:
    """Go on as before."""
    return stance


ADAPTATIONS: dict[str, Adaptation] = {adapt.__name__: adapt for adapt in (nothing, *_ALL, everything)}
"""Every kind of adaptation, by name."""


def find_adaptation(name: str) -> Adaptation:
    """Return the adaptation of a name, or of several joined by `+`, which are made together.

    Raises:
        UsageError: there is none of that name.
    """
    kinds = name.split("+")
    unknown = sorted(set(kinds) - ADAPTATIONS.keys())
    if unknown:
        raise UsageError(
            f"unknown adaptation {unknown[0]!r}", hint=f"one of {', '.join(ADAPTATIONS)}, or several joined by +"
        )
    return lambda stance: reduce(lambda changed, kind: ADAPTATIONS[kind](changed), kinds, stance)
