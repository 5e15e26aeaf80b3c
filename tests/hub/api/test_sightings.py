import pytest
from tests.hub.api.worlds import DAY, HOUR, Who, World, absent, campaign

from stillwatch.sharing.objects.build import revise
from stillwatch.sharing.objects.tlp import Tlp

TODAY = "2026-11-18"


def say(who: Who, object_id: str, *, seen: bool = True, band: str | None = None) -> None:
    body = {"object_id": object_id, "seen": seen, "day": TODAY} | ({} if band is None else {"band": band})
    answer = who.post("/v1/sightings", body)
    assert (answer.status_code, answer.json()) == (202, {"object_id": object_id})


def count(who: Who, object_id: str) -> tuple[str, str | None]:
    told = who.get(f"/v1/sightings/{object_id}").json()
    assert told.keys() == {"object_id", "members", "band", "as_of"}
    return told["members"], told["band"]


def test_three_members_beside_the_owner_count_after_a_day(world: World) -> None:
    owner, *others = world.members("owner", "one", "two", "three")
    item = campaign(owner.id)
    owner.share(item)
    say(owner, item["id"])
    for who in others[:2]:
        say(who, item["id"])
    world.clock.now += 2 * DAY
    assert count(owner, item["id"]) == ("under 3", None)
    say(others[2], item["id"])
    world.clock.now += DAY - 60
    assert count(owner, item["id"]) == ("under 3", None)
    world.clock.now += 60
    assert count(owner, item["id"]) == count(others[0], item["id"]) == ("3-9", None)


def test_none_and_two_are_answered_alike(world: World) -> None:
    owner, one, two = world.members("owner", "one", "two")
    first, second = campaign(owner.id), campaign(owner.id)
    owner.share(first, second)
    for who in (one, two):
        say(who, first["id"], band="10-99")
    world.clock.now += 2 * DAY
    answers = [owner.get(f"/v1/sightings/{item['id']}").json() for item in (first, second)]
    assert {**answers[0], "object_id": "", "as_of": ""} == {**answers[1], "object_id": "", "as_of": ""}


def test_ten_or_more_are_one_band(world: World) -> None:
    owner = world.member("owner")
    item = campaign(owner.id)
    owner.share(item)
    seen = []
    for number in range(10):
        say(world.member(f"member {number}"), item["id"])
        world.clock.now += DAY
        seen.append(count(owner, item["id"])[0])
    assert seen == ["under 3"] * 2 + ["3-9"] * 7 + ["10+"]


def test_the_band_is_the_middle_one_of_three_or_more(world: World) -> None:
    owner, *others = world.members("owner", "a", "b", "c", "d")
    item = campaign(owner.id)
    owner.share(item)
    for who, band in zip(others, ["1-9", "10-99", None, "1000000+"], strict=True):
        say(who, item["id"], band=band)
    world.clock.now += DAY
    assert count(owner, item["id"]) == ("3-9", "10-99")
    say(others[2], item["id"], band="1-9")
    world.clock.now += DAY
    assert count(owner, item["id"]) == ("3-9", "1-9")


def test_who_did_not_see_it_does_not_count(world: World) -> None:
    owner, *others = world.members("owner", "a", "b", "c")
    item = campaign(owner.id)
    owner.share(item)
    for who in others:
        say(who, item["id"], seen=who is not others[0])
    world.clock.now += DAY
    assert count(owner, item["id"])[0] == "under 3"


def test_a_changed_report_counts_after_a_day_and_until_then_the_one_before(world: World) -> None:
    owner, *others = world.members("owner", "a", "b", "c")
    item = campaign(owner.id)
    owner.share(item)
    for who in others:
        say(who, item["id"])
    world.clock.now += DAY
    say(others[0], item["id"], seen=False)
    assert count(owner, item["id"])[0] == "3-9"
    world.clock.now += DAY / 2
    say(others[0], item["id"], seen=False)
    world.clock.now += DAY / 2 + HOUR
    assert count(owner, item["id"])[0] == "3-9"
    world.clock.now += DAY / 2
    assert count(owner, item["id"])[0] == "under 3"


def test_what_a_member_may_not_see_is_absent_to_it(world: World) -> None:
    owner, friend, stranger = world.members("owner", "friend", "stranger")
    item = campaign(owner.id, tlp=Tlp.RED, recipients=(friend.id,))
    owner.share(item)
    for made in (stranger.get(f"/v1/sightings/{item['id']}"), stranger.get(f"/v1/sightings/{absent()}")):
        assert (made.status_code, made.content) == (404, b'{"title":"there is no such object","http_status":"404"}')
    body = {"object_id": item["id"], "seen": True, "day": TODAY}
    told = [stranger.post("/v1/sightings", {**body, "object_id": name}) for name in (item["id"], absent())]
    assert told[0].status_code == 404
    assert told[0].content == told[1].content
    assert friend.get(f"/v1/sightings/{item['id']}").status_code == 200


def test_one_id_of_two_owners_is_counted_for_who_sees_which(world: World) -> None:
    first, second, friend, *crowd = world.members("first", "second", "friend", "a", "b", "c")
    hidden = campaign(first.id, tlp=Tlp.RED, recipients=(friend.id,))
    first.share(hidden)
    open_to_all = {**campaign(second.id), "id": hidden["id"]}
    second.share(open_to_all)
    for who in (friend, *crowd[:1]):
        say(who, hidden["id"])
    world.clock.now += DAY
    assert count(crowd[0], hidden["id"])[0] == "under 3"
    say(crowd[1], hidden["id"])
    world.clock.now += DAY
    assert count(crowd[2], hidden["id"])[0] == "3-9"
    assert count(first, hidden["id"])[0] == "3-9"


def test_who_saw_another_version_alone_does_not_count(world: World) -> None:
    owner, x, *others = world.members("owner", "x", "a", "b", "c")
    first = campaign(owner.id, tlp=Tlp.RED, recipients=(x.id,))
    hidden = campaign(owner.id, tlp=Tlp.RED, recipients=tuple(who.id for who in others))
    second = revise(first, at=world.clock.now + 10) | {"extensions": hidden["extensions"]}
    owner.share(first, second)
    for who in others:
        say(who, first["id"], band="1-9")
    world.clock.now += DAY
    assert count(x, first["id"]) == ("under 3", None)
    assert count(owner, first["id"]) == count(others[0], first["id"]) == ("3-9", "1-9")
    world.clock.now += 10
    owner.share(revise(campaign(owner.id) | {"id": first["id"]}, at=world.clock.now + 10))
    assert count(x, first["id"]) == ("under 3", None)
    for who in others:
        say(who, first["id"], band="10-99")
    assert count(x, first["id"]) == ("under 3", None)
    world.clock.now += DAY
    assert count(x, first["id"]) == ("3-9", "10-99")


def test_a_newer_version_that_is_hidden_changes_no_count_of_the_older_one(world: World) -> None:
    owner, x, *others = world.members("owner", "x", "a", "b", "c")
    item = campaign(owner.id)
    owner.share(item)
    later = revise(item, at=world.clock.now + 10)
    later["extensions"] = campaign(owner.id, recipients=tuple(who.id for who in others))["extensions"]
    owner.share(later)
    for who in others:
        say(who, item["id"])
    world.clock.now += DAY
    assert count(x, item["id"])[0] == count(others[0], item["id"])[0] == "3-9"


def test_what_is_said_in_one_collection_does_not_count_in_another(world: World) -> None:
    owner, reader = world.members("owner", "reader")
    stewards = [world.member(f"steward {number}", "steward") for number in range(3)]
    item = campaign(owner.id, tlp=Tlp.RED, recipients=(reader.id,))
    owner.share(item)
    owner.share(campaign(owner.id) | {"id": item["id"]}, collection="inbox")
    for who in stewards:
        say(who, item["id"], band="1-9")
    world.clock.now += DAY
    assert count(reader, item["id"]) == count(owner, item["id"]) == ("under 3", None)
    assert count(stewards[0], item["id"]) == ("3-9", "1-9")


def test_the_contributor_of_an_anonymous_object_counts_like_anybody(world: World) -> None:
    owner, ann, ben = world.members("owner", "ann", "ben")
    item = campaign(world.anonymous, anonymous=True)
    owner.share(item)
    for who in (owner, ann, ben):
        say(who, item["id"])
    world.clock.now += DAY
    assert count(ann, item["id"])[0] == "3-9"


def test_a_contributor_reads_nothing(world: World) -> None:
    owner, writer = world.member("owner"), world.member("writer", "contributor")
    item = campaign(owner.id)
    owner.share(item)
    assert writer.get(f"/v1/sightings/{item['id']}").status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"object_id": "identity--9facd338-0eec-42bf-b661-879595b2a97d"},
        {"object_id": "threat-actor--9facd338-0eec-42bf-b661-879595b2a97d"},
        {"object_id": "x"},
        {"seen": 1},
        {"seen": False, "band": "1-9"},
        {"band": "7"},
        {"day": "today"},
        {"day": "2026-02-30"},
        {"day": "2099-01-01"},
        {"threshold": 3},
    ],
)
def test_what_is_no_sighting_is_refused(world: World, change: dict[str, object]) -> None:
    (ann,) = world.members("ann")
    assert ann.post("/v1/sightings", {"object_id": absent(), "seen": True, "day": TODAY} | change).status_code == 422


@pytest.mark.parametrize("name", ["x", "campaign--%00", "%ff", "campaign--" + "0" * 300])
def test_what_is_no_id_is_absent(world: World, name: str) -> None:
    (ann,) = world.members("ann")
    assert ann.get(f"/v1/sightings/{name}").status_code == 404
