from typing import Any

import pytest
from tests.hub.api.worlds import HOUR, TAXII, Who, World, absent, campaign, world_in
from tests.hub.site import statement

from stillwatch.hub.anonymity import apart, is_anonymous, refusal
from stillwatch.hub.storage.moments import parse_moment
from stillwatch.sharing.objects import build
from stillwatch.sharing.objects.extensions import HARVEST, LlmAccount, Sharing
from stillwatch.sharing.objects.tlp import Tlp, marking_definition

OWNER, HUB = absent("identity"), absent("identity")


@pytest.fixture
def world(tmp_path: Any) -> Any:
    with world_in(tmp_path) as made:
        yield made


class _Ready:
    def __init__(self, item: dict[str, Any]) -> None:
        self.item, self.candidate = item, self


def test_an_anonymous_object_has_the_identity_of_the_hub_and_no_other_has() -> None:
    assert refusal(campaign(HUB, anonymous=True), OWNER, HUB) is None
    assert refusal(campaign(OWNER), OWNER, HUB) is None
    assert refusal(campaign(HUB), OWNER, HUB) == "created_by_ref: the hub's identity is for anonymous objects"
    assert refusal(campaign(OWNER, anonymous=True), OWNER, HUB) == f"created_by_ref: an anonymous object has {HUB}"
    nobody = campaign(HUB, anonymous=True)
    del nobody["created_by_ref"]
    assert refusal(nobody, OWNER, HUB) == f"created_by_ref: an anonymous object has {HUB}"


def test_an_observable_has_no_creator() -> None:
    account = build.user_account(LlmAccount(requests_bucket="1-9"), user_id="x", sharing=Sharing(anonymous=True))
    assert is_anonymous(account)
    assert refusal(account, OWNER, HUB) is None


@pytest.mark.parametrize(
    "change", [{"x_seen_by": OWNER}, {"description": f"seen by {OWNER}"}, {"x_deep": [{"a": [OWNER]}]}]
)
def test_an_anonymous_object_does_not_name_its_contributor(change: dict[str, Any]) -> None:
    assert refusal(campaign(HUB, anonymous=True) | change, OWNER, HUB) == (
        "it is to be anonymous and names its contributor"
    )
    named = campaign(HUB, anonymous=True, recipients=(OWNER,))
    assert refusal(named, OWNER, HUB) is not None


def test_each_anonymous_object_is_on_its_own() -> None:
    named = [_Ready(campaign(OWNER)) for _ in range(2)]
    hidden = [_Ready(campaign(HUB, anonymous=True)) for _ in range(2)]
    assert apart([named[0], hidden[0], named[1], hidden[1]]) == [named, hidden[:1], hidden[1:]]
    assert apart(hidden[:1]) == [hidden[:1]]
    assert apart([]) == []


def post(who: Who, *objects: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Return the ids that were taken, and what is said of the others."""
    raw = b'{"objects":[' + b",".join(build.canonical(one) for one in objects) + b"]}"
    told = who.call("POST", "/exchange/collections/shared/objects/", raw, TAXII).json()
    failures = {one["id"]: one["message"] for one in told.get("failures", [])}
    return [one["id"] for one in told.get("successes", [])], failures


def test_an_anonymous_object_beside_others_is_refused_and_they_are_not(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    named, hidden = campaign(ann.id), campaign(world.anonymous, anonymous=True)
    why = "it is to be anonymous and others of the post are not: post it apart, at another moment"
    assert post(ann, named, hidden) == ([named["id"]], {hidden["id"]: why})
    assert post(ann, hidden, named) == ([named["id"]], {hidden["id"]: why})  # also where the named one is there already
    assert world.leaves()[0]["kind"] == "objects.added"
    assert len(world.leaves()) == 1
    world.clock.now += HOUR
    assert post(ann, hidden) == ([hidden["id"]], {})
    shown = ben.get("/exchange/collections/shared/objects/").json()["objects"]
    assert [one["id"] for one in shown] == [named["id"], hidden["id"]]


def test_an_anonymous_definition_that_is_refused_is_none_for_the_others(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    definition = statement(
        created_by_ref=world.anonymous, extensions=campaign(world.anonymous, anonymous=True)["extensions"]
    )
    del definition["extensions"][HARVEST]
    named = campaign(ann.id) | {"object_marking_refs": [definition["id"]]}
    taken, failures = post(ann, definition, named)
    assert (taken, list(failures)) == ([named["id"]], [definition["id"]])
    assert ben.get("/exchange/collections/shared/objects/").json() == {"more": False}


def test_what_may_be_posted_with_an_anonymous_object(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    definition = marking_definition(Tlp.GREEN)
    hidden = [campaign(world.anonymous, anonymous=True, tlp=Tlp.GREEN) for _ in range(2)]
    taken, failures = post(ann, definition, *hidden)
    assert (len(taken), failures) == (3, {})
    assert [leaf["kind"] for leaf in world.leaves()] == ["objects.added"] * 3
    manifest = ben.get("/exchange/collections/shared/manifest/").json()["objects"]
    added = [parse_moment(one["date_added"]) or 0 for one in manifest]
    assert added == sorted(added)
    assert post(ann, {"type": "nothing"}, campaign(world.anonymous, anonymous=True))[1].keys() == {
        "unnamed--00000000-0000-0000-0000-000000000000"
    }


def test_two_versions_in_one_post_are_one_object(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    first = campaign(world.anonymous, anonymous=True)
    second = build.revise(first, at=world.clock.now + 10, name="better")
    ann.share(first, second)
    (shown,) = ben.get("/exchange/collections/shared/objects/").json()["objects"]
    assert shown["name"] == "better"
    versions = ben.get(f"/exchange/collections/shared/objects/{first['id']}/versions/").json()["versions"]
    assert len(versions) == 2


def test_its_contributor_alone_changes_and_withdraws_it(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    item = campaign(world.anonymous, anonymous=True)
    ann.share(item)
    later = build.revise(item, at=world.clock.now + 10, name="taken over")
    raw = b'{"objects":[' + build.canonical(later) + b"]}"
    said = ben.call("POST", "/exchange/collections/shared/objects/", raw, TAXII).json()
    assert said["failures"][0]["message"] == "it belongs to another member: propose a change"
    assert ben.delete(item["id"]).status_code == 403
    assert ann.delete(item["id"]).status_code == 200
    told = ben.get("/v1/corrections")
    assert told.json()["corrections"][0]["kind"] == "withdrawn"
    assert ann.id not in told.text


def test_no_answer_names_its_contributor(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    item = campaign(world.anonymous, anonymous=True, correlate=True)
    ann.share(item)
    ben.share(campaign(ben.id, correlate=True))
    ann.post("/v1/corrections", {"object_id": item["id"], "kind": "corrected", "reason": "we looked again"})
    ben.post("/v1/proposals", {"object_id": item["id"], "change": {"name": "x"}, "reason": "y"})
    objects = f"/exchange/collections/shared/objects/{item['id']}/"
    paths = [
        objects,
        f"{objects}versions/",
        "/exchange/collections/shared/objects/",
        "/exchange/collections/shared/manifest/",
        f"/v1/sightings/{item['id']}",
        f"/v1/opinions/{item['id']}",
        "/v1/corrections",
        "/v1/proposals",
        "/v1/correlations",
    ]
    for path in paths:
        answer = ben.get(path)
        assert answer.status_code == 200
        assert ann.id not in answer.text + str(answer.headers)
        assert "ann" not in answer.text.replace("channel", "")
