"""The search for a wording that gets past safeguards: variants of pretext, and the one that wins."""

import random
from collections.abc import Iterator

from stillwatch_range.families.base import Source
from stillwatch_range.families.framed import frames
from stillwatch_range.material import Dialogue, Turn
from stillwatch_range.text import fill_around

_PLACEHOLDER = "{task}"


def wording(rng: random.Random) -> str:
    """Return a bypass by lot; {task} stands for what is asked."""
    words = frames()["bypass"]
    return fill_around(rng, rng.choice(words["order"]), words, {"task": _PLACEHOLDER})


def with_wording(chosen: str, talk: Dialogue) -> Dialogue:
    """Return a conversation whose first turn is wrapped in the wording."""
    first = talk[0]
    return (first._replace(prompt=chosen.replace(_PLACEHOLDER, first.prompt)), *talk[1:])


def variants(source: Source, refused: float) -> Iterator[Dialogue]:
    """Yield attempts without end, each a bypass of its own around a task; `refused` of them are refused."""
    while True:
        prompt = wording(source.rng).replace(_PLACEHOLDER, source.task())
        yield (Turn(prompt, refused=source.rng.random() < refused),)
