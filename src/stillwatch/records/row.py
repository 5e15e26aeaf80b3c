"""One exchange while it is being read: a typed row, and the rules that turn a loose record into one."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Never

import msgspec
import pyarrow as pa

from stillwatch.errors import RecordError
from stillwatch.records.exchange import EXCHANGE_SCHEMA, REQUIRED_FIELDS

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_Int64 = Annotated[int, msgspec.Meta(ge=_INT64_MIN, le=_INT64_MAX)]
_LAST_MOMENT = datetime(9999, 12, 30, tzinfo=UTC)  # beyond it, an offset from UTC leaves the calendar
_HALF_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def _python_type(kind: pa.DataType) -> Any:
    if pa.types.is_struct(kind):
        members = [(field.name, _python_type(field.type) | None, None) for field in kind]
        return msgspec.defstruct("Sketch", members, forbid_unknown_fields=True, kw_only=True, gc=False)
    if pa.types.is_integer(kind):
        limit = 2 ** (kind.bit_width - 1)
        return Annotated[int, msgspec.Meta(ge=-limit, le=limit - 1)]
    simple: list[tuple[Callable[[pa.DataType], bool], Any]] = [
        (pa.types.is_string, str),
        (pa.types.is_timestamp, Annotated[datetime, msgspec.Meta(tz=True)]),
        (pa.types.is_floating, float),
        (pa.types.is_boolean, bool),
        (pa.types.is_list, list[str]),
        (pa.types.is_map, dict[str, str]),
        (pa.types.is_fixed_size_binary, bytes),
    ]
    return next(python for matches, python in simple if matches(kind))


_PYTHON_TYPES = {field.name: _python_type(field.type) for field in EXCHANGE_SCHEMA}
Row: Any = msgspec.defstruct(
    "Row",
    [(name, kind) for name, kind in _PYTHON_TYPES.items() if name in REQUIRED_FIELDS]
    + [(name, kind | None, None) for name, kind in _PYTHON_TYPES.items() if name not in REQUIRED_FIELDS],
    forbid_unknown_fields=True,
    kw_only=True,
    gc=False,
)
"""A struct with one attribute per field of EXCHANGE_SCHEMA; only what the types cannot say is unchecked."""

_decode_row = msgspec.json.Decoder(Row).decode
_decode_any = msgspec.json.Decoder().decode


def decode_row(line: bytes) -> Any:
    """Decode one line of native JSON Lines the quick way.

    Raises:
        msgspec.MsgspecError, UnicodeDecodeError, RecursionError: the line is not in the plain native form; it
            may still be a good record (unknown fields, whole floats), which `decode_object` and `to_row` tell.
    """
    return _decode_row(line)


def decode_object(line: bytes) -> dict[str, Any]:
    """Decode one line of JSON to an object.

    Raises:
        RecordError: with the exact reason.
    """
    if b"\0" in line:
        raise RecordError("nul_byte", "the line holds a NUL byte")
    try:
        record = _decode_any(line)
    except UnicodeDecodeError as error:
        raise RecordError("invalid_utf8", "the line is not UTF-8") from error
    except RecursionError as error:
        raise RecordError("too_deep", "the line is nested too deeply") from error
    except msgspec.MsgspecError as error:
        _explain_bad_json(line, error)
    if not isinstance(record, dict):
        raise RecordError("not_an_object", f"expected a JSON object, got {type(record).__name__}")
    return record


def to_row(record: Mapping[str, Any], zone: tzinfo | None = None) -> Any:
    """Turn a record with the names of EXCHANGE_SCHEMA into a `Row`; what has no field there goes to `extra`.

    Args:
        record: values by field name.
        zone: time zone of timestamps that carry none; without it such a timestamp is an error.

    Raises:
        RecordError: a required field is missing, or a value cannot be what its field needs.
    """
    try:
        return msgspec.convert(record, Row)
    except msgspec.ValidationError:
        return _to_row_carefully(record, zone)


def _to_row_carefully(record: Mapping[str, Any], zone: tzinfo | None) -> Any:
    fields: dict[str, Any] = {}
    extra: dict[str, str] = {}
    for name, value in record.items():
        if value is None or name == "extra":
            continue
        if name == "ts":
            fields[name] = to_timestamp(value, zone)
        elif name in _PYTHON_TYPES:
            fields[name] = _to_field(name, value)
        else:
            extra[name] = as_text(value)
    for name in REQUIRED_FIELDS:
        if name not in fields:
            raise RecordError("missing_field", f"{name} is missing")
    given = record.get("extra")
    if given is not None:
        if not isinstance(given, Mapping):
            raise RecordError("wrong_type", f"extra: expected an object, got {type(given).__name__}")
        extra |= {str(name): as_text(value) for name, value in given.items() if value is not None}
    return Row(**fields, extra=extra or None)


def _to_field(name: str, value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and _PYTHON_TYPES[name] == _Int64:
        value = int(value)
    try:
        return msgspec.convert(value, _PYTHON_TYPES[name])
    except msgspec.ValidationError as error:
        outside = isinstance(value, int) and not isinstance(value, bool) and _PYTHON_TYPES[name] == _Int64
        reason = "number_out_of_range" if outside else "wrong_type"
        raise RecordError(reason, f"{name}: {error}") from error


def to_timestamp(value: Any, zone: tzinfo | None = None) -> datetime:
    """Read a timestamp: RFC 3339 text, or a datetime.

    Raises:
        RecordError: no timestamp, or one without a zone where `zone` is None.
    """
    if isinstance(value, str):
        try:
            moment = msgspec.convert(value, datetime)
        except msgspec.ValidationError as error:
            raise RecordError("timestamp_invalid", f"{value[:40]!r} is not an RFC 3339 timestamp") from error
    elif isinstance(value, datetime):
        moment = value
    else:
        raise RecordError("wrong_type", f"ts: expected RFC 3339 text, got {type(value).__name__}")
    if moment.tzinfo is None:
        if zone is None:
            raise RecordError("timestamp_no_zone", f"{str(value)[:40]!r} has no time zone")
        moment = moment.replace(tzinfo=zone)
    return moment


def as_text(value: Any) -> str:
    """Return a value as `extra` holds it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def to_batch(rows: Sequence[Any]) -> pa.RecordBatch:
    """Build an Arrow batch (EXCHANGE_SCHEMA) of rows."""
    return pa.RecordBatch.from_arrays([_column(rows, field) for field in EXCHANGE_SCHEMA], schema=EXCHANGE_SCHEMA)


def _column(rows: Sequence[Any], field: pa.Field) -> pa.Array:
    name = field.name
    values: Iterable[Any] = [getattr(row, name) for row in rows]
    if field.name == "ts":
        values = [min(value, _LAST_MOMENT) for value in values]
    elif pa.types.is_struct(field.type):
        values = [None if value is None else msgspec.structs.asdict(value) for value in values]
    return pa.array(values, field.type)


def _explain_bad_json(line: bytes, error: Exception) -> Never:
    if _HALF_SURROGATE.search(line):
        try:
            json.loads(line)
        except (ValueError, RecursionError):
            pass
        else:
            raise RecordError("invalid_utf8", "an escape stands for half a surrogate pair") from error
    raise RecordError("invalid_json", str(error)) from error
