"""One digest for a table of features, to compare engines, file layouts and thread counts."""

import hashlib
from collections.abc import Sequence

import pyarrow as pa


def table_digest(table: pa.Table, keys: Sequence[str]) -> str:
    """SHA-256 over names, types and values of `table`, rows sorted by the columns `keys`.

    NULL differs from 0 and from the empty string. Rows that have the same keys must be equal.
    """
    ordered = table.select(sorted(table.column_names)).sort_by([(key, "ascending") for key in keys])
    digest = hashlib.sha256()
    for name, column in zip(ordered.column_names, ordered.columns, strict=True):
        digest.update(f"{name}\0{column.type}\0{len(column)}\0".encode())
        for value in column.to_pylist():
            text = b"n" if value is None else b"v" + repr(value).encode()
            digest.update(len(text).to_bytes(4, "little") + text)
    return digest.hexdigest()
