"""Other people's STIX tools on everything that we build: stix2, stix2-validator, stix2-matcher, misp-stix, pycti."""

import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.sharing.objects.factories import BANDS, MEMBER, NOW, TOKEN, account, everything, indicator, origin

from stillwatch.sharing.misp import misp_bundle
from stillwatch.sharing.objects import build, patterns
from stillwatch.sharing.objects.bundle import bundle
from stillwatch.sharing.objects.extensions import SCHEMA_FILES, definition
from stillwatch.sharing.objects.hub_rules import refusals
from stillwatch.sharing.objects.tlp import MARKING_ID, Tlp, marking_definition
from stillwatch.sharing.objects.validate import ObjectValidator

REPOSITORY = Path(__file__).parents[2]
PEERS = REPOSITORY / ".peers" / "stix" / "bin"
SCRIPT = Path(__file__).with_name("stix_peer.py")

pytestmark = [
    pytest.mark.skipif(not PEERS.exists(), reason="NO STIX PEERS: `make peers` installs them to read what we share"),
    pytest.mark.slow,
]


def ask(question: str, about: object) -> Any:
    done = subprocess.run(
        [PEERS / "python", SCRIPT, question], input=json.dumps(about), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def all_that_we_publish() -> list[dict[str, Any]]:
    objects = everything()
    versions = [build.revise(objects[1], at=NOW + 1, name="campaign 2"), build.revoke(objects[2], at=NOW + 2)]
    return [*objects, *versions, *map(definition, SCHEMA_FILES), *map(marking_definition, Tlp)]


def test_stix2_parses_everything_strictly() -> None:
    assert ask("parse", [*all_that_we_publish(), bundle(all_that_we_publish())]) == []


def test_stix2_validator_finds_everything_valid() -> None:
    objects = all_that_we_publish()
    found = ask("validate", objects)
    assert dict(zip([one["id"] for one in objects], found, strict=True)) == {one["id"]: [] for one in objects}


def mutations() -> list[dict[str, Any]]:
    sign, found = indicator(), everything()[1]
    seen = next(one for one in everything() if one["type"] == "sighting")
    return [
        sign | {"pattern": "[nonsense"},
        sign | {"valid_until": sign["valid_from"]},
        sign | {"pattern_type": None},
        {name: value for name, value in sign.items() if name != "valid_from"},
        sign | {"id": found["id"]},
        found | {"modified": build.timestamp(NOW - 1)},
        found | {"last_seen": build.timestamp(NOW - 99 * 86_400)},
        found | {"confidence": 101},
        found | {"created": "2026-11-28"},
        found | {"labels": []},
        found | {"severity": "high"},
        found | {"extensions": {"x": {}}},
        found | {"created_by_ref": "us"},
        seen | {"sighting_of_ref": build.new_id("relationship")},
        seen | {"count": -1},
        account() | {"type": "user_account"},
    ]


def test_what_stix2_validator_refuses_we_refuse() -> None:
    changed = mutations()
    assert all(ask("validate", changed))
    validator = ObjectValidator()
    assert all(validator.errors(msgspec.json.encode(one), one) for one in changed)


def test_stix2_matcher_finds_what_our_indicators_describe() -> None:
    one, network, domain = account(), build.address("192.0.2.7"), build.domain_name("relay.example")
    refs = [one["id"], network["id"], domain["id"]]
    seen = build.observed_data(origin(), first=NOW, last=NOW + 1, number="10-99", refs=refs)
    asked = {
        "bundle": bundle([seen, one, network, domain]),
        "patterns": [
            patterns.template_pattern([BANDS[1]]),
            patterns.token_pattern([TOKEN, TOKEN.replace("ab", "cd")]),
            patterns.address_pattern(["2001:db8::/32", "192.0.2.7"]),
            patterns.domain_pattern(["relay.example"]),
            patterns.template_pattern(["0" * 16]),
            patterns.token_pattern([TOKEN.replace("ab", "cd")]),
            patterns.address_pattern(["192.0.2.8"]),
        ],
    }
    assert ask("matches", asked) == [True, True, True, True, False, False, False]


def test_the_splitter_of_opencti_takes_a_bundle_whole() -> None:
    whole = bundle(everything())
    found = ask("split", whole)
    ids = {one["id"] for one in whole["objects"]}
    assert set(found["left_out"]) == {one for one in ids if one.startswith("extension-definition--")}
    assert set(found["taken"]) == ids - set(found["left_out"])


def converter(verb: str, source: Path, version: str) -> dict[str, Any]:
    command = [PEERS / "misp_stix_converter", verb, "--file", source, "--version", version]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    made = source.with_name(source.name + ".out")
    assert made.exists(), done.stdout + done.stderr
    body: dict[str, Any] = json.loads(made.read_text("utf-8"))
    return body


def imported(objects: list[dict[str, Any]], tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "shared.json"
    path.write_text(json.dumps(misp_bundle(objects)), "utf-8")
    return converter("import", path, "2")


def attributes(event: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for thing in event["Object"] for one in thing["Attribute"]]


def test_misp_keeps_the_essential_facts(tmp_path: Path) -> None:
    event = imported(everything(), tmp_path)
    sign = next(one for one in attributes(event) if one["type"] == "stix2-pattern")
    assert sign["value"] == patterns.template_pattern(BANDS)
    assert [one["name"] for one in sign["Tag"] if one["name"].startswith("tlp:")] == ["tlp:amber+strict"]
    (cluster,) = (one for galaxy in sign["Galaxy"] for one in galaxy["GalaxyCluster"])
    assert cluster["value"] == "campaign 1"
    assert "accounts: 100-999" in cluster["description"]
    assert "AML.T0024.002" in cluster["meta"]["external_id"]
    (seen,) = sign["Sighting"]
    assert seen["Organisation"]["name"] == "Example Lab A"
    (held,) = (one for one in event["Object"] if one["name"] == "stix2-pattern")
    assert "expires: " in held["comment"]


def test_misp_gives_the_essential_facts_back(tmp_path: Path) -> None:
    objects = everything()
    _, found, sign, *_ = objects
    event = imported(objects, tmp_path)
    for one in attributes(event):
        for seen in one.get("Sighting", ()):
            seen["uuid"] = str(uuid.uuid4())  # the server gives sightings an id, the converter does not
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event), "utf-8")
    back = {one["id"]: one for one in converter("export", path, "2.1")["objects"]}
    (returned,) = (one for one in back.values() if one["type"] == "campaign")  # the cluster's id, not ours
    assert returned["name"] == found["name"]
    assert returned["first_seen"] == found["first_seen"].replace(".000", "")
    assert back[sign["id"]]["pattern"] == sign["pattern"]
    assert back[sign["id"]]["confidence"] == sign["confidence"]
    assert back[sign["id"]]["object_marking_refs"] == [MARKING_ID[Tlp.AMBER_STRICT]]
    kinds = [(one["type"], one.get("sighting_of_ref"), one.get("target_ref")) for one in back.values()]
    assert ("sighting", sign["id"], None) in kinds
    assert ("relationship", None, returned["id"]) in kinds
    validator = ObjectValidator()
    assert not [one for one in back.values() if validator.errors(msgspec.json.encode(one), one)]
    assert not any(map(refusals, back.values()))


def test_a_converter_without_an_identity_gets_one(tmp_path: Path) -> None:
    nameless = [one for one in everything() if one["id"] != MEMBER]
    assert attributes(imported(nameless, tmp_path))
