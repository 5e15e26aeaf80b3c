"""Template families: groups of exchanges, over all accounts, whose text was made from one frame.

Each filled MinHash bin of a sketch is a sampled shingle of the text, a *token*. A token that several accounts send and
that history hardly knows is *hot*; exchanges with several hot tokens in common form a family. Work is a pass per bin,
and then grows with the exchanges that carry hot tokens, so a family is found however small its part of the traffic is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.features import kernel
from stillwatch.features.store import SketchStore

MIN_ACCOUNTS = 4
MIN_TOKENS = 4
HISTORY_RATIO = 20
"""A token is hot if its rate per account is at least this many times the one in history."""
MAX_FAMILIES = 2_000
_CORE_RATE = 0.15
_CORE_LIFT = 0.5
_OWN_LIFT = 0.5
_ROUNDS = 4

Ints = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class HotRows:
    """The exchanges with at least MIN_TOKENS hot tokens.

    Attributes:
        rows: row numbers in the store, ascending.
        minhash: their sketches (n, 64), empty bins as kernel.EMPTY.
        hot: which of the bins hold a hot token (n, 64).
    """

    rows: Ints
    minhash: npt.NDArray[np.uint32]
    hot: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TemplateFamily:
    """Exchanges made from one frame.

    Attributes:
        members: indices into HotRows, ascending.
        coverage: for each member, the part of its sampled shingles that belongs to the family, 0..1.
        tokens: the family's tokens, ascending.
        core: those in at least half of its exchanges, ascending.
    """

    members: Ints
    coverage: npt.NDArray[np.float64]
    tokens: Tokens
    core: Tokens


def token_ids(minhash: npt.NDArray[np.uint32], bins: npt.NDArray[np.integer]) -> Tokens:
    """Return tokens (bin and value in one number) for values of a minhash and the bins they stand in."""
    return (bins.astype(np.uint64) << np.uint64(32)) | minhash.astype(np.uint64)


def text_tokens(texts: Sequence[str]) -> Tokens:
    """Return every token that the given texts can give rise to, ascending."""
    parts = []
    for text in texts:
        _, shingles, _ = kernel.hash_text(np.frombuffer(text.encode(), np.uint8))
        parts.append(token_ids(kernel.shingle_value.py_func(shingles), kernel.shingle_bin.py_func(shingles)))
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.uint64)


def find_hot_rows(window: SketchStore, history: SketchStore | None) -> HotRows:
    """Find the window's exchanges that share tokens with other accounts which history hardly knows."""
    accounts, account = np.unique(window.account, return_inverse=True)
    past_accounts, past = np.unique(history.account, return_inverse=True) if history else (np.empty(0), None)
    score = np.zeros(len(window), np.int16)
    hot_values: list[npt.NDArray[np.uint32]] = []
    for number in range(kernel.BINS):
        values = window.bin(number)
        common, holders = _holders(values, account)
        common, holders = common[holders >= MIN_ACCOUNTS], holders[holders >= MIN_ACCOUNTS]
        if history is not None and past is not None and common.size:
            known = _known(history.bin(number), past, common)
            common = common[known * HISTORY_RATIO * accounts.size <= holders * past_accounts.size]
        hot_values.append(common)
        score += np.isin(values, common)
    rows = np.flatnonzero(score >= MIN_TOKENS)
    minhash = np.empty((rows.size, kernel.BINS), np.uint32)
    hot = np.empty((rows.size, kernel.BINS), np.bool_)
    for number in range(kernel.BINS):
        minhash[:, number] = window.bin(number)[rows]
        hot[:, number] = np.isin(minhash[:, number], hot_values[number])
    return HotRows(rows, minhash, hot)


def _holders(values: npt.NDArray[np.uint32], account: Ints) -> tuple[npt.NDArray[np.uint32], Ints]:
    """Return the distinct values and by how many accounts each is held."""
    filled = values != kernel.EMPTY
    pairs = (values[filled].astype(np.uint64) << np.uint64(32)) | account[filled].astype(np.uint64)
    found, count = np.unique(np.unique(pairs) >> np.uint64(32), return_counts=True)
    return found.astype(np.uint32), count


def _known(values: npt.NDArray[np.uint32], account: Ints, asked: npt.NDArray[np.uint32]) -> Ints:
    """Return by how many accounts of history each of the asked values (ascending) is held."""
    present = np.isin(values, asked)
    found, count = _holders(values[present], account[present])
    known = np.zeros(asked.size, np.int64)
    known[np.searchsorted(asked, found)] = count
    return known


def mine_families(hot: HotRows, account: Ints) -> list[TemplateFamily]:
    """Split hot rows into families, the widest first. `account` holds the account number of each hot row.

    Greedy and deterministic: the token that most exchanges of most accounts carry is the seed; tokens that live mostly
    inside its exchanges join; every exchange with MIN_TOKENS of them belongs. Ties are broken by token value.
    """
    rows, bins = np.nonzero(hot.hot)
    tokens, column = np.unique(token_ids(hot.minhash[rows, bins], bins), return_inverse=True)
    shape = (hot.rows.size, tokens.size)
    by_row = sparse.csr_matrix((np.ones(rows.size, np.int32), (rows, column)), shape=shape)
    miner = _Miner(by_row, by_row.tocsc(), account)
    filled = np.maximum(1, (hot.minhash != kernel.EMPTY).sum(axis=1))
    families = []
    for seed in miner.seeds():
        grown = miner.grow(seed)
        if grown is None:
            continue
        members, count, own, core = grown
        families.append(TemplateFamily(members, count / filled[members], tokens[own], tokens[core]))
        if len(families) == MAX_FAMILIES:
            break
    return families


class _Miner:
    def __init__(self, by_row: sparse.csr_matrix, by_token: sparse.csc_matrix, account: Ints) -> None:
        self._by_row = by_row
        self._by_token = by_token
        self._account = account
        self._alive = np.ones(by_row.shape[0], np.bool_)
        self._support = np.diff(by_token.indptr)

    def seeds(self) -> Ints:
        """Tokens held by enough accounts, the widest first."""
        token_of = np.repeat(np.arange(self._support.size), self._support)
        pairs = np.unique(token_of * (self._account.max(initial=0) + 1) + self._account[self._by_token.indices])
        holders = np.bincount(pairs // (self._account.max(initial=0) + 1), minlength=self._support.size)
        order = np.lexsort((np.arange(holders.size), -holders * self._support))
        return order[holders[order] >= MIN_ACCOUNTS]

    def grow(self, seed: int) -> tuple[Ints, Ints, Ints, Ints] | None:
        """Grow a family from a seed: its rows, their token counts, its tokens, its core; None if it is too small."""
        rows = self._rows_of(np.array([seed]))
        if not self._wide(rows):
            return None
        counts = own = inside = np.empty(0, np.int64)
        for _ in range(_ROUNDS):
            inside = np.bincount(self._by_row[rows].indices, minlength=self._support.size)
            lift = inside / self._support
            joins = ((inside >= _CORE_RATE * rows.size) & (lift >= _CORE_LIFT)) | ((lift >= _OWN_LIFT) & (inside >= 3))
            own = np.flatnonzero(joins)
            tally = np.bincount(self._by_token[:, own].indices, minlength=self._alive.size)
            rows = np.flatnonzero(self._alive & (tally >= MIN_TOKENS))
            counts = tally[rows]
            if not self._wide(rows):
                return None
        self._alive[rows] = False
        return rows, counts, own, own[inside[own] * 2 >= rows.size]

    def _rows_of(self, tokens: Ints) -> Ints:
        rows = np.unique(self._by_token[:, tokens].indices).astype(np.int64)
        return rows[self._alive[rows]]

    def _wide(self, rows: Ints) -> bool:
        return rows.size >= MIN_ACCOUNTS and np.unique(self._account[rows]).size >= MIN_ACCOUNTS
