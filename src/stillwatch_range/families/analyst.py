"""The published kind of template: an expert analyst's persona that must show all of its reasoning."""

from collections.abc import Iterator

from stillwatch_range.families.base import Source
from stillwatch_range.material import Dialogue
from stillwatch_range.text import invent_analysis


def analyst(source: Source) -> Iterator[Dialogue]:
    """Yield figures to analyse, each under the same persona."""
    while True:
        yield (invent_analysis(source.rng),)
