"""What a window is made of: texts of ordinary people, harvest work queues, legitimate workloads, and pace."""

from dataclasses import dataclass
from typing import NamedTuple


class Turn(NamedTuple):
    """One request's text. `system` is None where no system prompt was sent."""

    prompt: str
    system: str | None = None


Dialogue = tuple[Turn, ...]
"""The turns of one conversation, in order."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast people and programs ask, and how long answers are.

    Attributes:
        turn_gaps: seconds between two turns of one conversation.
        program_gaps: gaps between requests of a program, as multiples of their mean.
        answers: answer lengths in tokens, by the bit length of the request's tokens.
    """

    turn_gaps: list[float]
    program_gaps: list[float]
    answers: dict[int, list[int]]


@dataclass(frozen=True, slots=True)
class Material:
    """All text that a range may use.

    Attributes:
        populations: conversations of ordinary people, by where they come from. No text is in two of them.
        families: the work queue of each kind of harvest.
        workloads: the work of each legitimate heavy user; a workload that strangers run side by side has a
            list of items for each variant of it (a judge's items, once per model judged).
    """

    populations: dict[str, list[Dialogue]]
    families: dict[str, list[Dialogue]]
    workloads: dict[str, list[list[Dialogue]]]
    pace: Pace
