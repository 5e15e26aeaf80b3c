from typing import Any

import pytest
from tests.hub.api.worlds import Who, World, absent, campaign

from stillwatch.hub.api import proposals
from stillwatch.sharing.objects.extensions import HARVEST
from stillwatch.sharing.objects.tlp import Tlp


def propose(who: Who, object_id: str, **change: Any) -> Any:
    return who.post("/v1/proposals", {"object_id": object_id, "change": change or {"name": "new"}, "reason": "because"})


def all_of(who: Who) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = who.get("/v1/proposals").json()["proposals"]
    return found


@pytest.fixture
def shared(world: World) -> tuple[Who, Who, dict[str, Any]]:
    owner, reader = world.members("owner", "reader")
    item = campaign(owner.id)
    owner.share(item)
    return owner, reader, item


def test_a_proposal_goes_to_the_owner_alone_and_the_answer_comes_back(
    world: World, shared: tuple[Who, Who, dict[str, Any]]
) -> None:
    owner, reader, item = shared
    made = propose(reader, item["id"], confidence=60)
    assert made.status_code == 202
    (got,) = all_of(owner)
    assert got == {
        "id": made.json()["id"],
        "object_id": item["id"],
        "direction": "received",
        "change": {"confidence": 60},
        "reason": "because",
        "state": "open",
        "by": reader.id,
    }
    assert all_of(world.member("third")) == []
    assert all_of(reader) == [{name: got[name] for name in got if name != "by"} | {"direction": "sent"}]
    said = owner.post(f"/v1/proposals/{got['id']}/answer", {"accepted": False, "reason": "we looked again"})
    assert said.json()["state"] == "declined"
    (back,) = all_of(reader)
    assert (back["state"], back["answer"]) == ("declined", "we looked again")
    assert owner.id not in str(back)


def test_an_answer_is_given_once_and_by_the_owner(world: World, shared: tuple[Who, Who, dict[str, Any]]) -> None:
    owner, reader, item = shared
    path = f"/v1/proposals/{propose(reader, item['id']).json()['id']}/answer"
    body = {"accepted": True, "reason": "yes"}
    other = [who.post(path, body) for who in (reader, world.member("third"))]
    other += [owner.post(f"/v1/proposals/{name}/answer", body) for name in ("x", "%00", absent())]
    assert {one.status_code for one in other} == {404}
    assert len({one.content for one in other}) == 1
    assert owner.post(path, body).json()["state"] == "accepted"
    assert owner.post(path, body).status_code == 409


def test_the_owner_of_an_anonymous_object_stays_unnamed(world: World) -> None:
    owner, reader = world.members("owner", "reader")
    item = campaign(world.anonymous, anonymous=True)
    owner.share(item)
    made = propose(reader, item["id"])
    (got,) = all_of(owner)
    owner.post(f"/v1/proposals/{got['id']}/answer", {"accepted": True, "reason": "yes"})
    assert owner.id not in made.text + reader.get("/v1/proposals").text
    assert propose(owner, item["id"]).status_code == 409


def test_a_path_goes_into_extensions_and_lists(shared: tuple[Who, Who, dict[str, Any]]) -> None:
    _, reader, item = shared
    assert propose(reader, item["id"], **{f"extensions.{HARVEST}.synchrony": "low"}).status_code == 202
    assert propose(reader, item["id"], **{f"extensions.{HARVEST}.template_bands.0": "f" * 16}).status_code == 202
    assert propose(reader, item["id"], description=None, first_seen=None).status_code == 422
    assert propose(reader, item["id"], first_seen=None).status_code == 202


@pytest.mark.parametrize(
    "change",
    [
        {"id": "x"},
        {"created_by_ref": "x"},
        {"name": 3},
        {"labels": ["block"]},
        {"x_threshold": 3},
        {"x_action": "block"},
        {"x_acme": {"action": "none"}},
        {"labels": ["score>=0.9"]},
        {"x_acme": {"action": "block", "a": 1}, "x_acme.action": None},
        {"labels": ["block"], "labels.0": "harmless"},
        {"name.first": "x"},
        {"object_marking_refs.7": "x"},
        {"object_marking_refs.x": "x"},
        {"nothing.here": 1},
        {"confidence": 1000},
        {"description": "x" * 70_000},
        {f"x_{number}": 1 for number in range(51)},
        {"": 1},
    ],
)
def test_what_the_hub_would_not_take_cannot_be_proposed(
    shared: tuple[Who, Who, dict[str, Any]], change: dict[str, Any]
) -> None:
    _, reader, item = shared
    assert propose(reader, item["id"], **change).status_code == 422


def test_who_does_not_see_an_object_proposes_nothing(world: World) -> None:
    owner, reader = world.members("owner", "reader")
    item = campaign(owner.id, tlp=Tlp.RED)
    owner.share(item)
    made = [propose(reader, name) for name in (item["id"], absent())]
    assert {one.status_code for one in made} == {404}
    assert made[0].content == made[1].content
    assert all_of(owner) == []


def test_proposals_come_in_pages(shared: tuple[Who, Who, dict[str, Any]]) -> None:
    owner, reader, item = shared
    made = [propose(reader, item["id"], confidence=number).json()["id"] for number in range(5)]
    found, path = [], "/v1/proposals?limit=2"
    while True:
        page = owner.get(path).json()
        found += [one["id"] for one in page["proposals"]]
        if not page["more"]:
            break
        path = f"/v1/proposals?limit=2&after={page['next']}"
    assert found == made
    assert reader.get(f"/v1/proposals?after={page['next']}").status_code == 400
    assert owner.get(f"/v1/proposals?after={page['next']}").json()["next"] == page["next"]
    assert reader.get(f"/v1/proposals?limit={10**19}").status_code == 200
    for wrong in ("limit=0", "limit=x", "limit=-1", "after=x"):
        assert owner.get(f"/v1/proposals?{wrong}").status_code == 400


def test_open_proposals_come_to_an_end(
    shared: tuple[Who, Who, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, reader, item = shared
    monkeypatch.setattr(proposals, "MOST_OPEN", 2)
    assert [propose(reader, item["id"]).status_code for _ in range(3)] == [202, 202, 409]
    owner.post(f"/v1/proposals/{all_of(owner)[0]['id']}/answer", {"accepted": True, "reason": "yes"})
    assert propose(reader, item["id"]).status_code == 202
