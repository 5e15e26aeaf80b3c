from typing import Any

import pytest
from tests.hub.api.worlds import TAXII, World, absent, campaign, world_in

from stillwatch.hub.anonymity import apart, is_anonymous, refusal
from stillwatch.hub.storage.moments import parse_moment
from stillwatch.sharing.objects import build
from stillwatch.sharing.objects.extensions import LlmAccount, Sharing

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


def test_nothing_in_time_or_in_the_log_ties_it_to_what_was_posted_with_it(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    ann.share(campaign(ann.id), campaign(world.anonymous, anonymous=True), campaign(ann.id))
    kinds = [leaf["kind"] for leaf in world.leaves()]
    assert kinds == ["objects.added"] * 2
    added = [
        parse_moment(one["date_added"]) or 0
        for one in ben.get("/exchange/collections/shared/manifest/").json()["objects"]
    ]
    assert added[2] > max(added[:2])  # a window of its own, after that of the others
    assert max(added[:2]) - min(added[:2]) < 2**14


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
