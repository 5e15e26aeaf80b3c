"""Harvest of tool use: an agent's conversations, whose later turns are outputs of tools."""

from collections.abc import Iterator

from stillwatch_range.families.base import Source
from stillwatch_range.families.framed import frames
from stillwatch_range.material import Dialogue, Turn
from stillwatch_range.text import fill_around

_FEWEST_TURNS, _MOST_TURNS = 3, 9
_FEWEST_TOOLS, _MOST_TOOLS = 3, 8


def trajectories(source: Source) -> Iterator[Dialogue]:
    """Yield conversations of three to nine turns with the tools that they offer."""
    words, rng = frames()["trajectories"], source.rng
    while True:
        tools = tuple(sorted(rng.sample(words["tools"], rng.randint(_FEWEST_TOOLS, _MOST_TOOLS))))
        system = rng.choice(words["system"])
        goal = fill_around(rng, rng.choice(words["goal"]), words, {"task": source.task()})
        turns = [Turn(goal, system, tools=tools)]
        for _ in range(rng.randint(_FEWEST_TURNS, _MOST_TURNS) - 1):
            output = fill_around(rng, rng.choice(words["output"]), words, {"tool": rng.choice(tools)})
            turns.append(Turn(output, system, tools=tools))
        yield tuple(turns)
