"""The use cases of STIX 2.1 interoperability: each kind of object is produced, read, updated and revoked."""

import uuid
from typing import Any

import pytest
from tests.hub.site import GREEN, SHARED, Desk, Site, address, newer, statement

CREATED = "2026-01-01T00:00:00.000Z"
IDENTITY = "identity--0d5a5d2e-2c6a-4f0e-9f57-0b3f0a8d7e11"
CAMPAIGN = "campaign--7a1f0e0c-4f7b-4a3e-8b1a-5f4d3c2b1a00"
PATTERNS = {
    "IPv4 address": "[ipv4-addr:value = '198.51.100.1']",
    "IPv4 network": "[ipv4-addr:value = '198.51.100.0/24']",
    "two IPv4 networks": "[ipv4-addr:value = '198.51.100.0/24' OR ipv4-addr:value = '203.0.113.0/24']",
    "IPv6 address": "[ipv6-addr:value = '2001:db8::1']",
    "IPv6 network": "[ipv6-addr:value = '2001:db8::/32']",
    "domain": "[domain-name:value = 'resale.example']",
    "URL": "[url:value = 'https://resale.example/v1']",
    "URL or domain": "[url:value = 'https://resale.example/v1' OR domain-name:value = 'resale.example']",
    "SHA-256 of a file": f"[file:hashes.'SHA-256' = '{'ab' * 32}']",
    "MD5 of a file": f"[file:hashes.MD5 = '{'ab' * 16}']",
}


def made(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "spec_version": "2.1",
        "id": f"{kind}--{uuid.uuid4()}",
        "created_by_ref": IDENTITY,
        "created": CREATED,
        "modified": CREATED,
        **more,
    }


def indicator(pattern: str) -> dict[str, Any]:
    return made("indicator", name="seen", pattern=pattern, pattern_type="stix", valid_from=CREATED)


CASES = {
    "attack pattern": made(
        "attack-pattern",
        name="Extract AI Model",
        external_references=[{"source_name": "mitre-atlas", "external_id": "AML.T0024.002"}],
    ),
    "campaign": made("campaign", name="Harvest", first_seen=CREATED, last_seen=CREATED),
    "confidence": made("campaign", name="Harvest", confidence=85),
    "data marking": made("campaign", name="Harvest", object_marking_refs=[GREEN]),
    "grouping": made("grouping", name="case", context="suspicious-activity", object_refs=[CAMPAIGN]),
    "identity": made("identity", name="A provider", identity_class="organization"),
    "infrastructure": made("infrastructure", name="proxies", infrastructure_types=["anonymization"]),
    "intrusion set": made("intrusion-set", name="operator"),
    "note": made("note", content="seen twice", object_refs=[CAMPAIGN]),
    "observed data": made(
        "observed-data",
        first_observed=CREATED,
        last_observed=CREATED,
        number_observed=10,
        object_refs=[address()["id"]],
    ),
    "opinion": made("opinion", opinion="agree", object_refs=[CAMPAIGN]),
    "relationship": made(
        "relationship",
        relationship_type="uses",
        source_ref=CAMPAIGN,
        target_ref=f"tool--{uuid.UUID(int=4 << 76 | 8 << 60)}",
    ),
    "report": made("report", name="weekly", published=CREATED, object_refs=[CAMPAIGN]),
    "sighting": made("sighting", sighting_of_ref=CAMPAIGN, first_seen=CREATED, last_seen=CREATED, count=10),
    "tool": made("tool", name="relay", tool_types=["remote-access"]),
    **{f"indicator: {name}": indicator(pattern) for name, pattern in PATTERNS.items()},
}


@pytest.mark.parametrize("case", CASES)
def test_is_created_updated_and_revoked_for_every_reader(lite: Site, case: str) -> None:
    producer, consumer = lite.desk("producer"), lite.desk("consumer")
    first = {**CASES[case], "id": f"{CASES[case]['type']}--{uuid.uuid4()}"}
    producer.share(first)
    assert consumer.objects(**{"match[id]": first["id"]}) == [first]
    second = newer(first, labels=["second-look"])
    producer.share(second)
    assert consumer.objects(**{"match[id]": first["id"]}) == [second]
    third = newer(second, 3, revoked=True)
    producer.share(third)
    assert consumer.objects(**{"match[id]": first["id"]}) == [third]
    versions = consumer.get(f"{SHARED}/objects/{first['id']}/versions/").json()["versions"]
    assert [version[:7] for version in versions] == ["2026-01", "2026-02", "2026-03"]
    assert consumer.objects(**{"match[type]": first["type"], "match[version]": "first"}) == [first]


def test_several_indicators_come_in_one_bundle_of_objects(lite: Site) -> None:
    producer, consumer = lite.desk("producer"), lite.desk("consumer")
    bundled = [indicator(pattern) for pattern in PATTERNS.values()]
    producer.share(*bundled)
    assert sorted(one["pattern"] for one in consumer.objects()) == sorted(PATTERNS.values())


def test_a_statement_marking_travels_with_what_it_marks(lite: Site) -> None:
    producer, consumer = lite.desk("producer"), lite.desk("consumer")
    marking = statement()
    producer.share(marking, made("campaign", name="Harvest", object_marking_refs=[marking["id"], GREEN]))
    assert {one["type"] for one in consumer.objects()} == {"marking-definition", "campaign"}


def test_a_producer_alone_may_change_what_it_produced(lite: Site) -> None:
    producer, consumer = lite.desk("producer"), lite.desk("consumer")
    first = made("campaign", name="Harvest")
    producer.share(first)
    assert "propose a change" in _refusal(consumer, newer(first, name="Another"))
    assert producer.objects() == [first]


def _refusal(desk: Desk, item: dict[str, Any]) -> str:
    (message,) = desk.refused(item)
    return message
