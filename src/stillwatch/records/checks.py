"""The rules on values that types cannot say, column by column: one place for JSON Lines and Parquet alike."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.hashing import string_buffers

MAX_ID_BYTES = 1024
_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(days=1)
_ID_FIELDS = ("exchange_id", "account_id", "model")

Int64Array = npt.NDArray[np.int64]


def bad_rows(batch: pa.RecordBatch, now: datetime) -> dict[int, str]:
    """Return the rows (from 0) of a batch that break a rule, each with its first reason.

    Args:
        batch: the required fields, and any others, with the types of EXCHANGE_SCHEMA; text may be dictionaries.
        now: timestamps more than one day after it are refused.
    """
    bad: dict[int, str] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_dictionary(column.type):
            _check_dictionary(column, name, bad)
        elif pa.types.is_string(column.type):
            _check_text(column, name, bad)
        elif name == "ts":
            _check_times(column, now, bad)
        elif pa.types.is_list(column.type) or pa.types.is_map(column.type):
            _check_nested(column, bad)
    return bad


def _note(bad: dict[int, str], rows: npt.NDArray[np.int64], reason: str) -> None:
    for row in rows.tolist():
        bad.setdefault(row, reason)


def _check_dictionary(column: pa.DictionaryArray, name: str, bad: dict[int, str]) -> None:
    broken: dict[int, str] = {}
    _check_text(column.dictionary.cast(pa.string()), name, broken)
    if broken or column.null_count:
        _check_text(column.dictionary_decode().cast(pa.string()), name, bad)


def _check_text(column: pa.StringArray, name: str, bad: dict[int, str]) -> None:
    if not _is_unicode(column):
        _note(bad, _rows_where(column, lambda text: not _decodes(text)), "invalid_utf8")
    if name not in _ID_FIELDS:
        return
    if column.null_count:
        _note(bad, np.flatnonzero(np.asarray(column.is_null())), "missing_field")
    data, offsets = string_buffers(column)
    lengths = np.diff(offsets)
    if lengths.size and (lengths.min() == 0 or lengths.max() > MAX_ID_BYTES):
        _note(bad, np.flatnonzero(lengths == 0), "empty_field")
        _note(bad, np.flatnonzero(lengths > MAX_ID_BYTES), "value_too_long")
    used = data[offsets[0] : offsets[-1]] if lengths.size else data[:0]
    if used.size and used.min() == 0:
        _note(bad, _rows_where(column, lambda text: b"\0" in text), "nul_byte")


def _check_times(column: pa.TimestampArray, now: datetime, bad: dict[int, str]) -> None:
    if column.null_count:
        _note(bad, np.flatnonzero(np.asarray(column.is_null())), "missing_field")
    moments = column.cast(pa.int64()).fill_null(0).to_numpy()
    latest = round((now + _AHEAD).timestamp() * 1e6)
    earliest = round(_EARLIEST.timestamp() * 1e6)
    if moments.size and (moments.min() < earliest or moments.max() > latest):
        _note(bad, np.flatnonzero(moments > latest), "timestamp_future")
        _note(bad, np.flatnonzero(moments < earliest), "timestamp_before_2015")


def _check_nested(column: pa.Array, bad: dict[int, str]) -> None:
    if not _is_unicode(column):
        nested = pa.list_(pa.binary()) if pa.types.is_list(column.type) else pa.map_(pa.binary(), pa.binary())
        parts = column.cast(nested).to_pylist()
        rows = [row for row, value in enumerate(parts) if not all(map(_decodes, _flat(value or ())))]
        _note(bad, np.array(rows, np.int64), "invalid_utf8")


def _flat(value: Sequence[bytes | tuple[bytes, bytes | None]]) -> list[bytes]:
    return [piece for item in value for piece in (item if isinstance(item, tuple) else (item,)) if piece is not None]


def _is_unicode(column: pa.Array) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _rows_where(column: pa.StringArray, wrong: Callable[[bytes], bool]) -> Int64Array:
    texts = column.cast(pa.binary()).to_pylist()
    rows = [row for row, text in enumerate(texts) if text is not None and wrong(text)]
    return np.array(rows, np.int64)


def _decodes(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
