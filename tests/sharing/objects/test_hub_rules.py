"""Invariants 1 to 4 of the hub (docs/reference/stix.md, "What cannot be said"), by name."""

import json
from importlib import resources
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sharing.objects.factories import NOW, campaign, everything, indicator, origin, sighting

from stillwatch.sharing.objects import build
from stillwatch.sharing.objects.extensions import SCHEMA_FILES, definition
from stillwatch.sharing.objects.hub_rules import _asks, refusals
from stillwatch.sharing.objects.tlp import Tlp, marking_definition
from stillwatch.sharing.objects.validate import ObjectValidator

VALIDATOR = ObjectValidator()
OTHERS = "extension-definition--11111111-1111-4111-8111-111111111111"


def sdo(kind: str, **more: Any) -> dict[str, Any]:
    stamp = build.timestamp(NOW)
    head = {"type": kind, "spec_version": "2.1", "id": build.new_id(kind), "created": stamp, "modified": stamp}
    return head | more


def refused(body: dict[str, Any]) -> list[str]:
    """Return why the hub refuses an object that is valid STIX."""
    assert VALIDATOR.errors(msgspec.json.encode(body), body) == []
    return refusals(body)


@pytest.mark.parametrize(
    "body",
    [*everything(), *map(definition, SCHEMA_FILES), *map(marking_definition, Tlp)],
    ids=lambda body: body.get("name", body["type"]),
)
def test_what_we_build_is_carried(body: dict[str, Any]) -> None:
    assert refused(body) == []


@pytest.mark.parametrize(
    "body",
    [
        sdo("threat-actor", name="x", threat_actor_types=["crime-syndicate"], roles=["agent"]),
        sdo("malware", name="x", is_family=True, malware_types=["dropper"]),
        sdo("sighting", sighting_of_ref=campaign()["id"], count=437),
        sdo("opinion", opinion="agree", object_refs=[campaign()["id"]]),
        sdo(
            "relationship",
            relationship_type="attributed-to",
            source_ref=campaign()["id"],
            target_ref=build.new_id("intrusion-set"),
        ),
        indicator() | {"labels": ["safeguard-bypass", "access", "tlp:amber"]},
        indicator(pattern="alert tcp any any -> any any (msg:x; sid:1;)") | {"pattern_type": "snort"},
        indicator(pattern="rule x { condition: true }") | {"pattern_type": "yara"},
        campaign() | {"x_opencti_score": 50, "x_mitre_is_subtechnique": False},
        campaign() | {"extensions": {OTHERS: {"extension_type": "property-extension", "colour": {"shade": ["a"]}}}},
    ],
    ids=lambda body: body["type"],
)
def test_what_other_tools_send_is_carried(body: dict[str, Any]) -> None:
    assert refused(body) == []


@pytest.mark.parametrize("action", ["block", "deny", "standard"])
def test_invariant_1_no_advice_to_block(action: str) -> None:
    assert refused(sdo("course-of-action", name=action))
    mitigation = {"source_ref": build.new_id("course-of-action"), "target_ref": campaign()["id"]}
    assert refused(sdo("relationship", relationship_type="mitigates", **mitigation))


@pytest.mark.parametrize("label", ["block", "Block", "BLOCK:now", "block-all", "deny_access", "blocklist", "ban"])
def test_invariant_1_no_tag_that_says_block(label: str) -> None:
    assert refused(indicator() | {"labels": ["phishing", label]})
    assert refused(indicator() | {"indicator_types": [label]})


@pytest.mark.parametrize("kind", ["snort", "Suricata"])
@pytest.mark.parametrize("verb", ["drop", "reject", "rejectboth", "block", "sdrop"])
def test_invariant_1_no_rule_that_acts(kind: str, verb: str) -> None:
    rules = f"alert tcp any any -> any any (sid:1;)\n  {verb} tcp any any -> any any (sid:2;)"
    assert refused(indicator(pattern=rules) | {"pattern_type": kind})


@pytest.mark.parametrize(
    "name", ["x_block", "x_acme_block", "block_until", "x_acme_shared_threshold", "deny", "x_vote", "verdict"]
)
def test_invariant_1_no_property_for_an_action_or_a_threshold(name: str) -> None:
    assert refused(campaign() | {name: 3})


def property_names(body: Any) -> set[str]:
    if isinstance(body, list):
        return set().union(*map(property_names, body))
    if not isinstance(body, dict):
        return set()
    own = body["properties"] if isinstance(body.get("properties"), dict) else {}
    return set(own).union(*map(property_names, body.values()))


def test_no_property_of_the_standard_is_refused() -> None:
    root = resources.files("stix2validator").joinpath("schemas-2.1", "schemas")
    files = [file for folder in root.iterdir() for file in folder.iterdir()]
    names = set().union(*(property_names(json.loads(file.read_text("utf-8"))) for file in files))
    assert len(names) > 250
    assert not [name for name in names if _asks(name)]


@pytest.mark.parametrize("inner", [{"block": True}, {"rules": [{"threshold": 3}]}, {"abc": {"b": {"votes": 1}}}])
def test_invariant_1_no_foreign_extension_that_says_it(inner: dict[str, Any]) -> None:
    assert refused(campaign() | {"extensions": {OTHERS: {"extension_type": "property-extension", **inner}}})


def test_invariant_1_no_extension_deeper_than_it_is_read() -> None:
    inner: Any = "x"
    for _ in range(20):
        inner = {"a": inner}
    assert refused(campaign() | {"extensions": {OTHERS: {"extension_type": "property-extension", "abc": inner}}})


@pytest.mark.parametrize("kind", ["identity", "intrusion-set", "threat-actor"])
def test_invariant_1_no_vote_on_an_entity(kind: str) -> None:
    refs = [indicator()["id"], build.new_id(kind)]
    assert refused(sdo("opinion", opinion="strongly-disagree", object_refs=refs))
    assert refused(sdo("sighting", sighting_of_ref=build.new_id(kind), count=3))


def test_invariant_1_no_type_made_for_it() -> None:
    assert refused(sdo("block-request", name="x"))
    assert refused(sdo("x-vote", name="x"))
    assert refused(
        sdo("relationship", relationship_type="blocks", source_ref=campaign()["id"], target_ref=indicator()["id"])
    )
    ours = definition(next(iter(SCHEMA_FILES)))
    toplevel = {"extension_types": ["toplevel-property-extension"], "extension_properties": ["block_by"]}
    assert refused(ours | {"id": OTHERS} | toplevel)


def test_invariant_2_an_indicator_says_what_to_look_for_and_nothing_else() -> None:
    """A member decides alone: no property that we publish could carry another's decision to it."""
    said = indicator().keys()
    assert not said & {"action", "recommended_action", "severity", "threshold"}
    assert refused(indicator() | {"enforcement": "high"})


@pytest.mark.parametrize("name", ["x_verdict", "enforcement_state", "x_verdicts"])
def test_invariant_3_no_members_decision_on_somebody(name: str) -> None:
    somebody = sdo("intrusion-set", name="x")
    assert refused(somebody) == []
    assert refused(somebody | {name: "suspended"})
    assert refused(somebody | {"labels": ["suspended"]})


@pytest.mark.parametrize("filling", ["\n", " ", "\t\n", "drop"])
def test_long_rules_are_read_in_one_pass(filling: str) -> None:
    """A pattern that goes back over blank lines needs hours for these: this test hangs where it does."""
    rules = indicator(pattern="#" + filling * 200_000) | {"pattern_type": "snort"}
    assert refusals(rules) == []


@pytest.mark.parametrize("name", ["x_member_ranking", "reciprocity", "x_quorum"])
def test_invariant_4_no_ranking_of_members_and_no_reciprocity(name: str) -> None:
    member = build.identity(name="Example Lab B", at=NOW)
    assert refused(member | {name: 1})
    assert refused(sdo("opinion", opinion="disagree", object_refs=[member["id"]]))


def test_a_count_that_is_no_band_is_other_tools_business() -> None:
    assert refused(sighting(campaign()["id"]) | {"count": 437}) == []


def test_prose_is_not_judged() -> None:
    assert refused(build.note(origin(), content="We block nobody here.", refs=[campaign()["id"]])) == []


NAMES = st.from_regex(r"[a-z][a-z0-9_]{2,20}", fullmatch=True)


@given(NAMES, st.sampled_from(["block", "deny", "ban", "throttle", "boycott"]), st.sampled_from("_0"))
def test_an_action_word_in_front_is_found_whatever_follows(rest: str, word: str, between: str) -> None:
    assert refusals(campaign() | {f"{word}{between}{rest}": 1})
