"""Harvests of one turn: a wording around a task, in one or several languages."""

import tomllib
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Any

from stillwatch_range.families.base import Family, Source
from stillwatch_range.material import Dialogue, Turn
from stillwatch_range.text import Words, fill_around, invent_answer

_MOST_SPOKEN = 4
"""English is this many times as frequent as each other language of a family."""


@lru_cache(maxsize=1)
def frames() -> dict[str, Any]:
    """Return the wordings of all families."""
    return tomllib.loads((files("stillwatch_range.families") / "frames.toml").read_text("utf-8"))


def framed(name: str) -> Family:
    """Return the family whose wordings stand under `name`."""

    def make(source: Source) -> Iterator[Dialogue]:
        languages: dict[str, Words] = frames()[name]
        weights = [_MOST_SPOKEN if language == "english" else 1 for language in languages]
        while True:
            (language,) = source.rng.choices(list(languages), weights)
            words = languages[language]
            given = {"task": source.task(language), "answer": invent_answer(source.rng)}
            yield (Turn(fill_around(source.rng, source.rng.choice(words["frame"]), words, given)),)

    return make
