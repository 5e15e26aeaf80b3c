import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.records.indicators import indicator, indicator_id, write

from stillwatch.detection.findings.model import ACTIONS
from stillwatch.errors import UsageError
from stillwatch.records.indicators import ReceivedIndicator, in_force, load_indicators

BAND = "0123456789abcdef"
FULL: dict[str, Any] = {
    "indicator_id": indicator_id(1),
    "campaign_ref": indicator_id(2).replace("indicator", "campaign"),
    "source": "anonymous",
    "template_bands": [BAND],
    "confidence": "moderate",
    "circumvention": ["false-identity"],
    "valid_from": "2026-05-01T00:00:00.000Z",
    "valid_until": "2026-05-02T02:00:00+02:00",
    "sightings": "10-99",
    "cleared": {"rules_version": "1", "log_digest": "a" * 64, "bases": ["ftc-2014"]},
    "received_at": "2026-05-01T10:00:00Z",
}
MIDNIGHT = 1_777_680_000.0  # 2026-05-02


def told(tmp_path: Path, *lines: bytes) -> str:
    path = tmp_path / "received.jsonl"
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(UsageError) as raised:
        load_indicators(path)
    return str(raised.value)


def test_what_was_pulled_is_read_in_file_order(tmp_path: Path) -> None:
    path = tmp_path / "received.jsonl"
    path.write_bytes(msgspec.json.encode(FULL) + b"\n\n" + msgspec.json.encode(indicator(5)) + b"\n")
    first, second = load_indicators(path)
    assert (first.template_bands, first.confidence, second.indicator_id) == ((BAND,), "moderate", indicator_id(5))
    assert (second.template_bands, second.campaign_ref, second.sightings, second.received_at) == ((), None, None, None)
    assert load_indicators(write(tmp_path / "again.jsonl", (first, second))) == (first, second)


def test_it_holds_from_its_beginning_until_before_its_end() -> None:
    one = msgspec.convert(FULL, ReceivedIndicator)
    assert one.holds(MIDNIGHT - 86_400)
    assert one.holds(MIDNIGHT - 0.001)
    assert not one.holds(MIDNIGHT)
    assert not one.holds(MIDNIGHT - 86_401)
    assert in_force([one, indicator()], MIDNIGHT) == [indicator()]


def test_it_has_no_word_for_an_action(tmp_path: Path) -> None:
    fields = {field.name for field in msgspec.structs.fields(ReceivedIndicator)}
    assert not fields & {"action", "recommended_action", "verdict", "block", "threshold", "vote", "do"}
    path = tmp_path / "received.jsonl"
    for action in ACTIONS:
        path.write_bytes(msgspec.json.encode({**FULL, "action": action}))
        assert load_indicators(path) == (msgspec.convert(FULL, ReceivedIndicator),)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"indicator_id": "campaign--x"}, "indicator_id"),
        ({"indicator_id": indicator_id(1) + "\n"}, "indicator_id"),
        ({"source": "a b"}, "source"),
        ({"confidence": "certain"}, "confidence"),
        ({"confidence": 85}, "confidence"),
        ({"template_bands": ["0"]}, "template_bands"),
        ({"template_bands": [BAND + "\n"]}, "template_bands"),
        ({"template_bands": None}, "template_bands"),
        ({"valid_until": "2026-05-02T00:00:00"}, "valid_until"),
        ({"valid_until": None}, "valid_until"),
        ({"sightings": "many"}, "sightings"),
        ({"cleared": {"rules_version": "1"}}, "log_digest"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    message = told(tmp_path, msgspec.json.encode(indicator(7)), msgspec.json.encode({**FULL, **changes}))
    assert "received.jsonl:2" in message
    assert said in message


@pytest.mark.parametrize("line", [b"nonsense", b"[]", b"\xff", b"\x1f\x8b\x08broken", b'{"indicator_id":"\\u0000"}'])
def test_what_is_no_record_is_told(tmp_path: Path, line: bytes) -> None:
    assert "received.jsonl:1" in told(tmp_path, line)


def test_an_indicator_stands_once(tmp_path: Path) -> None:
    one = msgspec.json.encode(indicator(7))
    assert f"received.jsonl:2: {indicator_id(7)} stands here twice" in told(tmp_path, one, one)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.jsonl does not exist"):
        load_indicators(tmp_path / "none.jsonl")


def test_a_file_that_goes_away_while_it_is_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: Path) -> list[object]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("stillwatch.records.listed.read_lines", gone)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        load_indicators(write(tmp_path / "received.jsonl", []))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda s: st.dictionaries(st.sampled_from([*FULL]), s)
    )
)
def test_no_line_is_too_odd(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "odd.jsonl"
    path.write_bytes(msgspec.json.encode({**FULL, **value} if isinstance(value, dict) else value))
    try:
        (one,) = load_indicators(path)
    except UsageError:
        return
    assert isinstance(one, ReceivedIndicator)


def test_every_field_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "files.md").read_text("utf-8")
    table = page.partition("<!-- fields: ReceivedIndicator -->")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall("`([a-z_]+)`", row)}
    assert named == {field.name for field in msgspec.structs.fields(ReceivedIndicator)}
