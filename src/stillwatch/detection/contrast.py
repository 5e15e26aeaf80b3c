"""What tells two periods of traffic apart: log-odds of a prompt, from the words it holds, and of whole accounts.

A logistic regression "this period or the other" over the 1,024 vocabulary bits of the sketches, fitted three times,
each time without a third of the accounts, so that no account is scored by what it wrote itself. Nothing depends on the
order of rows or the number of threads: rows are fitted in the order of their content, weights are rounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit

from stillwatch.detection.population import Floats, Ints, Population
from stillwatch.features.store import SketchStore

FOLDS: Final = 3
PER_ACCOUNT: Final = 20
"""An account counts in a fit for at most this many prompts: one heavy customer must not be what a period is about."""

_BITS: Final = 1024
_FIT_ROWS: Final = 10_000
_STRENGTH: Final = 0.1
"""Inverse of the ridge penalty, per prompt of the other period."""
_TOLERANCE: Final = 1e-4
_GRAIN: Final = 1024.0
_PARTS: Final = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
_SUM_GRAIN: Final = 2.0**20
_LARGEST: Final = 12.0

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Contrast:
    """Log-odds that a word's bit, or none, speaks for the first period; one fit per fold.

    Attributes:
        weights: (FOLDS, 1024) float32, multiples of 1/1024, so that sums are exact in any order.
        bias: (FOLDS,) float32.
    """

    weights: Rows
    bias: Rows


def fit_contrast(now: Population, weight: Floats, before: Population, against: Floats | None = None) -> Contrast:
    """Fit what tells the weighted rows of `now` from all rows of `before`, and from other rows of `now`.

    Args:
        now: the first period.
        weight: of each row of its store, 0 for rows that do not take part; only proportions matter. Each account
            counts for at most PER_ACCOUNT rows of weight 1.
        before: the other period.
        against: weight of rows of `now` that count with the other period, likewise; None for none.
    """
    every = np.ones(len(before.store))
    sides = [(now, weight), (before, every), (now, np.zeros_like(weight) if against is None else against)]
    parts = [_side(people, wanted) for people, wanted in sides]
    bits = sparse.vstack([part.bits for part in parts], format="csr")
    fold, given = (np.concatenate(values) for values in zip(*((part.fold, part.weight) for part in parts), strict=True))
    here = np.arange(fold.size) < parts[0].fold.size
    fits = [np.zeros(_BITS + 1)]
    for left_out in range(FOLDS):
        fits.append(_fit(bits, here, given * (fold != left_out), start=fits[-1]))
    solved = np.round(np.stack(fits[1:]) * _GRAIN) / _GRAIN
    return Contrast(solved[:, :-1].astype(np.float32), solved[:, -1].astype(np.float32))


def row_log_odds(population: Population, contrasts: Sequence[Contrast]) -> Rows:
    """Return the log-odds (rows, contrasts) of every row, each by the fit that has not seen its account."""
    odds = np.empty((len(population.store), len(contrasts)), np.float32)
    folds = _folds(population.store)
    start = 0
    for packed in population.store.vocabularies():
        bits = np.unpackbits(packed, axis=1).astype(np.float32)
        part, fold = odds[start : start + packed.shape[0]], folds[start : start + packed.shape[0]]
        for number in range(FOLDS):
            own = fold == number
            weights = np.stack([contrast.weights[number] for contrast in contrasts], axis=1)
            part[own] = bits[own] @ weights + np.array([contrast.bias[number] for contrast in contrasts], np.float32)
        start += packed.shape[0]
    return odds


def mixture_scores(log_ratio: Floats, account: Ints, accounts: int) -> Floats:
    """Return how much better (in nats) each account is explained as a mixture than as ordinary traffic.

    `max over p of sum log(1 + p (ratio - 1))`, p the part of its traffic that is of the other kind: cover traffic does
    not dilute the rest, and evidence adds up over prompts. 0 for accounts without a row.

    Args:
        log_ratio: of each row, density under the other kind over that under ordinary traffic.
        account: number of the account of each row.
        accounts: how many accounts there are.
    """
    excess = np.expm1(np.minimum(log_ratio, _LARGEST))
    best = np.zeros(accounts)
    for part in _PARTS:
        gain = np.round(np.log1p(part * excess) * _SUM_GRAIN) / _SUM_GRAIN
        np.maximum(best, np.bincount(account, weights=gain, minlength=accounts), out=best)
    return best


def _folds(store: SketchStore) -> Ints:
    return (store.account >> 1) % FOLDS


@dataclass(frozen=True, slots=True)
class _Side:
    bits: sparse.csr_matrix
    fold: Ints
    weight: Floats


def _side(people: Population, weight: Floats) -> _Side:
    rows = _sample(people.store, weight > 0)
    held_down = weight * _account_share(weight, people.row_account, len(people))
    return _Side(_bits(people.store, rows), _folds(people.store)[rows], held_down[rows])


def _account_share(weight: Floats, account: Ints, accounts: int) -> Floats:
    """Return the factor that holds each account down to PER_ACCOUNT."""
    total = np.bincount(account, weights=weight, minlength=accounts)
    share: Floats = np.minimum(1.0, PER_ACCOUNT / np.maximum(total, 1e-9))[account]
    return share


def _sample(store: SketchStore, usable: npt.NDArray[np.bool_]) -> Ints:
    """Choose at most _FIT_ROWS rows by their content, which is as good as at random and the same in any order."""
    rows = np.flatnonzero(usable)
    order = np.lexsort((store.account[rows], store.content[rows]))
    return rows[order[:_FIT_ROWS]]


def _bits(store: SketchStore, rows: Ints) -> sparse.csr_matrix:
    return sparse.csr_matrix(np.unpackbits(store.vocabulary(rows), axis=1), dtype=np.float64)


def _fit(bits: sparse.csr_matrix, here: npt.NDArray[np.bool_], weight: Floats, start: Floats) -> Floats:
    """Return 1,024 weights and a bias, found from `start` on; all 0 where one of the sides is empty."""
    sides = [float(weight[side].sum()) for side in (here, ~here)]
    if not all(sides):
        return np.zeros(_BITS + 1)
    weight = weight * np.where(here, _STRENGTH * sides[1] / sides[0], _STRENGTH)
    sign = np.where(here, 1.0, -1.0)

    def loss(point: Floats) -> tuple[float, Floats]:
        margin = sign * (bits @ point[:-1] + point[-1])
        slope = -sign * weight * expit(-margin)
        gradient = np.append(bits.T @ slope + point[:-1], slope.sum())
        return float(weight @ np.logaddexp(0, -margin) + point[:-1] @ point[:-1] / 2), gradient

    solved: Floats = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 100, "ftol": _TOLERANCE}).x
    return solved
