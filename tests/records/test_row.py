from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import RecordError
from stillwatch.records.exchange import EXCHANGE_SCHEMA
from stillwatch.records.reasons import REASONS
from stillwatch.records.row import decode_object, decode_row, to_batch, to_row, to_timestamp

GOOD: dict[str, Any] = {"exchange_id": "e", "ts": "2026-05-01T10:00:00Z", "account_id": "a", "model": "m"}


def reason_of(record: dict[str, Any]) -> str:
    with pytest.raises(RecordError) as caught:
        to_row(record)
    return caught.value.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"account_id": 5}, "wrong_type"),
        ({"prompt": 5}, "wrong_type"),
        ({"prompt": ["a"]}, "wrong_type"),
        ({"turn": "1"}, "wrong_type"),
        ({"turn": True}, "wrong_type"),
        ({"turn": 1.5}, "wrong_type"),
        ({"stream": 1}, "wrong_type"),
        ({"tool_names": "a"}, "wrong_type"),
        ({"tool_names": [1]}, "wrong_type"),
        ({"temperature": "warm"}, "wrong_type"),
        ({"extra": "a"}, "wrong_type"),
        ({"sketch": {"unknown": 1}}, "wrong_type"),
        ({"seed": 2**63}, "number_out_of_range"),
        ({"ts": 5}, "wrong_type"),
        ({"ts": "yesterday"}, "timestamp_invalid"),
        ({"ts": "2026-05-01"}, "timestamp_invalid"),
        ({"ts": "2026-05-01T10:00:00"}, "timestamp_no_zone"),
        ({"model": None}, "missing_field"),
    ],
)
def test_reasons(change: dict[str, Any], reason: str) -> None:
    assert reason_of(GOOD | change) == reason


@pytest.mark.parametrize("name", GOOD)
def test_required_fields(name: str) -> None:
    assert reason_of({key: value for key, value in GOOD.items() if key != name}) == "missing_field"


def test_whole_floats_and_whole_numbers_pass() -> None:
    row = to_row(GOOD | {"turn": 2.0, "temperature": 1})
    assert (row.turn, row.temperature) == (2, 1.0)
    assert isinstance(row.turn, int)


def test_unknown_fields_and_odd_values_of_extra_are_kept_as_json() -> None:
    row = to_row(GOOD | {"colour": "red", "sizes": [1, 2], "nothing": None, "extra": {"a": 1, "b": None}})
    assert row.extra == {"colour": "red", "sizes": "[1,2]", "a": "1"}


def test_a_zone_is_given_only_where_there_is_none() -> None:
    zone = timezone(timedelta(hours=2))
    assert to_timestamp("2026-05-01T10:00:00", zone) == datetime(2026, 5, 1, 8, tzinfo=UTC)
    assert to_timestamp("2026-05-01T10:00:00Z", zone) == datetime(2026, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": "\xff"}', "invalid_utf8"),
        (b'{"a": "\\ud83d"}', "invalid_utf8"),
        (b'{"a": "b\0"}', "nul_byte"),
        (b'{"a": ', "invalid_json"),
        (b'{"a": "\\ud83d" ', "invalid_json"),
        (b'{"a": NaN}', "invalid_json"),
        (b"plain text", "invalid_json"),
        (b"[1]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "too_deep"),
    ],
)
def test_reasons_of_lines(line: bytes, reason: str) -> None:
    with pytest.raises(RecordError) as caught:
        decode_object(line)
    assert caught.value.reason == reason


def test_the_quick_and_the_careful_way_agree() -> None:
    line = (
        b'{"exchange_id":"e","ts":"2026-05-01T12:00:00+02:00","account_id":"a","model":"m","turn":3,"extra":{"k":"v"}}'
    )
    quick, careful = decode_row(line), to_row(decode_object(line))
    assert quick == careful
    assert to_batch([quick]).column("ts")[0].as_py() == datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert to_batch([]).num_rows == 0


def test_the_last_day_of_the_calendar_does_not_leave_it() -> None:
    row = to_row(GOOD | {"ts": "9999-12-31T23:59:59-10:00"})
    assert to_batch([row]).num_rows == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(EXCHANGE_SCHEMA.names) | st.text(max_size=5), json_values, max_size=8))
def test_any_object_is_a_row_or_has_a_reason(record: dict[str, Any]) -> None:
    reason, rows = "", 0
    try:
        rows = to_batch([to_row(GOOD | record)]).num_rows
    except RecordError as error:
        reason = error.reason
    assert rows == 1 or reason in REASONS


@given(st.binary(max_size=60))
def test_any_line_is_an_object_or_has_a_reason(line: bytes) -> None:
    found: object = None
    try:
        found = decode_object(line)
    except RecordError as error:
        found = error.reason
    assert isinstance(found, dict) or found in REASONS
