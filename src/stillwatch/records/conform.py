"""Brings a batch of a provider's own Parquet columns to EXCHANGE_SCHEMA; columns without a field go to `extra`."""

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from stillwatch.errors import RecordError
from stillwatch.records.exchange import EXCHANGE_SCHEMA, REQUIRED_FIELDS
from stillwatch.records.row import as_text

_ACCEPTED = (
    (pa.types.is_string, (pa.types.is_large_string, pa.types.is_string_view)),
    (pa.types.is_integer, (pa.types.is_integer,)),
    (pa.types.is_floating, (pa.types.is_floating, pa.types.is_integer)),
    (pa.types.is_timestamp, (pa.types.is_timestamp,)),
)
_FIELDS = {field.name: field.type for field in EXCHANGE_SCHEMA}


def conforms(schema: pa.Schema) -> bool:
    """Tell whether a file's columns can be used as they are."""
    return all(_FIELDS.get(field.name) == field.type for field in schema)


def check_columns(schema: pa.Schema) -> None:
    """Raise where a file's columns cannot become exchanges.

    Raises:
        RecordError: a required column is missing, or a column's type cannot become its field's.
    """
    for name in REQUIRED_FIELDS:
        if name not in schema.names:
            raise RecordError("missing_column", f"no column {name}")
    for field in schema:
        wanted = _FIELDS.get(field.name)
        if wanted is None or field.type == wanted:
            continue
        if pa.types.is_timestamp(wanted) and pa.types.is_timestamp(field.type) and field.type.tz is None:
            raise RecordError("timestamp_no_zone", f"column {field.name} has no time zone")
        if not _can_become(field.type, wanted):
            raise RecordError("wrong_column_type", f"column {field.name} is {field.type}, not {wanted}")


def conform(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Cast the columns of a batch to the types of their fields, and gather the unknown ones in `extra`.

    Raises:
        RecordError: a whole number does not fit its field, or text is not Unicode.
    """
    columns: dict[str, pa.Array] = {}
    unknown: dict[str, pa.Array] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name in _FIELDS:
            columns[name] = _cast(column, name)
        else:
            unknown[name] = column
    if unknown:
        columns["extra"] = _with_unknown(columns.get("extra"), unknown, batch.num_rows)
    ordered = [field.name for field in EXCHANGE_SCHEMA if field.name in columns]
    schema = pa.schema([EXCHANGE_SCHEMA.field(name) for name in ordered])
    return pa.RecordBatch.from_arrays([columns[name] for name in ordered], schema=schema)


def _can_become(given: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_dictionary(given):
        given = given.value_type
    if pa.types.is_null(given) or given == wanted:
        return True
    if pa.types.is_list(wanted):
        is_list = pa.types.is_list(given) or pa.types.is_large_list(given)
        return bool(is_list and _can_become(given.value_type, wanted.value_type))
    if pa.types.is_map(wanted):
        is_map = pa.types.is_map(given)
        return bool(is_map and all(_can_become(kind, pa.string()) for kind in (given.key_type, given.item_type)))
    return any(is_wanted(wanted) and any(is_given(given) for is_given in accepted) for is_wanted, accepted in _ACCEPTED)


def _cast(column: pa.Array, name: str) -> pa.Array:
    wanted = _FIELDS[name]
    if column.type == wanted:
        return column
    try:
        # A finer clock is cut to microseconds; everything else must keep its value.
        return column.cast(wanted, safe=not pa.types.is_timestamp(wanted))
    except pa.ArrowInvalid as error:
        reason = "number_out_of_range" if pa.types.is_integer(wanted) else "wrong_column_type"
        raise RecordError(reason, f"column {name}: {error}") from error


def _with_unknown(extra: pa.Array | None, unknown: dict[str, pa.Array], rows: int) -> pa.Array:
    """Return a map column of what `extra` holds plus one entry per unknown column that is not null."""
    owners: list[Any] = []
    keys: list[pa.Array] = []
    values: list[pa.Array] = []
    if extra is not None and len(extra.keys):
        offsets = np.asarray(extra.offsets)
        owners.append(np.repeat(np.arange(rows), np.diff(offsets)))
        keys.append(extra.keys[offsets[0] : offsets[-1]])
        values.append(extra.items[offsets[0] : offsets[-1]])
    for name, column in unknown.items():
        present = np.flatnonzero(np.asarray(column.is_valid()))
        owners.append(present)
        keys.append(pa.array([name], pa.string()).take(pa.array(np.zeros(present.size, np.int64))))
        values.append(_as_text(column.take(pa.array(present))))
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=rows))]).astype(np.int32)
    return pa.MapArray.from_arrays(
        pa.array(offsets),
        pa.concat_arrays(keys).take(pa.array(order)),
        pa.concat_arrays(values).take(pa.array(order)),
    )


def _as_text(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_large_string(kind):
        return column.cast(pa.string())
    if pa.types.is_string(kind):
        return column
    return pa.array([_value_text(value) for value in column.to_pylist()], pa.string())


def _value_text(value: Any) -> str:
    return as_text(msgspec.to_builtins(value, enc_hook=str))
