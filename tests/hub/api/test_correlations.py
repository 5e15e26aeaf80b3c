from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select
from tests.hub.api.worlds import BANDS, Who, World, campaign

from stillwatch.hub import correlation
from stillwatch.hub.api.tables import usage
from stillwatch.sharing.objects import build
from stillwatch.sharing.objects.extensions import AccountToken, LlmAccount, Sharing
from stillwatch.sharing.objects.tlp import Tlp


def found(who: Who, query: str = "") -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = who.get(f"/v1/correlations{query}").json()["correlations"]
    return told


def band(number: int) -> tuple[str, ...]:
    return tuple(f"{number:08x}{index:08x}" for index in range(16))


def account(user: str, *tokens: int, **sharing: Any) -> dict[str, Any]:
    made = tuple(AccountToken(kind="email", token=f"r255-v1:1:{number:0128x}") for number in tokens)
    held = LlmAccount(token_scheme="r255-v1", token_epoch="1", tokens=made)  # noqa: S106 - names of suite and epoch
    return build.user_account(held, user_id=user, sharing=Sharing(**sharing) if sharing else None)


def test_objects_with_three_bands_in_common_match_and_both_are_told(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    hers, his = campaign(ann.id, correlate=True), campaign(ben.id, bands=(*band(1)[:13], *BANDS[:3]), correlate=True)
    ann.share(hers)
    ben.share(his)
    match = {"kind": "template_bands", "members": "1", "strength": "low"}
    assert found(ann) == [{"object_id": hers["id"], "object_ids": [his["id"]]} | match]
    assert found(ben) == [{"object_id": his["id"], "object_ids": [hers["id"]]} | match]


def test_what_is_hidden_matches_without_being_named(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    hers, his = campaign(ann.id, tlp=Tlp.RED, correlate=True), campaign(ben.id, tlp=Tlp.RED, correlate=True)
    ann.share(hers)
    ben.share(his, collection="inbox")
    (one,) = found(ann)
    assert one == {
        "object_id": hers["id"],
        "kind": "template_bands",
        "members": "1",
        "strength": "high",
        "object_ids": [],
    }
    text = ann.get("/v1/correlations").text
    assert not any(part in text for part in (his["id"], ben.id, "ben", *BANDS))


@pytest.mark.parametrize(("hers", "his"), [(True, False), (False, True), (False, False)])
def test_both_owners_consent_or_nothing_is_told(world: World, *, hers: bool, his: bool) -> None:
    ann, ben = world.members("ann", "ben")
    ann.share(campaign(ann.id, correlate=hers))
    ben.share(campaign(ben.id, correlate=his))
    assert found(ann) == found(ben) == []


def test_two_bands_are_too_few_and_so_is_one_token(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    ann.share(campaign(ann.id, correlate=True), account("a", 1, 2, 3, correlate=True))
    ben.share(campaign(ben.id, bands=(*band(1), *BANDS[:2]), correlate=True), account("b", 1, 7, 8, correlate=True))
    assert found(ann) == found(ben) == []


def test_accounts_with_two_tokens_in_common_match_and_no_token_shows(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    hers, his = account("a", 1, 2, 3, correlate=True), account("b", 2, 3, correlate=True)
    ann.share(hers)
    ben.share(his)
    (one,) = found(ann)
    assert (one["object_id"], one["kind"], one["object_ids"]) == (hers["id"], "tokens", [his["id"]])
    assert "r255" not in ann.get("/v1/correlations").text


def test_ones_own_objects_do_not_match_one_another(world: World) -> None:
    (ann,) = world.members("ann")
    ann.share(campaign(ann.id, correlate=True), campaign(ann.id, correlate=True))
    assert found(ann) == []


def test_members_are_counted_to_three(world: World) -> None:
    ann = world.member("ann")
    ann.share(campaign(ann.id, correlate=True))
    counts = []
    for number in range(4):
        other = world.member(f"other {number}")
        other.share(campaign(other.id, correlate=True), campaign(other.id, correlate=True))
        counts.append(found(ann)[0]["members"])
    assert counts == ["1", "2", "3+", "3+"]


def test_a_match_comes_again_when_it_changes_and_only_then(world: World) -> None:
    ann, ben, cid = world.members("ann", "ben", "cid")
    ann.share(campaign(ann.id, bands=band(7), correlate=True), campaign(ann.id, correlate=True))
    ben.share(campaign(ben.id, correlate=True))
    page = ann.get("/v1/correlations").json()
    assert len(page["correlations"]) == 1
    assert found(ann, f"?after={page['next']}") == []
    cid.share(campaign(cid.id, correlate=True))
    assert [one["members"] for one in found(ann, f"?after={page['next']}")] == ["2"]
    assert ben.get(f"/v1/correlations?after={page['next']}").status_code == 400


def test_a_match_that_gets_less_comes_again_and_one_that_ends_does_not(world: World) -> None:
    ann, ben, cid = world.members("ann", "ben", "cid")
    hers, his = campaign(ben.id, correlate=True), campaign(cid.id, correlate=True)
    ann.share(campaign(ann.id, correlate=True))
    ben.share(hers)
    cid.share(his)
    page = ann.get("/v1/correlations").json()
    assert [one["members"] for one in page["correlations"]] == ["2"]
    ben.delete(hers["id"])
    again = ann.get(f"/v1/correlations?after={page['next']}").json()
    assert [(one["members"], one["object_ids"]) for one in again["correlations"]] == [("1", [his["id"]])]
    cid.delete(his["id"])
    assert found(ann, f"?after={again['next']}") == found(ann) == []


def test_matches_come_in_pages(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    ann.share(*(campaign(ann.id, bands=band(number), correlate=True) for number in range(3)))
    ben.share(*(campaign(ben.id, bands=band(number), correlate=True) for number in range(3)))
    first = ann.get("/v1/correlations?limit=2").json()
    second = ann.get(f"/v1/correlations?limit=2&after={first['next']}").json()
    assert (len(first["correlations"]), first["more"], len(second["correlations"]), second["more"]) == (
        2,
        True,
        1,
        False,
    )


def test_a_later_version_takes_consent_back(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    hers = campaign(ann.id, correlate=True)
    ann.share(hers)
    ben.share(campaign(ben.id, correlate=True))
    assert len(found(ben)) == 1
    later = build.revise(hers, at=world.clock.now + 10)
    later["extensions"] = campaign(ann.id)["extensions"]
    ann.share(later)
    assert found(ann) == found(ben) == []


def test_a_later_version_is_compared_and_an_older_one_that_comes_late_is_not(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    old = campaign(ann.id, bands=band(1), correlate=True)
    new = build.revise(old, at=world.clock.now + 10)
    new["extensions"] = campaign(ann.id, bands=band(2), correlate=True)["extensions"]
    ann.share(new)
    assert found(ann) == []
    ann.share(old)
    ben.share(campaign(ben.id, bands=band(1), correlate=True))
    assert found(ann) == []
    ben.share(campaign(ben.id, bands=band(2), correlate=True))
    assert [one["object_id"] for one in found(ann)] == [old["id"]]


def test_what_is_deleted_is_forgotten(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    hers = campaign(ann.id, correlate=True)
    ann.share(hers)
    ben.share(campaign(ben.id, correlate=True))
    assert len(found(ben)) == 1
    ann.delete(hers["id"])
    assert found(ann) == found(ben) == []
    with world.hub.storage.reading() as db:
        left = db.scalar(select(func.count()).select_from(correlation.mark))
    assert left == len(BANDS)


def test_a_value_that_too_many_hold_matches_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "MOST_HOLDERS", 3)
    ann, ben, cid = world.members("ann", "ben", "cid")
    ann.share(*(campaign(ann.id, correlate=True) for _ in range(6)))
    ann.share(campaign(ann.id, bands=band(5), correlate=True))
    ben.share(campaign(ben.id, correlate=True))
    cid.share(campaign(cid.id, bands=band(5), correlate=True))
    assert found(ben) == []
    assert len(found(cid)) == 1
    with world.hub.storage.reading() as db:
        held = select(func.count()).select_from(correlation.mark).group_by(correlation.mark.c.digest)
        assert max(db.scalars(held)) <= 4


def test_nobody_crowds_out_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "MOST_OF_OWNER", 2)
    crowd, ben, ann = world.members("crowd", "ben", "ann")
    crowd.share(*(campaign(crowd.id, correlate=True) for _ in range(5)))
    ben.share(campaign(ben.id, bands=BANDS[:4], correlate=True))
    ann.share(campaign(ann.id, correlate=True))
    (one,) = found(ann)
    assert (one["members"], len(one["object_ids"])) == ("2", 3)


def test_matches_do_not_depend_on_who_contributed_an_anonymous_object(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correlation, "MOST_OF_OWNER", 1)
    ann, ben, cid, dan = world.members("ann", "ben", "cid", "dan")
    told = []
    for number, contributor in enumerate((ann, cid)):
        ann.share(campaign(ann.id, bands=band(number), correlate=True))
        for _ in range(2):
            contributor.share(campaign(world.anonymous, bands=band(number), anonymous=True, correlate=True))
        ben.share(campaign(ben.id, bands=band(number), correlate=True))
        dan.share(campaign(world.anonymous, bands=band(number), anonymous=True, correlate=True))
        ben.share(campaign(ben.id, bands=band(number), correlate=True))
        told.append([(one["members"], len(one["object_ids"])) for one in found(ben)])
    assert told == [[("3+", 4), ("3+", 4)], [("3+", 4), ("3+", 4)] * 2]


def test_an_anonymous_object_is_another_members_to_all_but_its_contributor(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    hidden = campaign(world.anonymous, anonymous=True, correlate=True)
    ann.share(campaign(ann.id, correlate=True))
    ann.share(hidden)
    ann.share(
        campaign(world.anonymous, anonymous=True, correlate=True), account("a", 1, 2, anonymous=True, correlate=True)
    )
    ann.share(account("b", 1, 2, correlate=True))
    assert found(ann) == []
    with world.hub.storage.reading() as db:
        assert db.execute(select(usage)).all() == []  # one's own tokens are none that others hold too
    ben.share(campaign(ben.id, correlate=True))
    assert [(one["members"], len(one["object_ids"])) for one in found(ann)] == [("1", 1)] * 3
    assert [one["members"] for one in found(ben)] == ["3+"]
    ben.delete(found(ben)[0]["object_id"])
    assert found(ann) == []


def test_anonymous_objects_crowd_out_no_named_member(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "MOST_PARTNERS", 2)
    crowd, ben, ann = world.members("crowd", "ben", "ann")
    crowd.share(*(campaign(world.anonymous, anonymous=True, correlate=True) for _ in range(3)))
    hers = campaign(ben.id, correlate=True)
    ben.share(hers)
    ann.share(campaign(ann.id, correlate=True))
    assert hers["id"] in found(ann)[0]["object_ids"]


def test_an_object_that_becomes_anonymous_counts_by_itself(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    first = campaign(ann.id, correlate=True)
    ann.share(first, campaign(ann.id, correlate=True))
    ben.share(campaign(ben.id, correlate=True))
    assert [one["members"] for one in found(ben)] == ["1"]
    later = campaign(world.anonymous, at=world.clock.now + 10, anonymous=True, correlate=True)
    ann.share(later | {"id": first["id"]})
    assert [one["members"] for one in found(ben)] == ["2"]


def test_an_anonymous_object_matches_without_its_contributor(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    ann.share(campaign(world.anonymous, anonymous=True, correlate=True))
    ben.share(campaign(ben.id, correlate=True))
    assert len(found(ben)) == 1
    assert ann.id not in ben.get("/v1/correlations").text


def test_a_long_backlog_is_worked_off_in_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "AT_ONCE", 2)
    ann, ben = world.members("ann", "ben")
    ann.share(*(campaign(ann.id, bands=band(9), correlate=True) for _ in range(30)))
    ben.share(campaign(ben.id, correlate=True))
    ann.share(campaign(ann.id, correlate=True))
    assert found(ann) == []
    assert len(found(ann)) == 1


def test_what_takes_no_part_delays_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "AT_ONCE", 2)
    ann, ben = world.members("ann", "ben")
    items = [campaign(ann.id, tlp=Tlp.RED) for _ in range(30)]
    ann.share(*items)
    ann.share(*(build.revise(item, at=world.clock.now + 10, name="later") for item in items))
    ann.share(campaign(ann.id, correlate=True))
    ben.share(campaign(ben.id, correlate=True))
    assert len(found(ann)) == 1


def test_tokens_that_meet_others_are_noted_for_the_quota(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    ann.share(account("a", 1, 2, 3, correlate=True))
    ben.share(account("b", 1, 2, 3, correlate=True))
    found(ann)
    with world.hub.storage.reading() as db:
        kept = {row.member: msgspec.json.decode(row.usage)["matched"] for row in db.execute(select(usage))}
    assert kept == {ann.member.number: 3, ben.member.number: 3}


@pytest.mark.parametrize(
    ("kind", "shared", "word"),
    [
        ("template_bands", 3, "low"),
        ("template_bands", 6, "moderate"),
        ("template_bands", 12, "high"),
        ("tokens", 2, "low"),
        ("tokens", 4, "moderate"),
        ("tokens", 8, "high"),
    ],
)
def test_strength_is_a_band(kind: correlation.Kind, shared: int, word: str) -> None:
    assert correlation.strength(kind, shared) == word


def test_what_is_revoked_is_not_compared() -> None:
    item = campaign("identity--9facd338-0eec-42bf-b661-879595b2a97d", correlate=True)
    assert correlation.values_of(item)
    assert correlation.values_of({**item, "revoked": True}) == {}
    assert correlation.values_of({"type": "campaign"}) == {}
