"""Which received bands ordinary accounts send too: those are not heard, so that no indicator turns on the customers.

Two limits, each on a band alone and on all bands of one source together:

- History knows no campaign. What more of its accounts send than the declared false positive rate allows (binomial test
  at 5 %) would raise ordinary accounts beyond that rate.
- Of the window's accounts that are in no harvest of ours, a tenth, or MIN_ACCOUNTS where that is more, may send it. A
  frame that so many send is one that detection judges by itself (features.hot_rows), and it found no harvest.

Within a source, the bands that the fewest ordinary accounts send are kept: many narrow bands that together meet
everybody get no further than one broad band.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.detection.population import Population
from stillwatch.features.hot_rows import MIN_ACCOUNTS
from stillwatch.features.sketch import bands, text_bands
from stillwatch.statistics import binomial_tail

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Bands = npt.NDArray[np.uint64]

ORDINARY_SHARE = 0.1
_UNLIKELY = 0.05
_BATCH_ROWS = 65_536
_SIEVE = np.uint64(2**21 - 1)


@dataclass(frozen=True, slots=True)
class Held:
    """Who of one period holds which band (places in the list asked for), each pair once.

    Attributes:
        rows, row_bands: rows of the store, and the band that each has.
        accounts, account_bands: ordinary accounts, and the band that each holds.
        limit: the most ordinary accounts that may hold a band; bands beyond it are not in the arrays.
        common: which bands are beyond it.
    """

    rows: Ints
    row_bands: Ints
    accounts: Ints
    account_bands: Ints
    limit: int
    common: Mask

    def counts(self) -> Ints:
        """Return how many ordinary accounts hold each band."""
        return np.bincount(self.account_bands, minlength=self.common.size)


def most_in_history(accounts: int, fpr: float) -> int:
    """Return how many of history's accounts may hold a band: one more would be unlikely at the declared rate."""
    most = int(fpr * accounts)
    while binomial_tail(most + 1, accounts, fpr) > _UNLIKELY:
        most += 1
    return most


def most_in_window(ordinary: int) -> int:
    """Return how many of the window's ordinary accounts may hold a band."""
    return max(MIN_ACCOUNTS, int(ORDINARY_SHARE * ordinary))


def wordless() -> Bands:
    """Return the bands of a text without words, which every other such text has too."""
    return np.unique(text_bands(None, "")[0])


def held_in(people: Population, asked: Bands, limit: int, ordinary: Mask) -> Held:
    """Find who holds which of the bands `asked` (ascending) in one period.

    What more than `limit` of the `ordinary` accounts (mask) hold is dropped on the way: memory stays small whatever
    was asked for.
    """
    number, none = max(1, asked.size), np.empty(0, np.int64)
    rows, row_bands, pairs, common = none, none, none, np.zeros(asked.size, np.bool_)
    sieve = np.zeros(int(_SIEVE) + 1, np.bool_)
    sieve[asked & _SIEVE] = True
    for start in range(0, len(people.store) if asked.size else 0, _BATCH_ROWS):
        batch = np.arange(start, min(start + _BATCH_ROWS, len(people.store)))
        found = bands(people.store.minhash(batch))
        row, column = np.nonzero(sieve[found & _SIEVE])  # most are not asked for: look for the others only
        value = found[row, column]
        band = np.minimum(np.searchsorted(asked, value), asked.size - 1)
        exact = (asked[band] == value) & ~common[band]
        row, band = row[exact], band[exact]
        account = people.row_account[batch[row]]
        counted = ordinary[account]
        pairs = np.union1d(pairs, account[counted] * number + band[counted])
        common |= np.bincount(pairs % number, minlength=number)[: asked.size] > limit
        rows, row_bands = np.concatenate([rows, batch[row]]), np.concatenate([row_bands, band])
        kept = ~common[row_bands]
        rows, row_bands, pairs = rows[kept], row_bands[kept], pairs[~common[pairs % number]]
    return Held(rows, row_bands, pairs // number, pairs % number, limit, common)


def narrowest(own: Ints, periods: list[Held]) -> Ints:
    """Return those of one source's bands (places) that ordinary accounts hold least, as far as the limits reach."""
    common = np.logical_or.reduce([held.common for held in periods])
    left = own[~common[own]]
    order = left[np.lexsort((left, *(held.counts()[left] for held in reversed(periods))))]
    within = order.size
    for held in periods:
        rank = np.full(held.common.size, order.size)
        rank[order] = np.arange(order.size)
        first = np.full(int(held.accounts.max(initial=-1)) + 1, order.size)
        np.minimum.at(first, held.accounts, rank[held.account_bands])
        reached = np.cumsum(np.bincount(first[first < order.size], minlength=order.size))
        within = min(within, int(np.searchsorted(reached, held.limit, side="right")))
    return np.sort(order[:within])
