"""Silent forwarding: a front end of another name passes its own users' conversations on, and keeps the answers."""

from collections.abc import Iterator

from stillwatch_range.families.base import Source
from stillwatch_range.families.framed import frames
from stillwatch_range.material import Dialogue

_DRESSED = 0.7
"""Part of the conversations that carry the front end's own system prompt; the others had one of their own or none."""


def forwarded(source: Source) -> Iterator[Dialogue]:
    """Yield conversations of ordinary people, each of whom is somebody else.

    Raises:
        UsageError: no ordinary conversation is left.
    """
    while True:
        talk = source.talks.take()
        if source.rng.random() < _DRESSED:
            system = source.rng.choice(frames()["forwarded"]["system"])
            talk = tuple(turn._replace(system=system) for turn in talk)
        yield talk
