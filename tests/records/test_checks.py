from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.records.checks import MAX_ID_BYTES, bad_rows

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BROKEN = pa.array([b"ok", b"\xff"]).view(pa.string())


def reasons(**columns: Any) -> dict[int, str]:
    return bad_rows(pa.RecordBatch.from_pydict(columns), NOW)


@pytest.mark.parametrize("name", ["exchange_id", "account_id", "model"])
def test_identifiers(name: str) -> None:
    values = ["ok", None, "", "x" * MAX_ID_BYTES, "x" * (MAX_ID_BYTES + 1), "a\0b", "é"]
    expected = {1: "missing_field", 2: "empty_field", 4: "value_too_long", 5: "nul_byte"}
    assert reasons(**{name: values}) == expected
    assert reasons(**{name: pa.array(values).dictionary_encode()}) == expected
    assert reasons(**{name: pa.array(["", *values]).slice(1)}) == expected


def test_other_text_may_be_null_empty_long_or_hold_a_nul() -> None:
    assert reasons(prompt=[None, "", "x" * 5000, "a\0b"]) == {}


@pytest.mark.parametrize(
    "column",
    [
        BROKEN,
        pa.DictionaryArray.from_arrays(pa.array([0, 1]), BROKEN),
        pa.ListArray.from_arrays([0, 1, 2], BROKEN),
        pa.MapArray.from_arrays([0, 1, 2], pa.array(["k", "k"]), BROKEN),
    ],
    ids=["text", "dictionary", "list", "map"],
)
def test_bytes_that_are_no_text(column: pa.Array) -> None:
    assert reasons(user_agent=column) == {1: "invalid_utf8"}


def test_empty_batch() -> None:
    assert reasons(exchange_id=pa.array([], pa.string()), ts=pa.array([], pa.timestamp("us", "UTC"))) == {}


def test_the_first_reason_counts() -> None:
    times = pa.array([datetime(2014, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    assert reasons(exchange_id=[""], ts=times) == {0: "empty_field"}


@given(st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)), max_size=8))  # noqa: DTZ001  # made UTC below
def test_times(moments: list[datetime]) -> None:
    aware = [moment.replace(tzinfo=UTC) for moment in moments]
    expected = {}
    for row, moment in enumerate(aware):
        if moment > NOW + timedelta(days=1):
            expected[row] = "timestamp_future"
        elif moment < datetime(2015, 1, 1, tzinfo=UTC):
            expected[row] = "timestamp_before_2015"
    assert reasons(ts=pa.array(aware, pa.timestamp("us", "UTC"))) == expected
