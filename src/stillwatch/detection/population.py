"""One period of traffic as detection sees it: a row of numbers per account, and the sketches of its exchanges."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.features.account import account_ratios
from stillwatch.features.store import SketchStore
from stillwatch.hashing import hash_strings

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """The accounts of one period. An account's number is its row in `table`.

    Attributes:
        table: account features, sorted by account_id.
        ratios: features finished as floats, NaN where not assessable.
        store: sketches of the exchanges that carry content.
        row_account: account number of each row of the store.
        fields: optional fields of the exchanges that hold at least one value.
    """

    table: pa.Table
    ratios: dict[str, Floats]
    store: SketchStore
    row_account: Ints
    fields: frozenset[str]

    @classmethod
    def of(cls, table: pa.Table, store: SketchStore, fields: frozenset[str]) -> "Population":
        """Number the accounts and find the account of each sketch."""
        hashes = pa.array(hash_strings(table.column("account_id")))
        rows = np.asarray(pc.index_in(pa.array(store.account), hashes)).astype(np.int64)
        return cls(table, account_ratios(table), store, rows, fields)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def ids(self) -> list[str]:
        """Account ids by account number."""
        ids: list[str] = self.table.column("account_id").to_pylist()
        return ids

    def ints(self, column: str) -> Ints:
        """Return one integer feature of all accounts."""
        return np.asarray(self.table.column(column)).astype(np.int64)

    def texts(self, column: str) -> list[str | None]:
        """Return one text feature of all accounts."""
        values: list[str | None] = self.table.column(column).to_pylist()
        return values
