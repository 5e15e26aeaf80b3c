from typing import Any

import pytest
from tests.hub.api.worlds import DAY, Who, World, absent, campaign
from tests.hub.site import address

from stillwatch.sharing.objects.build import revise
from stillwatch.sharing.objects.extensions import SHARING
from stillwatch.sharing.objects.tlp import Tlp


def correct(who: Who, object_id: str, kind: str, reason: str = "we erred") -> Any:
    return who.post("/v1/corrections", {"object_id": object_id, "kind": kind, "reason": reason})


def told(who: Who, query: str = "") -> list[tuple[str, str, str]]:
    found = who.get(f"/v1/corrections{query}").json()["corrections"]
    return [(one["object_id"], one["kind"], one["reason"]) for one in found]


def test_a_correction_reaches_those_who_may_have_the_object_and_nobody_else(world: World) -> None:
    owner, friend, stranger = world.members("owner", "friend", "stranger")
    item = campaign(owner.id, tlp=Tlp.RED, recipients=(friend.id,))
    owner.share(item)
    assert correct(owner, item["id"], "corrected").status_code == 202
    assert told(owner) == told(friend) == [(item["id"], "corrected", "we erred")]
    assert stranger.get("/v1/corrections").content == b'{"corrections":[],"more":false,"next":null}'


def test_deletion_is_a_withdrawal_for_everyone_who_could_pull(world: World) -> None:
    owner, friend, stranger = world.members("owner", "friend", "stranger")
    narrow, wide = campaign(owner.id, tlp=Tlp.RED, recipients=(friend.id,)), campaign(owner.id)
    owner.share(narrow, wide)
    for item in (narrow, wide):
        assert owner.delete(item["id"]).status_code == 200
        assert friend.get(f"/v1/sightings/{item['id']}").status_code == 404
    both = [(item["id"], "withdrawn", "its owner deleted it") for item in (narrow, wide)]
    assert told(friend) == told(owner) == both
    assert told(stranger) == both[1:]


def test_deleting_one_version_withdraws_from_those_who_saw_no_other(world: World) -> None:
    owner, friend, stranger = world.members("owner", "friend", "stranger")
    first = campaign(owner.id)
    second = revise(first, at=world.clock.now + 10, name="for friends")
    second["extensions"] = campaign(owner.id, recipients=(friend.id,))["extensions"]
    owner.share(first, second)
    assert told(friend) == []
    path = f"/exchange/collections/shared/objects/{first['id']}/?match[version]=first"
    assert owner.call("DELETE", path).status_code == 200
    assert told(stranger) == [(first["id"], "withdrawn", "its owner deleted it")]
    assert told(friend) == told(owner) == []  # they have the other
    assert owner.delete(first["id"]).status_code == 200
    assert len(told(friend)) == 1
    assert len(told(stranger)) == 1


def test_nobody_takes_back_what_another_shares_under_the_same_id(world: World) -> None:
    owner, copier, friend, stranger = world.members("owner", "copier", "friend", "stranger")
    item = address(extensions=campaign(owner.id, recipients=(copier.id, friend.id))["extensions"])
    item["extensions"] = {SHARING: item["extensions"][SHARING]}
    owner.share(item)
    copier.share(item)
    assert correct(copier, item["id"], "withdrawn").status_code == 202
    assert copier.delete(item["id"]).status_code == 200
    assert told(friend) == told(owner) == told(stranger) == []
    assert owner.delete(item["id"]).status_code == 200
    assert [kind for _, kind, _ in told(friend)] == ["withdrawn"]
    assert told(stranger) == []


def test_deleting_an_old_version_that_has_a_newer_one_withdraws_nothing(world: World) -> None:
    owner, friend = world.members("owner", "friend")
    first = campaign(owner.id)
    owner.share(first, revise(first, at=world.clock.now + 10, name="better"))
    owner.call("DELETE", f"/exchange/collections/shared/objects/{first['id']}/?match[version]=first")
    assert told(friend) == []


def test_only_the_owner_withdraws_and_corrects_and_only_others_dispute(world: World) -> None:
    owner, reader = world.members("owner", "reader")
    item = campaign(owner.id)
    owner.share(item)
    assert {correct(reader, item["id"], kind).status_code for kind in ("withdrawn", "corrected")} == {403}
    assert correct(owner, item["id"], "disputed").status_code == 409
    assert correct(reader, item["id"], "disputed").status_code == 202


def test_a_dispute_reaches_owner_and_readers_without_a_name_and_cannot_be_counted(world: World) -> None:
    owner, *readers = world.members("owner", "ann", "ben", "cid")
    item = campaign(owner.id)
    owner.share(item)
    for number, who in enumerate(readers):
        assert correct(who, item["id"], "disputed", f"reason {number}").status_code == 202
    assert told(readers[0]) == [(item["id"], "disputed", "reason 0")]
    assert [reason for _, _, reason in told(owner)] == ["reason 0", "reason 1", "reason 2"]
    assert not any(name in owner.get("/v1/corrections").text for who in readers for name in (who.id, who.member.name))
    assert correct(readers[0], item["id"], "disputed").status_code == 409
    correct(owner, item["id"], "corrected")
    assert correct(readers[0], item["id"], "disputed", "still").status_code == 202
    assert [kind for _, kind, _ in told(readers[1])] == ["disputed", "corrected", "disputed"]


def hide_second_version(owner: Who, first: dict[str, Any], *friends: Who) -> None:
    """Post a version of an object that its readers do not see."""
    hidden = campaign(owner.id, tlp=Tlp.RED, recipients=tuple(who.id for who in friends))
    owner.share(revise(first, at=owner.world.clock.now + 10) | {"extensions": hidden["extensions"]})


def test_a_dispute_of_one_version_is_not_told_to_who_sees_another(world: World) -> None:
    owner, x, y, friend = world.members("owner", "x", "y", "friend")
    item = campaign(owner.id, tlp=Tlp.RED, recipients=(x.id, y.id))
    owner.share(item)
    hide_second_version(owner, item, friend)
    assert correct(friend, item["id"], "disputed", "of the second").status_code == 202
    assert told(x) == told(y) == []
    assert correct(x, item["id"], "disputed", "of the first").status_code == 202
    assert told(x) == told(y) == [(item["id"], "disputed", "of the first")]
    assert told(friend) == [(item["id"], "disputed", "of the second")]
    assert len(told(owner)) == 2


def test_who_sees_two_versions_disputes_the_newer_and_is_told_once(world: World) -> None:
    owner, stranger, friend, other = world.members("owner", "stranger", "friend", "other")
    item = campaign(owner.id)
    owner.share(item)
    hide_second_version(owner, item, friend, other)
    correct(friend, item["id"], "disputed", "of the second")
    assert told(stranger) == []
    correct(stranger, item["id"], "disputed", "of the first")
    assert [reason for *_, reason in told(stranger)] == ["of the first"]
    assert [reason for *_, reason in told(other)] == [reason for *_, reason in told(friend)] == ["of the second"]
    correct(owner, item["id"], "corrected")
    correct(other, item["id"], "disputed", "still")
    assert [kind for _, kind, _ in told(friend)] == ["disputed", "corrected", "disputed"]
    assert [kind for _, kind, _ in told(stranger)] == ["disputed", "corrected"]


def test_a_dispute_in_one_collection_is_none_in_another(world: World) -> None:
    owner, x, y = world.members("owner", "x", "y")
    steward = world.member("steward", "steward")
    item = campaign(owner.id, tlp=Tlp.RED, recipients=(x.id, y.id))
    owner.share(item)
    owner.share(campaign(owner.id) | {"id": item["id"]}, collection="inbox")
    assert correct(steward, item["id"], "disputed", "in the inbox").status_code == 202
    assert told(x) == []
    assert correct(x, item["id"], "disputed", "in shared").status_code == 202
    assert told(x) == told(y) == [(item["id"], "disputed", "in shared")]
    assert told(steward) == [(item["id"], "disputed", "in the inbox")]


def test_what_appears_under_an_id_that_one_disputed_can_be_disputed_too(world: World) -> None:
    owner, steward = world.member("owner"), world.member("steward", "steward")
    item = campaign(owner.id)
    owner.share(item)
    assert correct(steward, item["id"], "disputed").status_code == 202
    owner.share(item, collection="inbox")
    assert correct(steward, item["id"], "disputed").status_code == 202
    assert correct(steward, item["id"], "disputed").status_code == 409


def test_pages_go_on_where_they_ended_and_a_cursor_is_one_members(world: World) -> None:
    owner, reader, other = world.members("owner", "reader", "other")
    items = [campaign(owner.id) for _ in range(5)]
    owner.share(*items)
    for item in items:
        correct(owner, item["id"], "corrected", item["id"])
    page = reader.get("/v1/corrections?limit=3").json()
    assert (len(page["corrections"]), page["more"]) == (3, True)
    rest = reader.get(f"/v1/corrections?limit=3&after={page['next']}").json()
    assert [one["object_id"] for one in page["corrections"] + rest["corrections"]] == [one["id"] for one in items]
    assert rest["more"] is False
    correct(owner, items[0]["id"], "corrected", "later")
    assert told(reader, f"?after={rest['next']}") == [(items[0]["id"], "corrected", "later")]
    assert other.get(f"/v1/corrections?after={rest['next']}").status_code == 400


def test_times_are_when_it_was_said(world: World) -> None:
    owner = world.member("owner")
    item = campaign(owner.id)
    owner.share(item)
    correct(owner, item["id"], "corrected")
    world.clock.now += DAY
    assert owner.get("/v1/corrections").json()["corrections"][0]["at"].startswith("2026-11-18T")


def test_in_a_collection_that_one_does_not_read_one_hears_of_ones_own(world: World) -> None:
    steward = world.member("steward", "steward")
    writer, other = world.member("writer", "contributor"), world.member("other")
    item, hers = campaign(writer.id), campaign(writer.id, tlp=Tlp.RED, recipients=(other.id, steward.id))
    writer.share(item)
    writer.share(hers, collection="inbox")
    assert correct(other, item["id"], "disputed").status_code == 202
    assert told(writer) == [(item["id"], "disputed", "we erred")]
    assert correct(steward, hers["id"], "disputed").status_code == 202
    assert told(other) == [(item["id"], "disputed", "we erred")]
    assert len(told(writer)) == 2


def test_what_a_member_may_not_see_is_absent_to_it(world: World) -> None:
    owner, stranger = world.members("owner", "stranger")
    item = campaign(owner.id, tlp=Tlp.RED)
    owner.share(item)
    for kind in ("withdrawn", "corrected", "disputed"):
        made = [correct(stranger, name, kind) for name in (item["id"], absent())]
        assert {one.status_code for one in made} == {404}
        assert made[0].content == made[1].content
    assert told(owner) == []


@pytest.mark.parametrize("change", [{"kind": "block"}, {"reason": ""}, {"reason": "x" * 2001}, {"by": "ann"}])
def test_what_is_no_correction_is_refused(world: World, change: dict[str, str]) -> None:
    (ann,) = world.members("ann")
    body = {"object_id": absent(), "kind": "disputed", "reason": "no"} | change
    assert ann.post("/v1/corrections", body).status_code == 422
