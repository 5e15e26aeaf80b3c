import json
from typing import Any

import pytest
from tests.sharing.hubs import BANDS, DAY, NOW

from stillwatch.sharing.indicators import indicators_in
from stillwatch.sharing.objects import build, patterns
from stillwatch.sharing.objects.build import Origin
from stillwatch.sharing.objects.extensions import Harvest
from stillwatch.sharing.received import Received

MEMBER = "identity--0b1c6f1e-9a55-4a3e-8a53-0f6a3a6a6f10"
ORIGIN = Origin(created_by=MEMBER, at=NOW, confidence="high")


def received(body: dict[str, Any], source: str | None = MEMBER) -> Received:
    return Received("0", body["id"], body["type"], "", json.dumps(body).encode(), source)


def indicator(until_s: float = NOW + DAY, bands: tuple[str, ...] = BANDS) -> dict[str, Any]:
    return build.indicator(
        ORIGIN,
        name="Prompt frame",
        pattern=patterns.template_pattern(BANDS),
        valid_from=NOW - DAY,
        valid_until=until_s,
        harvest=Harvest(template_bands=bands, circumvention=("false-identity",)),
    )


def test_an_indicator_is_read_with_its_campaign() -> None:
    body = indicator()
    campaign = build.new_id("campaign")
    tie = build.relationship(ORIGIN, source=body["id"], kind="indicates", target=campaign)
    (found,) = indicators_in([received(tie), received(body)], set(), NOW)
    assert found.template_bands == BANDS
    assert found.campaign_ref == campaign
    assert found.source == MEMBER
    assert found.confidence == "high"
    assert found.circumvention == ("false-identity",)


def test_what_lapsed_was_revoked_or_is_disputed_is_left_out() -> None:
    lapsed, revoked, disputed = indicator(NOW - 1), indicator(), indicator()
    taken_back = build.revoke(revoked, at=NOW + 1)
    rows = [received(one) for one in (lapsed, taken_back, disputed)]
    assert list(indicators_in(rows, {disputed["id"]}, NOW)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"extensions": {}},
        {"extensions": "none"},
        {"valid_until": "soon"},
        {"type": "malware"},
    ],
)
def test_what_is_no_such_indicator_is_passed_over(change: dict[str, Any]) -> None:
    body = {**indicator(), **change}
    assert list(indicators_in([received(body)], set(), NOW)) == []


@pytest.mark.parametrize("stated", [None, 0, 7, "sure", [85]])
def test_a_confidence_that_is_not_stated_is_low(stated: object) -> None:
    (found,) = indicators_in([received({**indicator(), "confidence": stated})], set(), NOW)
    assert found.confidence == "low"


def test_bytes_that_are_no_object_are_passed_over() -> None:
    rows = [Received("0", "indicator--x", "indicator", "", raw, MEMBER) for raw in (b"[]", b"{", b'"x"', b"\xff")]
    assert list(indicators_in(rows, set(), NOW)) == []
