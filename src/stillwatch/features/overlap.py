"""How much of a template family's content recurs in other accounts: the mark of a public benchmark, not of a harvest.

A harvest shards its items, each account asks its own; strangers who run one benchmark ask the same items. The frame
that all exchanges share says nothing here, so what is compared is the rest: tokens that few of its exchanges hold.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.features import kernel
from stillwatch.features.templates import token_ids

_SAMPLE = 1_000
_FRAME_RATE = 0.1
_MIN_SHARED = 4
_MIN_PART = 0.4
_MIN_EXCESS = 3.0
_NONE_SEEN = 3.0  # rule of three: a rate whose event was never seen in n trials may still be 3 / n

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Parts of a family's exchanges, 0..1, that another account sent too.

    Attributes:
        exact: word for word.
        near: with the same item inside another frame or beside another answer. Pairs count only if they are several
            times as frequent across accounts as within one: parts drawn at random from one list recur everywhere.
    """

    exact: float
    near: float

    @property
    def share(self) -> float:
        """The larger of the two parts."""
        return max(self.exact, self.near)


def measure_overlap(content: Ints, account: Ints, minhash: npt.NDArray[np.uint32]) -> Overlap:
    """Measure the overlap of a family from content hash, account number and sketch (n, 64) of each exchange."""
    order = np.lexsort((account, content))  # a sample of a large family must not depend on the order of the log
    return Overlap(_exact(content, account), _near(account[order], minhash[order]))


def _exact(content: Ints, account: Ints) -> float:
    pairs = np.unique(np.stack([content, account]), axis=1)
    values, holders = np.unique(pairs[0], return_counts=True)
    return float(np.isin(content, values[holders > 1]).mean())


def _near(account: Ints, minhash: npt.NDArray[np.uint32]) -> float:
    rows = account.size
    filled_row, filled_bin = np.nonzero(minhash != kernel.EMPTY)
    tokens, column, support = np.unique(
        token_ids(minhash[filled_row, filled_bin], filled_bin), return_inverse=True, return_counts=True
    )
    rare = (support > 1) & (support <= max(2, _FRAME_RATE * rows))
    slots = support[column] <= max(2, _FRAME_RATE * rows)
    own = np.bincount(filled_row[slots], minlength=rows)
    kept = rare[column]
    shape = (rows, tokens.size)
    matrix = sparse.csr_matrix((np.ones(kept.sum(), np.int32), (filled_row[kept], column[kept])), shape=shape)
    sample = np.unique(np.linspace(0, rows - 1, min(rows, _SAMPLE)).astype(np.int64))
    shared = (matrix[sample] @ matrix.T).tocoo()
    close = (shared.data >= _MIN_SHARED) & (shared.data >= _MIN_PART * own[sample[shared.row]])
    left, right = sample[shared.row[close]], shared.col[close]
    across = account[left] != account[right]
    within = (left != right) & ~across
    sizes = np.bincount(account, minlength=account.max() + 1)[account[sample]]
    possible_within, possible_across = max(1, (sizes - 1).sum()), max(1, (rows - sizes).sum())
    rate_across = across.sum() / possible_across
    rate_within = (within.sum() + _NONE_SEEN) / possible_within
    if rate_across < _MIN_EXCESS * rate_within:
        return 0.0
    return float(np.unique(left[across]).size / sample.size)
