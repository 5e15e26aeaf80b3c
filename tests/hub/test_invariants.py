"""The lines that a hub of competitors keeps, by name."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.hub.api.worlds import DAY, TAXII, Who, World, absent, campaign, world_in

from stillwatch.hub.candidates import inspect
from stillwatch.sharing.objects import build
from stillwatch.sharing.objects.validate import ObjectValidator
from stillwatch.sharing.signing import Signer

CONCERTED = re.compile(
    r"block|ban\b|verdict|enforce|threshold|vote|ballot|quorum|consensus|rank|suspend|boycott|decision|action",
    re.IGNORECASE,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path) as made:
        yield made


def document(world: World) -> dict[str, Any]:
    told: dict[str, Any] = world.member("reader of documents").get("/openapi.json").json()
    return told


def names_in(schema: Any) -> set[str]:
    """Return all names of properties and all words of closed lists."""
    if isinstance(schema, list):
        return {name for one in schema for name in names_in(one)}
    if not isinstance(schema, dict):
        return set()
    found = set(schema.get("properties", {})) | {str(word) for word in schema.get("enum", [])}
    return found.union(*(names_in(value) for value in schema.values()))


def test_1_no_route_and_no_field_can_say_block_or_a_common_threshold_or_a_vote(world: World) -> None:
    told = document(world)
    words = {*told["paths"], *told["components"]["schemas"], *names_in(told)}
    assert len(words) > 100
    assert [word for word in words if CONCERTED.search(word)] == []


@pytest.mark.parametrize(
    "change",
    [{"labels": ["block"]}, {"x_common_threshold": 3}, {"x_vote": "yes"}, {"x_verdict": 1}, {"labels": ["boycott"]}],
)
def test_1_no_object_that_the_hub_takes_can_say_it(world: World, change: dict[str, Any]) -> None:
    ann, ben = world.members("ann", "ben")
    item = campaign(ann.id)
    said = ann.call("POST", "/exchange/collections/shared/objects/", {"objects": [item | change]}, TAXII)
    assert said.json()["failure_count"] == 1
    ann.share(item)
    refused = ben.post("/v1/proposals", {"object_id": item["id"], "change": change, "reason": "r"})
    assert refused.status_code == 422
    candidates, faults = inspect([build.canonical(item | change)], ObjectValidator())
    assert (len(candidates), len(faults)) == (0, 1)


@pytest.mark.parametrize("kind", sorted(build.ENTITY_TYPES))
def test_1_nobody_is_put_to_the_vote(world: World, kind: str) -> None:
    (ann,) = world.members("ann")
    assert ann.post("/v1/opinions", {"object_id": absent(kind), "opinion": "agree"}).status_code == 422
    body = {"object_id": absent(kind), "seen": True, "day": "2026-11-18"}
    assert ann.post("/v1/sightings", body).status_code == 422


def said_by_all(world: World, count: int) -> tuple[Who, list[Who], dict[str, Any]]:
    owner, others = world.member("owner"), [world.member(f"other {number}") for number in range(count)]
    item = campaign(owner.id)
    owner.share(item)
    for who in others:
        who.post("/v1/sightings", {"object_id": item["id"], "seen": True, "day": "2026-11-18", "band": "10-99"})
        who.post("/v1/opinions", {"object_id": item["id"], "opinion": "agree", "explanation": "so it is"})
    return owner, others, item


def test_3_no_member_sees_what_another_one_said(world: World) -> None:
    owner, others, item = said_by_all(world, 4)
    world.clock.now += 2 * DAY
    for who in (owner, others[0]):
        for path in (f"/v1/sightings/{item['id']}", f"/v1/opinions/{item['id']}", "/v1/corrections", "/v1/proposals"):
            text = who.get(path).text
            assert not any(other.id in text or other.member.name in text for other in others)


@pytest.mark.parametrize("count", range(5))
def test_3_counts_begin_at_three_members_beside_the_owner(world: World, count: int) -> None:
    owner, _, item = said_by_all(world, count)
    world.clock.now += DAY
    for kind in ("sightings", "opinions"):
        told = owner.get(f"/v1/{kind}/{item['id']}").json()
        assert told["members"] == ("3-9" if count >= 3 else "under 3")


def test_3_counts_are_a_day_late(world: World) -> None:
    owner, _, item = said_by_all(world, 3)
    begun = world.clock.now
    for late, told in ((DAY - 10, "under 3"), (DAY, "3-9")):
        world.clock.now = begun + late
        assert owner.get(f"/v1/sightings/{item['id']}").json()["members"] == told


def test_4_nobody_is_shown_as_one_who_did_not_act(world: World) -> None:
    paths = document(world)["paths"]
    assert not [path for path in paths if re.search(r"members/|activity|score|contribut", path)]


def test_5_a_correction_reaches_everyone_who_pulled_also_after_the_object_is_gone(world: World) -> None:
    owner, *readers = world.members("owner", "ann", "ben")
    item = campaign(owner.id)
    owner.share(item)
    pulled = readers[0].get("/exchange/collections/shared/objects/").json()["objects"]
    assert [one["id"] for one in pulled] == [item["id"]]
    readers[1].post("/v1/corrections", {"object_id": item["id"], "kind": "disputed", "reason": "a public list"})
    owner.post("/v1/corrections", {"object_id": item["id"], "kind": "corrected", "reason": "it was a public list"})
    owner.delete(item["id"])
    for who in readers:
        told = [one["kind"] for one in who.get("/v1/corrections").json()["corrections"]]
        assert told == ["disputed", "corrected", "withdrawn"]


def test_6_every_write_is_in_the_audit_log(world: World, tmp_path: Path) -> None:
    owner, ann = world.members("owner", "ann")
    signer, item = Signer.make(tmp_path / "key.pem"), campaign(owner.id)
    kinds: list[str] = []
    before = len(world.leaves())

    def wrote(answer: Any) -> None:
        nonlocal before
        assert answer is None or answer.status_code < 300, answer.text
        leaves = world.leaves()
        kinds.extend(leaf["kind"] for leaf in leaves[before:])
        before = len(leaves)

    about = {"object_id": item["id"]}
    wrote(owner.post("/v1/keys", {"public_key": signer.public_key}))
    wrote(owner.signs(signer, item))
    owner.share(item)
    wrote(None)
    wrote(ann.post("/v1/sightings", {**about, "seen": True, "day": "2026-11-18"}))
    wrote(ann.post("/v1/opinions", {**about, "opinion": "agree"}))
    made = ann.post("/v1/proposals", {**about, "change": {"name": "x"}, "reason": "r"})
    wrote(made)
    wrote(owner.post(f"/v1/proposals/{made.json()['id']}/answer", {"accepted": True, "reason": "r"}))
    wrote(ann.post("/v1/corrections", {**about, "kind": "disputed", "reason": "r"}))
    wrote(owner.delete(item["id"]))
    assert kinds == [
        "key.added",
        "statement.added",
        "objects.added",
        *["statement.added"] * 5,
        "objects.deleted",
    ]
    text = str(world.leaves())
    assert not any(part in text for part in (owner.id, ann.id, item["id"], "owner", "agree", signer.public_key))


def test_6_what_is_refused_is_not_in_the_log(world: World) -> None:
    (ann,) = world.members("ann")
    before = len(world.leaves())
    about = {"object_id": absent()}
    ann.post("/v1/sightings", {**about, "seen": True, "day": "2026-11-18"})
    ann.post("/v1/opinions", {**about, "opinion": "agree"})
    ann.post("/v1/corrections", {**about, "kind": "disputed", "reason": "r"})
    ann.post("/v1/proposals", {**about, "change": {"name": "x"}, "reason": "r"})
    assert len(world.leaves()) == before
