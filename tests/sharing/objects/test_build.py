import json
import re
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sharing.objects.factories import ACCOUNT, DAY, MEMBER, NOW, campaign, everything, indicator, origin, sighting

from stillwatch.errors import UsageError
from stillwatch.sharing.objects import build
from stillwatch.sharing.objects.extensions import Harvest
from stillwatch.sharing.objects.tlp import MARKING_ID, Tlp
from stillwatch.sharing.objects.validate import ObjectValidator

VALIDATOR = ObjectValidator()
OBSERVABLES = {"user-account", "ipv4-addr", "ipv6-addr", "domain-name", "autonomous-system"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.mark.parametrize("body", everything(), ids=lambda body: body["type"])
def test_what_is_built_is_valid(body: dict[str, Any]) -> None:
    assert VALIDATOR.errors(build.canonical(body), body) == []


@pytest.mark.parametrize("body", everything(), ids=lambda body: body["type"])
def test_house_rules_of_every_object(body: dict[str, Any]) -> None:
    assert body["spec_version"] == "2.1"
    assert body["object_marking_refs"] == [MARKING_ID[Tlp.AMBER_STRICT]]
    version = uuid.UUID(body["id"].partition("--")[2]).version
    if body["type"] in OBSERVABLES:
        assert version == 5
    else:
        assert body["created_by_ref"] == MEMBER
        assert body["id"] == MEMBER or version == 4
        assert TIME.fullmatch(body["created"])


@pytest.mark.parametrize("seconds", [0.0, 0.9996, 1.0004, NOW, NOW + 0.123])
def test_times_have_milliseconds(seconds: float) -> None:
    assert TIME.fullmatch(build.timestamp(seconds))


def test_times_are_rounded_to_the_nearest_millisecond() -> None:
    assert build.timestamp(0.9996) == "1970-01-01T00:00:01.000Z"


def test_an_observable_has_one_id_whoever_makes_it() -> None:
    assert build.address("192.0.2.1")["id"] == build.address("192.0.2.1", tlp=Tlp.RED)["id"]
    assert build.user_account(ACCOUNT, user_id="a")["id"] != build.user_account(ACCOUNT, user_id="b")["id"]


def test_an_observables_id_is_that_of_the_standard() -> None:
    name = '{"value":"198.51.100.3"}'
    expected = uuid.uuid5(uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7"), name)
    assert build.address("198.51.100.3")["id"] == f"ipv4-addr--{expected}"


def test_confidence_is_on_the_scale_of_the_standard() -> None:
    assert campaign()["confidence"] == 50
    assert "confidence" not in build.note(origin(confidence=None), content="x", refs=[MEMBER])


def test_an_indicator_expires() -> None:
    assert indicator()["valid_until"] > indicator()["valid_from"]
    for end in (NOW, NOW - DAY):
        with pytest.raises(UsageError, match="expires"):
            indicator(valid_until=end)


def test_time_does_not_run_backwards() -> None:
    with pytest.raises(UsageError, match="last seen"):
        campaign(last_seen=NOW - 10 * DAY)


def test_nothing_is_said_by_nobody() -> None:
    with pytest.raises(UsageError, match="producer"):
        origin(created_by="campaign--4f9d9c1e-0c6f-4f0e-8a51-6a8f4f0a9b11")


@pytest.mark.parametrize("kind", ["identity", "intrusion-set", "threat-actor"])
def test_nobody_is_put_to_opinions_or_sightings(kind: str) -> None:
    """Invariant 1: no vote on an entity."""
    with pytest.raises(UsageError, match="not on somebody"):
        build.opinion(origin(), word="agree", refs=[campaign()["id"], build.new_id(kind)])
    with pytest.raises(UsageError, match="not of somebody"):
        sighting(build.new_id(kind))


def test_a_count_leaves_as_the_least_of_its_band() -> None:
    assert sighting(campaign()["id"])["count"] == 10


def test_what_is_empty_is_left_out() -> None:
    bare = campaign(techniques=[], harvest=Harvest(), description=None)
    assert not bare.keys() & {"external_references", "description"}
    assert not any(value in (None, [], {}) for value in bare.values())


def test_a_revision_keeps_what_it_revises() -> None:
    first = campaign(description="one")
    second = build.revise(first, at=NOW + 1, description=None, name="campaign 2")
    assert (second["id"], second["created"], second["name"]) == (first["id"], first["created"], "campaign 2")
    assert second["modified"] > first["modified"]
    assert "description" not in second
    assert first["description"] == "one"


def test_a_revision_is_later() -> None:
    with pytest.raises(UsageError, match="later"):
        build.revise(campaign(), at=NOW, name="x")


def test_a_revoked_object_stays_revoked() -> None:
    gone = build.revoke(campaign(), at=NOW + 1)
    assert gone["revoked"] is True
    with pytest.raises(UsageError, match="revoked"):
        build.revise(gone, at=NOW + 2)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.randoms())
def test_canonical_bytes_depend_on_content_alone(body: dict[str, Any], random: Any) -> None:
    try:
        first = build.canonical(body)
    except UsageError:  # lone surrogates
        return
    names = list(body)
    random.shuffle(names)
    assert build.canonical({name: body[name] for name in names}) == first
    assert build.canonical(json.loads(first)) == first


@pytest.mark.parametrize("value", [2**53 + 1, float("nan"), "\ud800"])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match="canonical"):
        build.canonical({"name": value})
