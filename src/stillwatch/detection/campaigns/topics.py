"""What accounts write about: the direction of each one's words, and whether each has a topic of its own.

A work list that is dealt out at random makes prompts of one account no more alike than prompts of two; customers have
topics of their own.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.detection.population import Floats, Population
from stillwatch.features.store import SketchStore

Ints = npt.NDArray[np.int64]

MAX_ROWS: Final = 50
"""Prompts of an account that are looked at."""
_MAX_ACCOUNTS = 400


def unpacked(store: SketchStore, rows: Ints) -> npt.NDArray[np.uint8]:
    """Return which of the 1,024 vocabulary bits each of some rows holds."""
    return np.unpackbits(store.vocabulary(rows), axis=1)


def few_rows(population: Population, rows: Ints, accounts: Ints) -> Ints:
    """Choose at most MAX_ROWS rows of each account, whatever the order of the log."""
    rows = rows[np.isin(population.row_account[rows], accounts)]
    order = rows[np.lexsort((population.store.content[rows], population.row_account[rows]))]
    _, first, count = np.unique(population.row_account[order], return_index=True, return_counts=True)
    kept: Ints = order[np.arange(order.size) - np.repeat(first, count) < MAX_ROWS]
    return kept


def directions(population: Population, rows: Ints, accounts: Ints, weights: Floats) -> tuple[Ints, Floats]:
    """Return how many of `rows` each account has, and the sum (accounts, 1024) of their words, each row of length 1."""
    bits = sparse.csr_matrix(unpacked(population.store, rows), dtype=np.float64)
    lengths = np.sqrt(bits @ (weights**2))
    place = np.searchsorted(accounts, population.row_account[rows])
    scale = 1 / np.maximum(lengths, 1e-9)
    own = sparse.csr_matrix((scale, (place, np.arange(rows.size))), shape=(accounts.size, rows.size))
    return np.bincount(place, minlength=accounts.size), (own @ bits).toarray() * weights


def dispersals(counts: Ints, sums: Floats) -> Floats:
    """Return, per account, how many times more alike its prompts are than its and others'; NaN with one prompt."""
    total, everyone = sums.sum(axis=0), counts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        within = ((sums**2).sum(axis=1) - counts) / (counts * (counts - 1))
        between = ((sums * total).sum(axis=1) - (sums**2).sum(axis=1)) / (counts * (everyone - counts))
        ratio: Floats = within / between
    return ratio


def family_dispersal(population: Population, rows: Ints) -> float:
    """Return how many times more alike one account's prompts are than two accounts', in what fills their common frame.

    The median over accounts, NaN where none sent two. Words that all of the rows hold weigh nothing.
    """
    accounts = np.unique(population.row_account[rows])[:_MAX_ACCOUNTS]
    rows = few_rows(population, rows, accounts)
    held = unpacked(population.store, rows).sum(axis=0, dtype=np.int64)
    found = dispersals(*directions(population, rows, accounts, -np.log((held + 1) / (rows.size + 1))))
    told = found[np.isfinite(found)]
    return float(np.median(told)) if told.size else float("nan")
