"""Accounts that write what nobody wrote before: novel mass of the window against history, pooled over accounts.

A naive Bayes classifier "this window or history" over the vocabulary bits of the sketches, fitted without the account
that is being scored (three folds by account); an account's score is the mean of the top third of its exchanges. A new
population or a new heavy customer is novel too, so novelty alone never does more than ask for a look.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from stillwatch.detection.population import Floats, Population

_FOLDS = 3
_TOP_PART = 3

Weights = npt.NDArray[np.float32]


class Novelty:
    """Mean log-odds of the most novel third of an account's exchanges."""

    name = "novel_mass"
    wording = "prompts are unlike anything in history"

    def scores(self, population: Population, reference: Population) -> tuple[Floats, Floats]:
        """Return the novelty of both periods' accounts; NaN without content, or where the two periods are one."""
        if population is reference or not len(population.store) or not len(reference.store):
            return np.full(len(population), np.nan), np.full(len(reference), np.nan)
        weights = _weights(population, reference)
        return _account_scores(population, weights), _account_scores(reference, weights)


def _fold_rows(population: Population) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]]:
    """Yield batches of vocabulary bits and the fold of each row: an account is in one fold in both periods."""
    start = 0
    for packed in population.store.vocabularies():
        account = population.store.account[start : start + packed.shape[0]]
        yield np.unpackbits(packed, axis=1), (account >> 1) % _FOLDS
        start += packed.shape[0]


def _weights(population: Population, reference: Population) -> Weights:
    """Return the log-odds per vocabulary bit, (1024, folds), each fold fitted on the others.

    Rounded to 1/1024, so that sums of a prompt's weights are exact, whatever the order in which they are added.
    """
    rates = []
    for period in (population, reference):
        counts = np.zeros((_FOLDS, 1024))
        rows = np.zeros(_FOLDS)
        for bits, folds in _fold_rows(period):
            for fold in range(_FOLDS):
                inside = bits[folds == fold]
                counts[fold] += inside.sum(axis=0, dtype=np.int64)
                rows[fold] += inside.shape[0]
        other_counts, other_rows = counts.sum(axis=0) - counts, rows.sum() - rows
        rates.append((other_counts + 1) / (other_rows[:, None] + 2))
    now, before = rates
    log_odds = np.log(now / before) - np.log((1 - now) / (1 - before))
    weights: Weights = (np.round(log_odds.T * 1024) / 1024).astype(np.float32)
    return weights


def _account_scores(population: Population, weights: Weights) -> Floats:
    row_scores = np.empty(population.row_account.size, np.float32)
    start = 0
    for bits, folds in _fold_rows(population):
        every = bits.astype(np.float32) @ weights
        row_scores[start : start + folds.size] = every[np.arange(folds.size), folds]
        start += folds.size
    order = np.lexsort((-row_scores, population.row_account))
    account, first, count = np.unique(population.row_account[order], return_index=True, return_counts=True)
    place = np.arange(order.size) - np.repeat(first, count)
    top = place < np.repeat(np.maximum(1, -(-count // _TOP_PART)), count)
    owner = population.row_account[order][top]
    total = np.bincount(owner, weights=row_scores[order][top], minlength=len(population))
    scores = np.full(len(population), np.nan)
    scores[account] = total[account] / np.bincount(owner, minlength=len(population))[account]
    return scores
