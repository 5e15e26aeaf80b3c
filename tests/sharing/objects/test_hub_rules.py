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
from stillwatch.sharing.objects.extensions import HARVEST, SCHEMA_FILES, definition
from stillwatch.sharing.objects.hub_rules import STATEMENTS, refusals
from stillwatch.sharing.objects.standard import standard
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
    known = set().union(*(one.within for one in standard().names.values()))
    assert names - known <= {"objects"}  # of a bundle, which is no object


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


@pytest.mark.parametrize(
    "kind",
    [
        "email-addr",
        "grouping",
        "incident",
        "location",
        "marking-definition",
        "note",
        "opinion",
        "relationship",
        "report",
        "sighting",
        "user-account",
        "x-somebody",
    ],
)
def test_invariant_1_no_vote_on_what_is_said_of_an_entity(kind: str) -> None:
    """A relationship `attributed-to` somebody, or a note about him, can be hidden: its type alone decides."""
    assert refused(sdo("opinion", opinion="agree", object_refs=[indicator()["id"], build.new_id(kind)]))


@pytest.mark.parametrize("kind", [*sorted(STATEMENTS), "file", "domain-name", "ipv4-addr"])
def test_an_opinion_on_a_statement_of_conduct_is_carried(kind: str) -> None:
    assert refused(sdo("opinion", opinion="agree", object_refs=[build.new_id(kind)])) == []


ADVICE: list[dict[str, Any]] = [
    {"x_action": "block"},
    {"x_recommended_action": "call"},
    {"recommended_action": "x"},
    {"x_decision": "x"},
    {"x_response": "x"},
    {"x_mitigation": "x"},
    {"x_policy": "x"},
    {"x_minimum_score": 0.9},
    {"x_maximum": 3},
    {"x_acme_score": 3},
    {"x_to_be_blocked": True},
    {"x_acme": {"action": "none"}},
    {"x_acme": {"recommendedAction": "none"}},
    {"x_acme": [{"block": True}]},
    {"x_acme": "block"},
    {"x_acme": "Block all of them"},
    {"x_acme": {"then": ["ban"]}},
    {"x_acme": {"name": "suspend"}},
    {"x_acme": "\uff42\uff4c\uff4f\uff43\uff4b"},
    {"x_acme": "block."},
    {"external_references": [{"source_name": "acme", "description": "x", "action": "none"}]},
    {"external_references": [{"source_name": "acme", "description": "x", "do": "throttle"}]},
    {"labels": ["recommended-action:block"]},
    {"labels": ["recommended-action:call"]},
    {"labels": ['stillwatch:action="block"']},
    {"labels": ['stillwatch:action="none"']},
    {"labels": ["score>=0.9"]},
    {"labels": ["score=0.9"]},
    {"labels": ['acme:minimum="9"']},
    {"labels": ["please-block-all"]},
    {"labels": ["x" * 300 + " block"]},
    {"kill_chain_phases": [{"kill_chain_name": "response", "phase_name": "one"}]},
    {"kill_chain_phases": [{"kill_chain_name": "acme", "phase_name": "block"}]},
    {"kill_chain_phases": [{"kill_chain_name": "acme", "phase_name": "vote"}]},
    {"extensions": {"http-request-ext": {"action": "none"}}},
    {"extensions": {OTHERS: {"extension_type": "property-extension", "then": "deny"}}},
    {"extensions": {OTHERS: {"extension_type": "property-extension", "b" * 251: 1}}},
    {"extensions": {HARVEST: {"extension_type": "property-extension", "models_after_release": ["block"]}}},
]


@pytest.mark.parametrize("more", ADVICE, ids=lambda more: json.dumps(more)[:60])
def test_invariant_1_no_advice_as_a_field(more: dict[str, Any]) -> None:
    assert refusals(indicator() | more)


@pytest.mark.parametrize("kind", ["x-sw-policy", "STIX", "eql"])
def test_invariant_1_no_pattern_in_a_language_made_for_it(kind: str) -> None:
    assert refused(indicator(pattern="block if score > 0.9") | {"pattern_type": kind})


def test_invariant_1_an_account_carries_no_action() -> None:
    account = {"type": "user-account", "id": build.new_id("user-account"), "user_id": "a"}
    assert refusals(account) == []
    assert refusals(account | {"x_action": "block"})
    assert refusals(account | {"account_type": "banned"})


INNOCENT: list[dict[str, Any]] = [
    {"x_misp_uuid": "0c9b2a50-7ac4-4ae4-b1f8-2b5f33c0a7b1", "x_misp_to_ids": True, "x_misp_timestamp": "1700000000"},
    {"x_opencti_id": "0c9b2a50-7ac4-4ae4-b1f8-2b5f33c0a7b1", "x_opencti_created_at": "2026-01-01T00:00:00.000Z"},
    {"x_opencti_score": 50, "x_opencti_detection": False, "x_opencti_cvss_base_score": 9.8, "x_opencti_epss_score": 1},
    {"x_mitre_platforms": ["Windows"], "x_mitre_data_sources": ["Firewall: Firewall Rule Modification"]},
    {"x_mitre_detection": "Monitor for files that were dropped."},
    {"x_acme": {"cipher_block_size": 16, "mode": "cipher block chaining"}, "x_block_size": 16, "block_height": 3},
    {"x_acme": {"http_response_code": 403, "ip_block": "192.0.2.0/24"}},
    {"x_acme": ["Dead Drop Resolver", "Dropbox", "urban", "a value", 3, None]},
    {"external_references": [{"source_name": "block-list", "description": "block", "hashes": {"MD5": "0" * 32}}]},
    {"labels": ["tlp:amber", 'misp:to_ids="True"', 'misp:name="file"', "dead-drop-resolver", "law-enforcement"]},
    {"labels": ['misp-galaxy:mitre-attack-pattern="Dead Drop Resolver - T1102.001"']},
    {"kill_chain_phases": [{"kill_chain_name": "lockheed", "phase_name": "actions-on-objectives"}]},
    {"kill_chain_phases": [{"kill_chain_name": "mitre-ics-attack", "phase_name": "inhibit-response-function"}]},
    {"description": "Block them", "name": "BLOCK Acme"},
]


@pytest.mark.parametrize("more", INNOCENT, ids=lambda more: json.dumps(more)[:60])
def test_what_innocent_tools_say_is_carried(more: dict[str, Any]) -> None:
    assert refused(indicator() | more) == []


def test_what_somebody_else_wrote_in_a_header_is_an_observation() -> None:
    traffic = {
        "type": "network-traffic",
        "id": build.new_id("network-traffic"),
        "protocols": ["http"],
        "src_ref": build.new_id("ipv4-addr"),
        "extensions": {
            "http-request-ext": {
                "request_method": "get",
                "request_value": "/",
                "request_header": {"Content-Security-Policy": ["block-all-mixed-content"]},
            }
        },
    }
    assert refused(traffic) == []
    assert refusals(indicator() | {"request_header": {"action": "block"}})


def test_a_translation_translates_properties_of_any_object() -> None:
    body = sdo("language-content", object_ref=campaign()["id"], contents={"de": {"name": "Sperren"}})
    assert refusals(body) == []
    body["contents"]["de"]["x_action"] = "sperren"
    assert refusals(body)


@pytest.mark.parametrize(
    ("rules", "carried"),
    [
        (
            "alert tcp any any -> any any (msg:x;\n  sid:1;)\n\n# drop nothing\nALERT udp any any -> any any (sid:2;)",
            True,
        ),
        ("alert tcp any any -> any any (msg:x;\n drop tcp any any -> any any (sid:1;)", False),
        ("pass tcp any any -> any any (sid:1;)", False),
        ("activate tcp any any -> any any (sid:1;)", False),
        ("alerts", False),
    ],
)
def test_a_rule_alerts_and_does_nothing_else(rules: str, *, carried: bool) -> None:
    assert (refused(indicator(pattern=rules) | {"pattern_type": "snort"}) == []) is carried


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
