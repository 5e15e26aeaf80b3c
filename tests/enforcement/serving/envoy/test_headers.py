import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.enforcement.model import DecideRequest
from stillwatch.enforcement.service import Service
from stillwatch.enforcement.serving.envoy.headers import MOST_BUFFERED, fits, metadata, read, to_remove, to_set
from stillwatch.enforcement.serving.envoy.headers_pb2 import Header, HeaderToSet

NAMES = st.text("abcxyz-", min_size=1, max_size=10)
VALUES = st.text(st.characters(max_codepoint=255), max_size=20)


@given(st.dictionaries(NAMES, VALUES, max_size=5), st.sampled_from(["value", "raw_value"]))
def test_headers_survive(headers: dict[str, str], field: str) -> None:
    wanted = to_set(headers, "value" if field == "value" else "raw_value")
    assert read(one.header for one in wanted) == headers
    assert all(one.append_action == HeaderToSet.OVERWRITE for one in wanted)
    assert all(not getattr(one.header, {"value": "raw_value", "raw_value": "value"}[field]) for one in wanted)


def test_a_name_that_no_header_can_hold_is_replaced() -> None:
    [wanted] = to_set({"x-sw-reason": "für €"}, "value")
    assert wanted.header.value == b"f\xfcr ?"


def test_ours_are_removed_unless_they_are_told() -> None:
    sent = read([Header(key=name, value=b"v") for name in (b"X-SW-Odd", b"x-sw-action", b"accept")])
    assert to_remove(sent, {"x-sw-action": "allow"}) == [b"x-sw-odd"]


@pytest.mark.parametrize(
    ("length", "does"),
    [
        (None, True),
        ("0", True),
        (str(MOST_BUFFERED), True),
        (str(MOST_BUFFERED + 1), False),
        ("9" * 5000, False),
        *[(odd, False) for odd in ("-1", "1e3", "", "²")],
    ],
)
def test_what_envoy_can_hold(length: str | None, does: bool) -> None:  # noqa: FBT001 - a parameter of this test
    assert fits({} if length is None else {"content-length": length}) == does


def test_metadata_say_how_long_a_refusal_may_be_remembered(service: Service) -> None:
    told = {action: metadata(service.decide(DecideRequest(account_id=action), "t")) for action in ("allow", "block")}
    assert dict(told["allow"]).keys() == {"action", "mode", "decision_id", "reason"}
    assert told["block"]["ttl_s"] == 3600
