"""What a window is made of: texts of ordinary people, harvest work queues, legitimate workloads, and pace."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Turn(NamedTuple):
    """One request's text and what comes with it.

    Attributes:
        prompt: the user's text.
        system: the system prompt, None where none was sent.
        tools: names of the tools offered.
        refused: whether the model's safeguards refuse it.
        handle: reasoning handle presented, and the account that it was issued to, None where that is not known.
    """

    prompt: str
    system: str | None = None
    tools: tuple[str, ...] = ()
    refused: bool = False
    handle: tuple[str, str | None] | None = None


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
        tasks: what harvests that the range words itself are made from.
    """

    populations: dict[str, list[Dialogue]]
    families: dict[str, list[Dialogue]]
    workloads: dict[str, list[list[Dialogue]]]
    pace: Pace
    tasks: list[str] = field(default_factory=list)
