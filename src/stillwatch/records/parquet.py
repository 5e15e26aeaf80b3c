"""Native Parquet: what a file holds, batch by batch, and copies of it without the rows that must go."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import RecordError
from stillwatch.records.conform import check_columns, conform, conforms
from stillwatch.records.exchange import EXCHANGE_SCHEMA, REQUIRED_FIELDS

Int64Array = npt.NDArray[np.int64]

MAGIC = b"PAR1"
COMPRESSION = "zstd"
_BATCH_BYTES = 32 * 2**20
_BATCH_ROWS = 2**17
# Columns of few distinct values are checked through their dictionaries, which Parquet stores anyway.
_FEW_VALUES = (
    "account_id", "model", "org_id", "channel", "operation", "country", "user_agent", "tls_fingerprint",
    "finish_reason", "error_code", "reasoning_effort", "response_format",
)  # fmt: skip


def is_parquet(path: Path) -> bool:
    """Tell whether a file starts like Parquet or is named like it."""
    if path.suffix == ".parquet":
        return True
    with path.open("rb") as stream:
        return stream.read(4) == MAGIC


class ParquetSource:
    """One Parquet file of exchanges.

    Attributes:
        as_is: its columns are those of EXCHANGE_SCHEMA, so that it can be used in place.

    Raises:
        RecordError: on construction, where the file as a whole cannot be read as exchanges.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as stream:
            if stream.read(4) != MAGIC:
                raise RecordError("not_parquet", "the file does not start like Parquet")
        try:
            with pq.ParquetFile(path) as file:
                self._schema = file.schema_arrow
                self._batch_rows = _batch_rows(file.metadata)
        except (pa.ArrowException, OSError) as error:
            raise RecordError("corrupt_parquet", str(error)) from error
        check_columns(self._schema)
        self.as_is = conforms(self._schema)

    def to_check(self) -> Iterator[pa.RecordBatch]:
        """Yield what the rules on values need: required fields and text.

        Raises:
            RecordError: a batch cannot be read.
        """
        if not self.as_is:
            yield from self.batches()
            return
        columns = [field.name for field in self._schema if _is_checked(field)]
        few = [name for name in _FEW_VALUES if name in columns]
        yield from self._read(columns, few)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows with the types of EXCHANGE_SCHEMA.

        Raises:
            RecordError: a batch cannot be read, or a value does not fit its field.
        """
        for batch in self._read(None, []):
            yield batch if self.as_is else conform(batch)

    def _read(self, columns: list[str] | None, few: list[str]) -> Iterator[pa.RecordBatch]:
        try:
            with pq.ParquetFile(self.path, read_dictionary=few, pre_buffer=False) as file:
                yield from file.iter_batches(self._batch_rows, columns=columns, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise RecordError("corrupt_parquet", str(error)) from error

    def copy(self, target: Path, without: Int64Array) -> int:
        """Write the rows that are not in `without` (sorted, from 0) to a new file; return how many."""
        written = start = 0
        schema = self._target_schema()
        with pq.ParquetWriter(target, schema, compression=COMPRESSION) as writer:
            for batch in self.batches():
                low, high = np.searchsorted(without, [start, start + batch.num_rows])
                start += batch.num_rows
                keep = np.ones(batch.num_rows, bool)
                keep[without[low:high] - (start - batch.num_rows)] = False
                kept = batch.filter(pa.array(keep))
                if kept.num_rows:
                    columns = [kept.column(name) for name in schema.names]
                    writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
                    written += kept.num_rows
        return written

    def _target_schema(self) -> pa.Schema:
        names = set(self._schema.names)
        if names - set(EXCHANGE_SCHEMA.names):
            names.add("extra")
        return pa.schema([field for field in EXCHANGE_SCHEMA if field.name in names])


def filled_fields(path: Path) -> frozenset[str]:
    """Return the optional fields of a Parquet file that hold at least one value; reads data only without statistics."""
    with pq.ParquetFile(path) as file:
        filled, unsure = set[str](), set[str]()
        for group in range(file.num_row_groups):
            columns = file.metadata.row_group(group)
            for index in range(columns.num_columns):
                column = columns.column(index)
                name = column.path_in_schema.split(".")[0]
                if column.statistics is None or not column.statistics.has_null_count:
                    unsure.add(name)
                elif column.statistics.null_count < column.num_values:
                    filled.add(name)
        filled |= {name for name in unsure - filled if _holds_value(file, name)}
    return frozenset(filled - set(REQUIRED_FIELDS))


def _holds_value(file: pq.ParquetFile, name: str) -> bool:
    batches = file.iter_batches(columns=[name])
    return any(batch.column(0).null_count < batch.num_rows for batch in batches)


def _is_checked(field: pa.Field) -> bool:
    kind = field.type
    return bool(
        field.name in REQUIRED_FIELDS or pa.types.is_string(kind) or pa.types.is_list(kind) or pa.types.is_map(kind)
    )


def _batch_rows(metadata: pq.FileMetaData) -> int:
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    per_row = size / max(metadata.num_rows, 1)
    return int(min(_BATCH_ROWS, max(1, _BATCH_BYTES // max(per_row, 1))))
