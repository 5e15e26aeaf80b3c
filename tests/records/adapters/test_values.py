from datetime import UTC, datetime
from typing import Any

import pytest

from stillwatch.errors import RecordError
from stillwatch.records.adapters.values import (
    derived_id,
    extra_of,
    first,
    from_epoch,
    mapping,
    milliseconds,
    sequence,
    string,
    whole,
)


def test_first_and_string() -> None:
    assert (first(None, "", 0, 1), first(None, ""), string(None, ""), string("", 5)) == (0, None, "", "5")


@pytest.mark.parametrize(("value", "expected"), [(None, {}), ("", {}), ({"a": 1}, {"a": 1}), ('{"a": 1}', {"a": 1})])
def test_mapping(value: Any, expected: Any) -> None:
    assert mapping(value, "x") == expected


@pytest.mark.parametrize(("value", "expected"), [(None, []), ("", []), ([1], [1]), ("[1]", [1])])
def test_sequence(value: Any, expected: Any) -> None:
    assert sequence(value, "x") == expected


@pytest.mark.parametrize("value", [5, "text", "{broken", True])
def test_wrong_shapes_are_told(value: Any) -> None:
    for read in (mapping, sequence):
        with pytest.raises(RecordError, match="x: expected"):
            read(value, "x")


@pytest.mark.parametrize("value", ["junk", [], 10**400])
def test_no_number(value: Any) -> None:
    with pytest.raises(RecordError):
        milliseconds(value, "x")


def test_numbers() -> None:
    assert (milliseconds("1.5", "x", per_unit=1000), milliseconds("-", "x"), milliseconds(2.4, "x")) == (1500, None, 2)
    assert (whole("12", "x"), whole("-", "x"), whole(None, "x"), whole(3, "x")) == (12, None, None, 3)
    with pytest.raises(RecordError):
        whole("1.5", "x")


def test_epoch() -> None:
    assert from_epoch(1.5, "x") == datetime(1970, 1, 1, 0, 0, 1, 500000, UTC)
    for wrong in (True, "1", 1e300, float("nan")):
        with pytest.raises(RecordError):
            from_epoch(wrong, "x")


def test_derived_id_depends_on_content_not_on_order() -> None:
    assert derived_id({"a": 1, "b": 2}) == derived_id({"b": 2, "a": 1}) != derived_id({"a": 1})


def test_extra_of() -> None:
    record = {"used": 1, "kept": "k", "list": [1], "empty": "", "none": None, "Cookie": "s", "no": False}
    assert extra_of(record, {"used"}, "p.") == {"p.kept": "k", "p.list": "[1]", "p.no": "false"}
