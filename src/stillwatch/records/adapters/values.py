"""Careful access to foreign records: what is absent is None, what has the wrong shape is a `RecordError`."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from stillwatch.errors import RecordError
from stillwatch.records.row import as_text
from stillwatch.records.secrets import SECRET_NAMES, without_secrets

Fields = dict[str, Any]


def first(*values: Any) -> Any:
    """Return the first value that says something: neither None nor the empty string."""
    return next((value for value in values if value is not None and value != ""), None)


def string(*values: Any) -> str:
    """Return the first value that says something as text; the empty text where there is none."""
    found = first(*values)
    return "" if found is None else str(found)


def mapping(value: Any, name: str) -> Mapping[str, Any]:
    """Return an object, which some logs write as a JSON string; an empty one where there is none.

    Raises:
        RecordError: the value is something else.
    """
    value = _decoded(value)
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping):
        raise RecordError("wrong_type", f"{name}: expected an object, got {type(value).__name__}")
    return value


def sequence(value: Any, name: str) -> list[Any]:
    """Return a list, which some logs write as a JSON string; an empty one where there is none.

    Raises:
        RecordError: the value is something else.
    """
    value = _decoded(value)
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        raise RecordError("wrong_type", f"{name}: expected a list, got {type(value).__name__}")
    return value


def _decoded(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return msgspec.json.decode(value)
        except (msgspec.MsgspecError, RecursionError):
            return value
    return value


def from_epoch(seconds: Any, name: str) -> datetime:
    """Return the moment so many seconds after 1970.

    Raises:
        RecordError: no number, or outside the calendar.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise RecordError("wrong_type", f"{name}: expected seconds since 1970, got {type(seconds).__name__}")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise RecordError("timestamp_invalid", f"{name}: {seconds} is outside the calendar") from error


def milliseconds(value: Any, name: str, *, per_unit: float = 1.0) -> int | None:
    """Return a duration in whole milliseconds, given as number or digits in units of `per_unit` ms.

    Raises:
        RecordError: the value is no number.
    """
    value = first(value)
    if value is None or value == "-":
        return None
    try:
        return round(float(value) * per_unit)
    except (TypeError, ValueError, OverflowError) as error:
        raise RecordError("wrong_type", f"{name}: expected a number, got {value!r:.40}") from error


def whole(value: Any, name: str) -> int | None:
    """Return a whole number that some logs write as digits; None for the absent marks `-` and empty.

    Raises:
        RecordError: the value is something else.
    """
    value = first(value)
    if value is None or value == "-":
        return None
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError as error:
            raise RecordError("wrong_type", f"{name}: expected a whole number, got {value[:40]!r}") from error
    return value  # type: ignore[no-any-return]  # to_row judges its type


def hash_handle(handle: str) -> str:
    """Return the hash by which an opaque reasoning token is told from others."""
    return hashlib.blake2b(handle.encode(), digest_size=16).hexdigest()


def derived_id(*parts: Any) -> str:
    """Return an id made from a record's own content, for formats that give their records none."""
    content = msgspec.json.encode(parts, order="sorted")
    return "sha-" + hashlib.blake2b(content, digest_size=16).hexdigest()


def extra_of(record: Mapping[str, Any], used: Iterable[str], prefix: str = "") -> dict[str, str]:
    """Return what a record carries besides the keys in `used`, as `extra` holds it and without secrets."""
    skip = frozenset(used) | SECRET_NAMES
    return {
        prefix + str(key): as_text(without_secrets(value))
        for key, value in record.items()
        if str(key).lower() not in skip and key not in skip and value is not None and value not in ("", {}, [])
    }
