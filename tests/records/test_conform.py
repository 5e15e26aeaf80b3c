from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from stillwatch.errors import RecordError
from stillwatch.records.conform import check_columns, conform, conforms
from stillwatch.records.exchange import EXCHANGE_SCHEMA

REQUIRED = {field.name: field.type for field in EXCHANGE_SCHEMA if not field.nullable}


def schema(**changes: pa.DataType) -> pa.Schema:
    return pa.schema((REQUIRED | changes).items())


def test_the_schema_itself_conforms() -> None:
    assert conforms(EXCHANGE_SCHEMA)
    check_columns(EXCHANGE_SCHEMA)
    batch = pa.RecordBatch.from_pylist([], schema=EXCHANGE_SCHEMA)
    assert conform(batch).schema == EXCHANGE_SCHEMA


def test_names_inside_lists_do_not_matter() -> None:
    assert conforms(schema(tool_names=pa.list_(pa.field("element", pa.string()))))


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": pa.large_string()},
        {"prompt": pa.string_view()},
        {"prompt": pa.null()},
        {"account_id": pa.dictionary(pa.int8(), pa.string())},
        {"turn": pa.int8()},
        {"turn": pa.uint64()},
        {"temperature": pa.int32()},
        {"ts": pa.timestamp("ns", "Europe/Paris")},
        {"tool_names": pa.large_list(pa.large_string())},
        {"extra": pa.map_(pa.large_string(), pa.large_string())},
        {"unknown": pa.int32()},
    ],
)
def test_types_that_can_become_the_fields(change: dict[str, pa.DataType]) -> None:
    assert not conforms(schema(**change))
    check_columns(schema(**change))
    empty = pa.RecordBatch.from_pylist([], schema=schema(**change))
    assert conforms(conform(empty).schema)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"prompt": pa.int32()}, "wrong_column_type"),
        ({"prompt": pa.binary()}, "wrong_column_type"),
        ({"turn": pa.string()}, "wrong_column_type"),
        ({"turn": pa.float64()}, "wrong_column_type"),
        ({"stream": pa.int8()}, "wrong_column_type"),
        ({"ts": pa.int64()}, "wrong_column_type"),
        ({"ts": pa.timestamp("us")}, "timestamp_no_zone"),
        ({"tool_names": pa.list_(pa.int64())}, "wrong_column_type"),
        ({"tool_names": pa.string()}, "wrong_column_type"),
        ({"extra": pa.map_(pa.string(), pa.int64())}, "wrong_column_type"),
        ({"extra": pa.string()}, "wrong_column_type"),
        ({"sketch": pa.struct([("version", pa.int8())])}, "wrong_column_type"),
    ],
)
def test_types_that_cannot(change: dict[str, pa.DataType], reason: str) -> None:
    with pytest.raises(RecordError) as caught:
        check_columns(schema(**change))
    assert caught.value.reason == reason


def test_a_number_that_does_not_fit_is_told() -> None:
    batch = pa.RecordBatch.from_pydict({"seed": pa.array([2**63], pa.uint64())})
    with pytest.raises(RecordError, match="seed"):
        conform(batch)


def test_unknown_columns_join_extra_row_by_row() -> None:
    batch = pa.RecordBatch.from_pydict(
        {
            "extra": pa.array([None, [("k", "v"), ("l", "w")], []], pa.map_(pa.string(), pa.string())),
            "text": pa.array(["a", None, "c"], pa.large_string()),
            "number": [None, 5, None],
            "day": [date(2026, 5, 1), None, None],
            "nested": [{"a": 1, "at": datetime(2026, 5, 1, tzinfo=UTC)}, None, None],
        }
    )
    assert [dict(row) for row in conform(batch).column("extra").to_pylist()] == [
        {"text": "a", "day": "2026-05-01", "nested": '{"a":1,"at":"2026-05-01T00:00:00Z"}'},
        {"k": "v", "l": "w", "number": "5"},
        {"text": "c"},
    ]
