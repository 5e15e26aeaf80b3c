"""The query engine: Ibis expressions on an embedded DuckDB that stays inside a memory limit and off the network.

Everything that is particular to DuckDB is in this module. Expressions elsewhere use portable Ibis operations and
the functions `instant_us`, `quotient` and `compact`, whose spelling differs between engines.
"""

import contextlib
import itertools
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import duckdb
import ibis
import ibis.expr.datatypes as dt
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
from ibis.backends.duckdb import Backend as DuckDB

from stillwatch.errors import UsageError
from stillwatch.records.exchange import EXCHANGE_SCHEMA

Relation = ibis.Table
"""A table that the engine has not computed yet; what holds one outside of features need not know Ibis."""

_UNITS: Final = {"": 1, "B": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate("KMGT", start=1)
    for suffix, base in (("B", 1000), ("IB", 1024), ("", 1000))
}
_MEMORY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")
_LEAST_MEMORY: Final = 768 * 2**20
_RESERVE_SHARE: Final = 0.25
_RESERVE_FLOOR: Final = 384 * 2**20
_WRITE_ROWS: Final = 122_880


class Engine:
    """An in-memory DuckDB, spoken to through Ibis.

    Attributes:
        backend: the Ibis backend; pass expressions to the methods rather than to it.
    """

    def __init__(self, backend: DuckDB) -> None:
        self.backend = backend
        self._numbers = itertools.count()

    @classmethod
    def open(cls, *, memory: str | None, threads: int | None = None, spill: Path) -> Self:
        """Start an engine.

        Args:
            memory: limit on the resident memory of the whole process, such as "4GB"; None for the engine's own
                default. The engine gets less than this: Arrow tables and Python need the rest.
            threads: worker threads; None for one per core.
            spill: directory for what does not fit into memory. Nothing else is written, nor is the home
                directory read.

        Raises:
            UsageError: if `memory` is nonsense or too little to work with.
        """
        spill.mkdir(parents=True, exist_ok=True)
        config: dict[str, str | bool | int] = {
            "temp_directory": str(spill),
            "home_directory": str(spill),
            "extension_directory": str(spill / "extensions"),
            "secret_directory": str(spill / "secrets"),
            "allow_persistent_secrets": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
        }
        if memory is not None:
            config["memory_limit"] = f"{_engine_share(memory) // 2**20}MiB"
        if threads is not None:
            config["threads"] = threads
        return cls(ibis.duckdb.from_connection(duckdb.connect(":memory:", config=config)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the engine and free its memory and spill files."""
        self.backend.disconnect()

    def exchanges(self, files: Sequence[Path]) -> ibis.Table:
        """Read Parquet files of exchanges as one table with every column of `EXCHANGE_SCHEMA`.

        Columns are matched by name; one that no file has is a column of typed NULLs.

        Raises:
            UsageError: if there is no file.
        """
        if not files:
            raise UsageError("no Parquet file of exchanges to read")
        found = self._scan([str(path) for path in files])
        known = found.schema()
        return found.select(
            **{
                field.name: _typed(found[field.name], field) if field.name in known else _absent(field)
                for field in EXCHANGE_SCHEMA
            }
        )

    def parquet(self, path: Path | str) -> ibis.Table:
        """Read a Parquet file, or all files that a glob matches, as they are."""
        return self._scan([str(path)])

    def register(self, name: str, table: pa.Table) -> ibis.Table:
        """Copy an Arrow table into the engine under `name`, in place of what had that name."""
        connection = self.backend.con
        arrival = f"_arriving_{next(self._numbers)}"
        connection.register(arrival, table)
        try:
            connection.execute(f"CREATE OR REPLACE TABLE {_quoted(name)} AS FROM {arrival}")
        finally:
            connection.unregister(arrival)
        return self.backend.table(name)

    @contextlib.contextmanager
    def kept(self, expr: ibis.Table) -> Iterator[ibis.Table]:
        """Compute `expr` once for several queries; the result spills where it does not fit and is freed at the end."""
        name = f"_kept_{next(self._numbers)}"
        self.backend.con.execute(f"CREATE TABLE {name} AS {self._sql(expr)}")
        try:
            yield self.backend.table(name)
        finally:
            self.backend.con.execute(f"DROP TABLE {name}")

    def to_arrow(self, expr: ibis.Table) -> pa.Table:
        """Compute `expr` as one Arrow table; ordered only where `expr` says so."""
        schema = expr.schema().to_pyarrow()
        return self._reader(expr, _WRITE_ROWS).read_all().cast(schema)

    def to_parquet(self, expr: ibis.Table, path: Path) -> None:
        """Compute `expr` into a Parquet file without holding the result in memory."""
        schema = expr.schema().to_pyarrow()
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for batch in self._reader(expr, _WRITE_ROWS):
                writer.write_batch(batch.cast(schema))

    def batches(self, expr: ibis.Table, rows: int) -> Iterator[pa.RecordBatch]:
        """Compute `expr` as a stream of batches of about `rows` rows (a multiple of the engine's 2,048).

        Other queries may run while the stream is read. Rows come in any order unless `expr` is ordered.
        """
        yield from self._reader(expr, rows)

    def _reader(self, expr: ibis.Table, rows: int) -> pa.RecordBatchReader:
        # A cursor of its own: a second query on the same connection would cut the stream short.
        cursor = self.backend.con.cursor()
        return cursor.execute(self._sql(expr)).to_arrow_reader(rows)

    def _sql(self, expr: ibis.Table) -> str:
        # DuckDB keeps what several branches read, here the widened log itself, in memory whole; reading the few
        # columns that a branch needs again takes half the time and a quarter of the memory.
        query = self.backend.compiler.to_sqlglot(expr.unbind())
        for shared in query.find_all(sqlglot.exp.CTE):
            shared.args["materialized"] = False
        sql: str = query.sql(dialect="duckdb", copy=False)
        return sql

    def _scan(self, paths: list[str]) -> ibis.Table:
        name = f"_files_{next(self._numbers)}"
        files = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
        self.backend.con.execute(
            f"CREATE VIEW {name} AS FROM read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
        )
        return self.backend.table(name)


def parse_memory(text: str) -> int:
    """Bytes in a size such as `4GB`, `512MiB` or `1.5 gb`; kB to TB count in thousands, KiB to TiB in 1,024.

    Raises:
        UsageError: if the text is not such a size.
    """
    match = _MEMORY.fullmatch(text)
    factor = _UNITS.get(match[2].upper()) if match else None
    if match is None or factor is None or (size := int(Decimal(match[1]) * factor)) < 1:
        raise UsageError(f"not an amount of memory: {text!r}", hint="write it like 4GB or 512MiB")
    return size


_epoch_us = ibis.udf.scalar.builtin(
    lambda ts: None,  # noqa: ARG005 - a declaration: the names and types of DuckDB's own function
    name="epoch_us",
    signature=((dt.timestamp,), dt.int64),
)
_divide = ibis.udf.scalar.builtin(
    lambda left, right: None,  # noqa: ARG005 - as above
    name="divide",
    signature=((dt.int64, dt.int64), dt.int64),
)
_hash = ibis.udf.scalar.builtin(
    lambda value: None,  # noqa: ARG005 - as above
    name="hash",
    signature=((None,), dt.uint64),
)


def instant_us(ts: ibis.Value) -> ibis.Value:
    """Microseconds since 1970 (int64) of a timestamp with time zone; a cast would give milliseconds."""
    return _epoch_us(ts)


def quotient(value: ibis.Value, divisor: int) -> ibis.Value:
    """Integer quotient of a value of 0 or more; Ibis's own `//` goes through floating point on DuckDB."""
    return _divide(value, divisor)


def compact(value: ibis.Value) -> ibis.Value:
    """A 64-bit stand-in for a value as a grouping key, NULL for NULL; never to be written to a file.

    Grouping by eight bytes costs half of grouping by strings. Two values that ought to be kept apart meet with
    probability 2**-64 per pair. Engines whose hash has 32 bits (Spark's `hash`) must use the value itself.
    """
    return ibis.ifelse(value.notnull(), _hash(value), ibis.null(dt.uint64))


def _engine_share(memory: str) -> int:
    """Bytes for the engine out of a limit for the process."""
    whole = parse_memory(memory)
    if whole < _LEAST_MEMORY:
        raise UsageError(f"{memory} is too little memory", hint=f"at least {_LEAST_MEMORY // 2**20} MiB are needed")
    return whole - max(_RESERVE_FLOOR, int(whole * _RESERVE_SHARE))


def _typed(column: ibis.Value, field: pa.Field) -> ibis.Value:
    """The column in the schema's type, for files written with narrower integers or another time unit."""
    if pa.types.is_nested(field.type):
        return column
    wanted = _ibis_type(field.type)
    return column if column.type() == wanted else column.cast(wanted)


def _absent(field: pa.Field) -> ibis.Value:
    return ibis.null(_ibis_type(field.type))


def _ibis_type(arrow: pa.DataType) -> dt.DataType:
    """Ibis type of an Arrow type; Ibis does not know binary of fixed size, which DuckDB reads as a blob."""
    if pa.types.is_struct(arrow):
        return dt.Struct({child.name: _ibis_type(child.type) for child in arrow})
    if pa.types.is_fixed_size_binary(arrow):
        return dt.binary
    return dt.DataType.from_pyarrow(arrow)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
