"""Which exchanges share their text with other accounts, in words that history hardly knows?

Each filled MinHash bin of a sketch is a sampled shingle of the text, a *token*. A token that several accounts send and
that history hardly knows is *hot*. The work is one pass per bin over all exchanges, whatever their number.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.features import kernel
from stillwatch.features.holders import count_holders, count_known, fill_table, mark_members
from stillwatch.features.store import SketchStore

MIN_ACCOUNTS = 4
MIN_TOKENS = 4
HISTORY_RATIO = 20
"""A token is hot if its rate per account is at least this many times the one in history."""
_PART_ROWS = 8_000_000
"""Values counted in one table, so that the table stays below 300 MB."""

Ints = npt.NDArray[np.int64]
Minhash = kernel.Minhash


@dataclass(frozen=True, slots=True)
class HotRows:
    """The exchanges with at least MIN_TOKENS hot tokens.

    Attributes:
        rows: row numbers in the store, ascending.
        minhash: their sketches (n, 64), empty bins as kernel.EMPTY.
        hot: which of the bins hold a hot token (n, 64).
    """

    rows: Ints
    minhash: Minhash
    hot: npt.NDArray[np.bool_]


def find_hot_rows(window: SketchStore, history: SketchStore | None) -> HotRows:
    """Find the window's exchanges that share tokens with other accounts which history hardly knows."""
    here, there = _Accounts.of(window), _Accounts.of(history) if history is not None else None
    score = np.zeros(len(window), np.int16)
    tables = []
    member = np.empty(len(window), np.bool_)
    for number in range(kernel.BINS):
        values = window.bin(number)
        common, holders = _common(values[here.order], here)
        if history is not None and there is not None and common.size:
            known = _known(history.bin(number)[there.order], there, common)
            common = common[known * HISTORY_RATIO * here.count <= holders * there.count]
        table = _table(common)
        tables.append(table)
        mark_members(values, table, member)
        score += member
    rows = np.flatnonzero(score >= MIN_TOKENS)
    minhash = np.empty((rows.size, kernel.BINS), np.uint32)
    hot = np.empty((rows.size, kernel.BINS), np.bool_)
    for number, table in enumerate(tables):
        values, marked = window.bin(number)[rows], np.empty(rows.size, np.bool_)
        mark_members(values, table, marked)
        minhash[:, number], hot[:, number] = values, marked
    return HotRows(rows, minhash, hot)


@dataclass(frozen=True, slots=True)
class _Accounts:
    """Rows of a store grouped by account: the order, and the account number of each row in that order."""

    order: Ints
    account: npt.NDArray[np.int32]
    count: int

    @classmethod
    def of(cls, store: SketchStore) -> "_Accounts":
        order = np.argsort(store.account, kind="stable")
        grouped = store.account[order]
        number = np.cumsum(np.diff(grouped, prepend=grouped[:1]) != 0)
        return cls(order, number.astype(np.int32), int(number[-1]) + 1 if number.size else 0)


def _common(values: Minhash, accounts: _Accounts) -> tuple[Minhash, Ints]:
    """Return the values that at least MIN_ACCOUNTS accounts hold, ascending, and how many hold each."""
    parts = 1 + values.size // _PART_ROWS
    found, counts = [], []
    for part in range(parts):
        keys = _empty_table(values.size // parts * 5 // 4 + 1024 if parts > 1 else values.size)
        holders = np.zeros(keys.size, np.int32)
        count_holders(values, accounts.account, part, parts, keys, holders)
        kept = holders >= MIN_ACCOUNTS
        found.append(keys[kept])
        counts.append(holders[kept])
    common, holders = np.concatenate(found), np.concatenate(counts)
    order = np.argsort(common)
    return common[order], holders[order].astype(np.int64)


def _known(values: Minhash, accounts: _Accounts, asked: Minhash) -> Ints:
    """Return by how many accounts each of the asked values is held."""
    table = _table(asked)
    holders = np.zeros(table.size, np.int32)
    count_known(values, accounts.account, table, holders)
    kept = table != kernel.EMPTY
    order = np.argsort(table[kept])
    known: Ints = holders[kept][order][np.searchsorted(table[kept][order], asked)].astype(np.int64)
    return known


def _table(values: Minhash) -> Minhash:
    keys = _empty_table(values.size)
    fill_table(values, keys)
    return keys


def _empty_table(values: int) -> Minhash:
    """Return a table with room for so many values at a load of at most a half."""
    return np.full(1 << max(4, (2 * values).bit_length()), kernel.EMPTY, np.uint32)
