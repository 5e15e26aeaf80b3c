"""Template families: groups of exchanges, over all accounts, whose text was made from one frame.

Exchanges with several hot tokens in common (features/hot_rows.py) form a family. The work grows with the exchanges that
carry hot tokens, not with the traffic, so a family is found however small its part of the traffic is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.features import kernel
from stillwatch.features.hot_rows import MIN_ACCOUNTS, MIN_TOKENS, HotRows

MAX_FAMILIES = 2_000
FRAME_RATE = 0.3
_CORE_RATE = 0.15
_OWN_ROWS = 3
_LIFT = 0.5
"""A token belongs to a family if half of its exchanges do, and it is no rarity there."""
_ROUNDS = 4

Ints = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class TemplateFamily:
    """Exchanges made from one frame.

    Attributes:
        members: indices into HotRows, ascending.
        coverage: for each member, the part of its sampled shingles that belongs to the family, 0..1.
        frame_counts: for each member, how many of its tokens are among the usual ones of the family (FRAME_RATE).
        tokens: the family's tokens, ascending.
        core: those in at least half of its exchanges, ascending.
    """

    members: Ints
    coverage: npt.NDArray[np.float64]
    frame_counts: Ints
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
    for seed in miner.seeds(rows, column):
        grown = miner.grow(int(seed))
        if grown is None:
            continue
        families.append(
            TemplateFamily(
                members=grown.rows,
                coverage=grown.counts / filled[grown.rows],
                frame_counts=miner.count_tokens(grown.rows, grown.frame),
                tokens=tokens[grown.own],
                core=tokens[grown.core],
            )
        )
        if len(families) == MAX_FAMILIES:
            break
    return families


@dataclass(frozen=True, slots=True)
class _Grown:
    rows: Ints
    counts: Ints
    own: Ints
    frame: Ints
    core: Ints


class _Miner:
    def __init__(self, by_row: sparse.csr_matrix, by_token: sparse.csc_matrix, account: Ints) -> None:
        self._by_row = by_row
        self._by_token = by_token
        self._account = account
        self._alive = np.ones(by_row.shape[0], np.bool_)
        self._support = np.diff(by_token.indptr)

    def seeds(self, rows: Ints, column: Ints) -> Ints:
        """Return tokens that may seed a family, the widest first.

        Common phrases make single tokens hot in any large population; that several accounts send the same two hot
        tokens next to each other takes a frame. `rows` and `column` are the entries of the matrix, row by row.
        """
        beside = np.flatnonzero(rows[1:] == rows[:-1])
        left, right = column[beside].astype(np.int64), column[beside + 1].astype(np.int64)
        tied = self._holders(left * self._support.size + right, rows[beside]) >= MIN_ACCOUNTS
        candidates = np.unique(np.concatenate([left[tied], right[tied]]))
        inside = np.isin(column, candidates)
        holders = self._holders(column[inside].astype(np.int64), rows[inside])
        token, first = np.unique(column[inside], return_index=True)
        order = np.lexsort((token, -holders[first] * self._support[token]))
        return token[order]

    def _holders(self, values: Ints, rows: Ints) -> Ints:
        """Return, for each entry, how many accounts hold its value."""
        _, number = np.unique(values, return_inverse=True)
        accounts = int(self._account.max(initial=0)) + 1
        pairs = np.unique(number * accounts + self._account[rows])
        return np.bincount(pairs // accounts)[number] if pairs.size else np.empty(0, np.int64)

    def grow(self, seed: int) -> _Grown | None:
        """Grow a family from a seed; None if it stays too small."""
        rows = self._rows_of(np.array([seed]))
        if not self._wide(rows):
            return None
        counts = own = inside = np.empty(0, np.int64)
        for _ in range(_ROUNDS):
            token, inside = np.unique(_entries(self._by_row, rows), return_counts=True)
            lift = inside / self._support[token]
            joins = (lift >= _LIFT) & ((inside >= _CORE_RATE * rows.size) | (inside >= _OWN_ROWS))
            own, inside = token[joins], inside[joins]
            row, tally = np.unique(_entries(self._by_token, own), return_counts=True)
            kept = self._alive[row] & (tally >= MIN_TOKENS)
            rows, counts = row[kept].astype(np.int64), tally[kept]
            if not self._wide(rows):
                return None
        self._alive[rows] = False
        return _Grown(rows, counts, own, own[inside >= FRAME_RATE * rows.size], own[inside * 2 >= rows.size])

    def count_tokens(self, rows: Ints, tokens: Ints) -> Ints:
        """Return how many of the given tokens each row holds."""
        held = np.isin(_entries(self._by_row, rows), tokens)
        size = np.diff(self._by_row.indptr)[rows]
        return np.bincount(np.repeat(np.arange(rows.size), size), weights=held, minlength=rows.size).astype(np.int64)

    def _rows_of(self, tokens: Ints) -> Ints:
        rows = np.unique(_entries(self._by_token, tokens)).astype(np.int64)
        return rows[self._alive[rows]]

    def _wide(self, rows: Ints) -> bool:
        return rows.size >= MIN_ACCOUNTS and np.unique(self._account[rows]).size >= MIN_ACCOUNTS


def _entries(matrix: sparse.csr_matrix | sparse.csc_matrix, lines: Ints) -> npt.NDArray[np.int32]:
    """Return what rows or columns hold, one after the other; scipy's own slicing copies far more for a few of them."""
    start = matrix.indptr[lines].astype(np.int64)
    size = matrix.indptr[lines + 1] - start
    skipped = np.repeat(np.cumsum(size) - size - start, size)
    found: npt.NDArray[np.int32] = matrix.indices[np.arange(int(size.sum())) - skipped]
    return found
