"""Conformance kits for plug-ins: an adapter that passes here keeps what `read_logs` relies on.

Example:
    def test_adapter() -> None:
        check_adapter(MyAdapter(), [{"when": "2026-05-01T10:00:00Z", ...}])
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from stillwatch.errors import RecordError
from stillwatch.records.adapters.base import EMITTER, Adapter
from stillwatch.records.exchange import EXCHANGE_SCHEMA
from stillwatch.records.reasons import REASONS
from stillwatch.records.row import to_batch, to_row

Record = Mapping[str, Any]
Exchange = dict[str, Any]

UNKNOWN = "a-value-that-no-field-has"
_JUNK: tuple[Any, ...] = (None, "", "junk", 5, -1.5, True, [], [5], {}, {"junk": [None]}, "{", "[1", 10**30)
_STAND_INS = {"account_id": "acct", "model": "model"}


class ConformanceError(AssertionError):
    """An adapter does not keep the contract of `stillwatch.records.adapters.base.Adapter`."""


def check_adapter(
    adapter: Adapter,
    good_records: Sequence[Record],
    *,
    with_unknown: Callable[[Record, str], Record] | None = None,
    keeps_unknown: bool = True,
) -> list[Exchange]:
    """Check that an adapter keeps its contract, and return the exchanges of the good records.

    Checked are: it recognises the records and leaves them as they are; each exchange becomes a row of the schema;
    it fills no field that it does not declare; unknown fields are kept in `extra`; whatever value of a record is
    replaced by whatever other, it gives exchanges or raises `RecordError` with a reason of the closed list.

    Args:
        adapter: the adapter under test.
        good_records: real records of its format, as many kinds as there are.
        with_unknown: returns a copy of a record with a value added under a name that the format does not know;
            by default at the top.
        keeps_unknown: False for text formats, whose lines have no place for an unknown field.

    Raises:
        ConformanceError: says which rule is broken, and by which record.
    """
    exchanges: list[Exchange] = []
    for record in good_records:
        before = copy.deepcopy(record)
        _require(adapter.recognises(record), f"{adapter.name} does not recognise {record!r:.200}")
        found = list(adapter.convert(record))
        _require(record == before, f"{adapter.name} changes the record that it reads")
        _require(bool(found), f"{adapter.name} finds no exchange in {record!r:.200}")
        _check_rows(adapter, found)
        exchanges += found
        if keeps_unknown:
            _check_unknown(adapter, (with_unknown or _at_the_top)(before, UNKNOWN))
        for broken in _broken(record):
            _check_broken(adapter, broken)
    _check_broken(adapter, {})
    return exchanges


def _check_rows(adapter: Adapter, exchanges: Sequence[Exchange]) -> None:
    declared = adapter.fills | {"extra"}
    _require(declared <= set(EXCHANGE_SCHEMA.names), f"{adapter.name} declares fields that do not exist")
    for exchange in exchanges:
        filled = {name for name, value in exchange.items() if value is not None and name != EMITTER}
        _require(filled <= declared, f"{adapter.name} fills {sorted(filled - declared)}, which it does not declare")
        row = to_row(_STAND_INS | {name: exchange[name] for name in filled})
        batch = to_batch([row])
        kept = {name for name in filled if batch.column(name)[0].as_py() is not None}
        _require(kept == filled, f"{adapter.name}: {sorted(filled - kept)} did not reach the row")


def _check_unknown(adapter: Adapter, record: Record) -> None:
    extras = [str(exchange.get("extra")) for exchange in adapter.convert(record)]
    _require(any(UNKNOWN in extra for extra in extras), f"{adapter.name} drops an unknown field")


def _check_broken(adapter: Adapter, record: Record) -> None:
    try:
        for exchange in adapter.convert(record):
            to_row(_STAND_INS | {name: value for name, value in exchange.items() if value is not None})
    except RecordError as error:
        _require(error.reason in REASONS, f"{adapter.name} gives the unknown reason {error.reason!r}")
    except Exception as error:
        raise ConformanceError(f"{adapter.name} raises {error!r} for {record!r:.400}") from error


def _at_the_top(record: Record, value: str) -> Record:
    return {**record, "stillwatch-unknown": value}


def _broken(value: Any) -> Iterator[Any]:
    """Yield copies of a value in which one part, at any depth, is replaced or missing."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            rest = {name: part for name, part in value.items() if name != key}
            yield rest
            yield from ({**value, key: changed} for changed in (*_JUNK, *_broken(inner)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            for changed in (*_JUNK, *_broken(inner)):
                yield [*value[:index], changed, *value[index + 1 :]]


def _require(holds: bool, message: str) -> None:  # noqa: FBT001  # reads like an assertion
    if not holds:
        raise ConformanceError(message)
