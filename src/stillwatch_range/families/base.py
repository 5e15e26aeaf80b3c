"""What every family of harvest is made from, and what it looks like from outside."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from stillwatch_range.material import Dialogue
from stillwatch_range.populations import Conversations
from stillwatch_range.text import invent_task


@dataclass(slots=True)
class Source:
    """Tasks and conversations that a harvest may use; each is handed out once.

    Attributes:
        rng: source of chance; the same state gives the same queue.
        talks: ordinary conversations that are left.
        tasks: tasks of the corpora; when they are used up, invented ones follow.
    """

    rng: random.Random
    talks: Conversations
    tasks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tasks = self.rng.sample(self.tasks, len(self.tasks))

    def task(self, language: str = "english") -> str:
        """Return a task that no other request of the source has."""
        if language == "english" and self.tasks:
            return self.tasks.pop()
        return invent_task(self.rng, language)


Family = Callable[[Source], Iterator[Dialogue]]
"""Yields a harvest's tasks without end, in an order that depends on the source alone."""
