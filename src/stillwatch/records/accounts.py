"""Account records: what the provider knows of an account, from Parquet, JSON Lines or CSV (contract: records.md)."""

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import InputRejectedError, Location, RecordError, UsageError
from stillwatch.records.exchange import ACCOUNT_SCHEMA
from stillwatch.records.lines import Defect, read_lines
from stillwatch.records.parquet import is_parquet
from stillwatch.records.reasons import REASONS
from stillwatch.records.row import decode_object

_HINT = f"the fields are {', '.join(ACCOUNT_SCHEMA.names)}; only account_id is required"
_TYPES: dict[str, Any] = {
    field.name: Annotated[datetime, msgspec.Meta(tz=True)] if pa.types.is_timestamp(field.type) else str
    for field in ACCOUNT_SCHEMA
}


def read_accounts(path: Path) -> pa.Table:
    """Read account records into a table with ACCOUNT_SCHEMA; columns that it does not know are left out.

    A list of accounts is small and made on purpose, so the first wrong record stops the run.

    Raises:
        UsageError: there is no such file.
        InputRejectedError: a record is wrong, or an account occurs twice; says where.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist", hint="--accounts takes a Parquet, JSON Lines or CSV file")
    if is_parquet(path):
        table = _from_parquet(path)
        lines = list(range(1, table.num_rows + 1))
    else:
        records = list(_csv_records(path) if path.suffix == ".csv" else _json_records(path))
        lines = [line for line, _ in records]
        table = pa.Table.from_pylist([record for _, record in records], schema=ACCOUNT_SCHEMA)
    _refuse_repeats(table, path, lines)
    return table


def _from_parquet(path: Path) -> pa.Table:
    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise InputRejectedError(f"no readable Parquet: {error}", where=Location(str(path))) from error
    columns = []
    for field in ACCOUNT_SCHEMA:
        if field.name not in table.schema.names:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        column = table.column(field.name)
        if pa.types.is_timestamp(field.type) and getattr(column.type, "tz", None) is None:
            raise _wrong(path, None, f"column {field.name} is {column.type}, not a timestamp with a time zone")
        if pa.types.is_string(field.type) and not _is_text(column.type):
            raise _wrong(path, None, f"column {field.name} is {column.type}, not text")
        columns.append(column.cast(field.type, safe=not pa.types.is_timestamp(field.type)))
    ids = columns[0]
    for row in np.flatnonzero(np.asarray(ids.is_null()) | (np.asarray(ids.fill_null("")) == "")).tolist():
        raise InputRejectedError("account_id is missing", where=Location(str(path), row=row + 1), hint=_HINT)
    return pa.Table.from_arrays(columns, schema=ACCOUNT_SCHEMA)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _json_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for item in read_lines(path):
        if isinstance(item, Defect):
            raise _wrong(path, item.line, REASONS[item.reason])
        for index, line in enumerate(item.lines):
            if line.strip():
                number, _ = item.place(index)
                try:
                    record = decode_object(line)
                except RecordError as error:
                    raise _wrong(path, number, error.message) from error
                yield number, _to_account(record, path, number)


def _csv_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, strict=True)
        try:
            for record in reader:
                yield reader.line_num, _to_account(record, path, reader.line_num)
        except (csv.Error, UnicodeDecodeError) as error:
            raise _wrong(path, reader.line_num + 1, str(error)) from error


def _to_account(record: dict[str, Any], path: Path, line: int) -> dict[str, Any]:
    account: dict[str, Any] = {}
    for name, kind in _TYPES.items():
        value = record.get(name)
        if value is None or value == "":
            continue
        try:
            account[name] = msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise _wrong(path, line, f"{name}: {error}") from error
    if "account_id" not in account:
        raise _wrong(path, line, "account_id is missing")
    return account


def _refuse_repeats(table: pa.Table, path: Path, lines: list[int]) -> None:
    codes = table.column("account_id").combine_chunks().dictionary_encode().indices.to_numpy()
    first = np.unique(codes, return_index=True)[1]
    if first.size < codes.size:
        row = int(np.setdiff1d(np.arange(codes.size), first)[0])
        name = table.column("account_id")[row].as_py()
        raise _wrong(path, lines[row], f"account {name!r} occurs twice")


def _wrong(path: Path, line: int | None, message: str) -> InputRejectedError:
    return InputRejectedError(message, where=Location(str(path), line=line), hint=_HINT)
