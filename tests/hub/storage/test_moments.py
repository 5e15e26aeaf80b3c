from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.hub.storage.moments import added_text, any_moment, parse_moment, version_text

moments = st.integers(0, 253_402_300_799_999_999)


@given(moments)
def test_a_moment_is_read_as_it_was_written(moment: int) -> None:
    assert parse_moment(added_text(moment)) == moment
    assert parse_moment(version_text(moment)) == moment


@given(moments)
def test_a_version_has_three_decimals_where_they_are_enough(moment: int) -> None:
    assert len(version_text(moment)) == (24 if moment % 1000 == 0 else 27)


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=st.timezones()))  # noqa: DTZ001 - hypothesis adds one
def test_it_reads_what_python_writes(when: datetime) -> None:
    offset = when.utcoffset()
    if offset is None or offset.total_seconds() % 60:
        return
    whole = when.astimezone(UTC)
    expected = (whole - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert parse_moment(when.isoformat()) == expected


@given(st.text(alphabet="0123456789-:.TZ+", max_size=40) | st.text())
def test_it_never_fails(text: str) -> None:
    parse_moment(text)
    any_moment(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00+24:00",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+01:00",
        "٢٠٢٦-01-01T00:00:00Z",
    ],
)
def test_what_is_no_moment(text: str) -> None:
    assert parse_moment(text) is None


def test_a_leap_second_is_the_one_before() -> None:
    assert parse_moment("2016-12-31T23:59:60Z") == parse_moment("2016-12-31T23:59:59Z")


def test_decimals_beyond_the_sixth_are_cut() -> None:
    assert parse_moment("1970-01-01T00:00:00.1234569Z") == 123456


def test_long_ago_is_before_zero() -> None:
    assert any_moment("1969-12-31T23:59:59.5Z") == -500_000
    assert (any_moment("0001-01-01T00:00:00Z") or 0) < 0
    assert any_moment("0000-12-31T00:00:00Z") is None
