from typing import Any

import pytest
from tests.hub.api.worlds import DAY, Who, World, absent, campaign

from stillwatch.hub.api.opinions import is_about_somebody
from stillwatch.sharing.objects import build
from stillwatch.sharing.objects.tlp import Tlp

SOMEBODY = "threat-actor--9facd338-0eec-42bf-b661-879595b2a97d"


def say(who: Who, object_id: str, word: str, explanation: str | None = None) -> None:
    body = {"object_id": object_id, "opinion": word} | ({} if explanation is None else {"explanation": explanation})
    assert who.post("/v1/opinions", body).status_code == 202


def count(who: Who, object_id: str) -> dict[str, Any]:
    told: dict[str, Any] = who.get(f"/v1/opinions/{object_id}").json()
    return told


def test_opinions_show_where_three_members_have_one_after_a_day(world: World) -> None:
    owner, *others = world.members("owner", "a", "b", "c", "d")
    item = campaign(owner.id)
    owner.share(item)
    for who, word in zip(others, ["agree", "agree", "agree", "disagree"], strict=True):
        say(who, item["id"], word)
    assert count(owner, item["id"])["members"] == "under 3"
    world.clock.now += DAY
    told = count(others[0], item["id"])
    assert told["members"] == "3-9"
    assert told["opinions"] == {
        "strongly-disagree": "under 3",
        "disagree": "under 3",
        "neutral": "under 3",
        "agree": "3-9",
        "strongly-agree": "under 3",
    }


def test_the_owner_alone_gets_the_explanations_without_names(world: World) -> None:
    owner, ann, ben = world.members("owner", "ann", "ben")
    item = campaign(owner.id)
    owner.share(item)
    say(ben, item["id"], "disagree", "a public list explains it")
    say(ann, item["id"], "agree", "we saw the same steps")
    assert count(owner, item["id"])["explanations"] == []
    world.clock.now += DAY
    answer = owner.get(f"/v1/opinions/{item['id']}")
    assert answer.json()["explanations"] == ["a public list explains it", "we saw the same steps"]
    assert not any(name in answer.text for name in (ann.id, ben.id, "ann", "ben"))
    assert "explanations" not in count(ann, item["id"])


def test_the_contributor_of_an_anonymous_object_gets_them_too(world: World) -> None:
    owner, ann = world.members("owner", "ann")
    item = campaign(world.anonymous, anonymous=True)
    owner.share(item)
    say(ann, item["id"], "neutral", "perhaps")
    world.clock.now += DAY
    assert count(owner, item["id"])["explanations"] == ["perhaps"]
    assert "explanations" not in count(ann, item["id"])


@pytest.mark.parametrize(
    "kind", ["identity", "threat-actor", "intrusion-set", "relationship", "user-account", "report", "note"]
)
def test_there_is_no_opinion_on_somebody(world: World, kind: str) -> None:
    (ann,) = world.members("ann")
    answer = ann.post("/v1/opinions", {"object_id": absent(kind), "opinion": "agree"})
    assert (answer.status_code, answer.json()["title"]) == (
        422,
        "an opinion is on a statement of conduct, not on somebody",
    )


def test_an_opinion_on_a_hidden_version_does_not_count(world: World) -> None:
    owner, x, *others = world.members("owner", "x", "a", "b", "c")
    first = campaign(owner.id, tlp=Tlp.RED, recipients=(x.id,))
    hidden = campaign(owner.id, tlp=Tlp.RED, recipients=tuple(who.id for who in others))
    owner.share(first, build.revise(first, at=world.clock.now + 10) | {"extensions": hidden["extensions"]})
    for who in others:
        say(who, first["id"], "agree", "we saw it")
    world.clock.now += DAY
    assert count(x, first["id"])["members"] == count(x, first["id"])["opinions"]["agree"] == "under 3"
    assert count(owner, first["id"])["opinions"]["agree"] == "3-9"
    assert count(owner, first["id"])["explanations"] == ["we saw it"] * 3


def test_there_is_no_opinion_on_an_object_about_somebody(world: World) -> None:
    owner, ann = world.members("owner", "ann")
    item = campaign(owner.id) | {"x_run_by_ref": SOMEBODY}
    owner.share(item)
    refused = ann.post("/v1/opinions", {"object_id": item["id"], "opinion": "agree"})
    assert (refused.status_code, refused.json()["title"]) == (
        422,
        "the object is about somebody, on whom there are no opinions",
    )


def test_an_opinion_on_an_observable_is_kept(world: World) -> None:
    owner, ann = world.members("owner", "ann")
    item = build.domain_name("relay.example")
    owner.share(item)
    say(ann, item["id"], "agree")


def test_what_a_member_may_not_see_is_absent_to_it(world: World) -> None:
    owner, ann = world.members("owner", "ann")
    item = campaign(owner.id, tlp=Tlp.RED)
    owner.share(item)
    made = [ann.get(f"/v1/opinions/{name}") for name in (item["id"], absent())]
    told = [ann.post("/v1/opinions", {"object_id": name, "opinion": "agree"}) for name in (item["id"], absent())]
    assert {one.status_code for one in made + told} == {404}
    assert len({one.content for one in made + told}) == 1


def test_an_opinion_has_a_word_of_the_list(world: World) -> None:
    (ann,) = world.members("ann")
    for change in ({"opinion": "block"}, {"explanation": ""}, {"explanation": "\0"}, {"vote": True}):
        assert ann.post("/v1/opinions", {"object_id": absent(), "opinion": "agree"} | change).status_code == 422


def test_a_creator_and_a_marking_are_not_what_an_object_is_about() -> None:
    item = {"created_by_ref": absent("identity"), "object_marking_refs": [absent("identity")], "x_ref": 3}
    assert not is_about_somebody(item)
    assert is_about_somebody({"x_ref": SOMEBODY})
    assert is_about_somebody({"object_refs": [absent(), SOMEBODY]})
