"""What others reported, held against a window's texts: which exchanges share a band with a received indicator."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stillwatch.detection.common_bands import Held, held_in, most_in_history, most_in_window, narrowest, wordless
from stillwatch.detection.population import Population
from stillwatch.records.indicators import ReceivedIndicator, in_force

Ints = npt.NDArray[np.int64]

BITS = {"low": 1.0, "moderate": 3.0, "high": 5.0}
"""Weight of a report by its reporter's confidence. A convention, not a measurement: nobody here knows how often others
are right, so that there is no p-value. At most what intent weighs, and below what counts as a kind of its own."""
_STRENGTH = ("high", "moderate", "low")
_PER_BAND = 8
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Matches:
    """Exchanges that share a band with what others reported.

    Attributes:
        indicators: those that were compared, by confidence, the surest first.
        rows, numbers: rows of the store, and the place in `indicators` of what each matches; each pair once.
        assessable: accounts (mask) with a text to compare.
        limit: the most ordinary accounts that indicators alone may challenge.
        notes: what a reader of the run must know.
    """

    indicators: Sequence[ReceivedIndicator]
    rows: Ints
    numbers: Ints
    assessable: npt.NDArray[np.bool_]
    limit: int = 0
    notes: list[str] = field(default_factory=list)


def compare(
    received: Sequence[ReceivedIndicator], population: Population, history: Population | None, own: Ints, fpr: float
) -> Matches:
    """Compare what holds at the window's end with its texts.

    Args:
        received: indicators as they were read.
        population: the window.
        history: earlier traffic without a known campaign, None where there is none.
        own: accounts (numbers) of harvests that detection found by itself, which tell nothing of ordinary accounts.
        fpr: declared false positive rate.
    """
    last_us = int(population.ints("last_us").max(initial=0))
    strongest = sorted(
        in_force(received, last_us / 1e6), key=lambda one: (_STRENGTH.index(one.confidence), one.indicator_id)
    )
    indicators = [one for one in strongest if one.template_bands]
    told = [(int(band, 16), number) for number, one in enumerate(indicators) for band in one.template_bands]
    asked = np.setdiff1d(np.array([band for band, _ in told], np.uint64), wordless())
    assessable = np.zeros(len(population), np.bool_)
    assessable[population.row_account] = True
    ordinary = assessable.copy()
    ordinary[own] = False
    window = held_in(population, asked, most_in_window(int(ordinary.sum())), ordinary)
    periods = [window] if history is None else [_in_history(history, asked, fpr), window]
    band, number = _pairs(told, asked)
    heard = _heard(band, number, [one.source for one in indicators], periods)
    rows, numbers = _exchanges(window, band[heard], number[heard])
    notes = [_compared(len(received), len(indicators)), *_not_heard(indicators, number[~heard])]
    return Matches(indicators, rows, numbers, assessable, window.limit, notes)


def _in_history(history: Population, asked: npt.NDArray[np.uint64], fpr: float) -> Held:
    everybody = np.ones(len(history), np.bool_)
    return held_in(history, asked, most_in_history(np.unique(history.row_account).size, fpr), everybody)


def _pairs(told: list[tuple[int, int]], asked: npt.NDArray[np.uint64]) -> tuple[Ints, Ints]:
    """Return places in `asked` and numbers of the indicators that name them, by band and then by strength."""
    values, numbers = (
        np.array([band for band, _ in told], np.uint64),
        np.array([number for _, number in told], np.int64),
    )
    known = np.isin(values, asked)
    pairs = np.unique(np.stack([np.searchsorted(asked, values[known]), numbers[known]], axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _heard(band: Ints, number: Ints, sources: list[str], periods: list[Held]) -> npt.NDArray[np.bool_]:
    """Tell which pairs of band and indicator are heard: those of bands that their source may be heard with."""
    _, source = np.unique(np.array(sources, np.str_), return_inverse=True)
    own = source[number]
    heard = np.zeros(band.size, np.bool_)
    for pairs in np.split(np.argsort(own, kind="stable"), np.cumsum(np.bincount(own))[:-1]):
        heard[pairs] = np.isin(band[pairs], narrowest(np.unique(band[pairs]), periods))
    return heard


def _exchanges(window: Held, band: Ints, number: Ints) -> tuple[Ints, Ints]:
    """Join rows that have a band with the strongest indicators that name it."""
    start = np.searchsorted(band, window.row_bands)
    many = np.minimum(np.searchsorted(band, window.row_bands, side="right") - start, _PER_BAND)
    rows = np.repeat(window.rows, many)
    nth = np.arange(rows.size) - np.repeat(np.cumsum(many) - many, many)
    pairs = np.unique(np.stack([rows, number[np.repeat(start, many) + nth]], axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _compared(received: int, compared: int) -> str:
    left = received - compared
    others = f"; {left} were not: they do not hold at the end of the window, or name no bands" if left else ""
    return f"{compared} indicators that others shared were compared with the texts{others}."


def _not_heard(indicators: list[ReceivedIndicator], numbers: Ints) -> list[str]:
    """Name the indicators of which bands were not heard, those with most such bands first."""
    if not numbers.size:
        return []
    counted = Counter(numbers.tolist()).most_common()
    named = [
        f"{indicators[number].indicator_id} of {indicators[number].source} "
        f"({count} of {len(set(indicators[number].template_bands))} bands)"
        for number, count in counted[:_NAMED]
    ]
    more = f", and of {len(counted) - _NAMED} more" if len(counted) > _NAMED else ""
    return [f"Not heard, since ordinary accounts send the same, were bands of received {', '.join(named)}{more}."]
