"""Accounts with what they do, and ordinary customers."""

import random
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from stillwatch.errors import UsageError
from stillwatch_range.material import Dialogue
from stillwatch_range.metadata import Client, Party, World
from stillwatch_range.timing import Rhythm

_LOYALTY = 0.7
"""Part of an account's conversations that come from its own population."""

Licence = Literal["distillation", "researcher", "evaluator"]
"""Kinds of entries in the registry."""

Label = Literal["benign", "hard_negative", "campaign"]


@dataclass(frozen=True, slots=True, eq=False)
class Shift:
    """How some of an account's work is done, where it is not as the account usually works.

    Attributes:
        days: (first, last) moment of it, in days since the window's start.
        client: what sends it, None = the account's own client.
        rhythm: how it is spread over its time, None = as the account's.
    """

    days: tuple[float, float] | None = None
    client: Client | None = None
    rhythm: Rhythm | None = None


class Work(NamedTuple):
    """One conversation of an account.

    `harvest` tells whether it is a campaign's work or ordinary traffic, and `campaign` whose, where the account
    serves several.
    """

    dialogue: Dialogue
    harvest: bool = False
    campaign: str | None = None
    shift: Shift | None = None


@dataclass(slots=True)
class Account:
    """One account with all it sends before and in the window.

    Attributes:
        campaign: the first campaign that it served.
        also: further campaigns that it served.
        victim: its key was stolen; what it sends outside the harvest is its owner's own traffic.
        eager: it moves to a released model within a day.
        licence: why it stands in the registry.
    """

    account_id: str
    party: Party
    label: Label
    cohort: str
    campaign: str | None = None
    rhythm: Rhythm = "human"
    history: list[Work] = field(default_factory=list)
    window: list[Work] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    victim: bool = False
    eager: bool = False
    licence: Licence | None = None


class Conversations:
    """Ordinary conversations, each handed out once."""

    def __init__(self, rng: random.Random, populations: dict[str, list[Dialogue]]) -> None:
        self._piles = {name: rng.sample(talks, len(talks)) for name, talks in populations.items()}
        self._rng = rng

    def left(self) -> int:
        """Return how many conversations have not been handed out."""
        return sum(map(len, self._piles.values()))

    def any_population(self) -> str:
        """Return a population, in proportion to what is left of each.

        Raises:
            UsageError: all have been handed out.
        """
        names = [name for name, pile in self._piles.items() if pile]
        if not names:
            raise UsageError(
                "the corpora hold too few ordinary conversations for this scenario",
                hint="lower benign_accounts or history_accounts, or raise invented_talks: none is ever used twice",
            )
        return self._rng.choices(names, [len(self._piles[name]) for name in names])[0]

    def take(self, name: str | None = None) -> Dialogue:
        """Return the next conversation of one population, or of any where it is used up or not named."""
        chosen = name if name is not None and self._piles[name] else self.any_population()
        return self._piles[chosen].pop()

    def without(self, name: str) -> "Conversations":
        """Split one population off: return the rest, keep that one here."""
        rest = Conversations(self._rng, {})
        rest._piles = {other: self._piles.pop(other) for other in list(self._piles) if other != name}
        return rest


def crowd(world: World, rng: random.Random, count: int) -> list[Party]:
    """Return `count` ordinary accounts: people, offices, families, customers of agencies."""
    parties: list[Party] = []
    while len(parties) < count:
        kind = rng.random()
        if kind < 0.85:
            parties.append(world.person())
        elif kind < 0.88:
            parties.extend(world.office(rng.randrange(3, 13)))
        elif kind < 0.97:
            parties.extend(world.family(rng.randrange(2, 5)))
        else:
            parties.extend(world.agency(rng.randrange(4, 10)))
    return parties[:count]


def sessions(rng: random.Random) -> int:
    """Return how many conversations an ordinary account holds: at least two, with a log-normal tail."""
    return 2 + min(40, int(rng.lognormvariate(-1.2, 1.3)))


def ordinary_work(
    rng: random.Random, talks: Conversations, population: str | None = None, *, home: str | None = None
) -> list[Work]:
    """Return the conversations of one ordinary account; most come from one population, its own.

    Args:
        rng: source of chance.
        talks: what is left to hand out.
        population: take from this one only.
        home: the account's own population, None = any.
    """
    own = population or home or talks.any_population()
    return [Work(talks.take(own if population or rng.random() < _LOYALTY else None)) for _ in range(sessions(rng))]
