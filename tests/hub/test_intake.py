import hashlib
import json
from typing import Any

import msgspec
import pytest
from sqlalchemy import select
from tests.hub.site import (
    GREEN,
    NOW,
    RED,
    SHARED,
    TAXII,
    Desk,
    Site,
    address,
    for_whom,
    indicator,
    newer,
    statement,
)

from stillwatch.hub.collections import find_collection
from stillwatch.hub.members import remove_member
from stillwatch.hub.storage import schema
from stillwatch.hub.storage.pages import Filter, read_page
from stillwatch.sharing.objects.tlp import MARKING_ID, Tlp, marking_definition
from stillwatch.transparency.tree import leaf_hash, root_of

ELSEWHERE = "it belongs to another member: propose a change"
OTHERWISE = "this version is stored with other content; a change needs a new version"
NOBODY = "identity--00000000-0000-4000-8000-000000000000"
GONE = "you deleted it, and it is not taken again"


def test_red_is_for_its_producer_alone(north: Desk, south: Desk) -> None:
    north.share(indicator(object_marking_refs=[RED]), open_one := indicator(object_marking_refs=[GREEN]))
    assert len(north.ids()) == 2
    assert south.ids() == [open_one["id"]]


def test_recipients_and_the_producer_see_it(site: Site, north: Desk, south: Desk) -> None:
    third = site.desk("third")
    item = indicator(object_marking_refs=[RED], **for_whom(south))
    north.share(item)
    assert north.ids() == south.ids() == [item["id"]]
    assert third.ids() == []
    assert third.get(f"{SHARED}/objects/{item['id']}/").status_code == 404


def test_a_recipient_who_is_no_member_is_told(north: Desk) -> None:
    named = for_whom(north)
    next(iter(named["extensions"].values()))["recipients"] = [NOBODY]
    assert "no member" in north.refused(indicator(**named))[0]
    assert north.ids() == []


def test_a_marking_that_nobody_knows_closes_an_object(north: Desk, south: Desk) -> None:
    north.share(item := indicator(object_marking_refs=[statement()["id"]]))
    assert (north.ids(), south.ids()) == ([item["id"]], [])


def test_a_statement_that_is_stored_or_comes_along_closes_nothing(north: Desk, south: Desk) -> None:
    along, before = statement(), statement()
    north.share(before)
    north.share(
        indicator(object_marking_refs=[along["id"]]), along, indicator(object_marking_refs=[before["id"], GREEN])
    )
    assert len(south.ids()) == 4


def test_a_marking_that_its_poster_cannot_see_is_not_known_to_it(north: Desk, south: Desk) -> None:
    hidden = statement(object_marking_refs=[RED])
    north.share(hidden)
    south.share(item := indicator(object_marking_refs=[hidden["id"]]))
    assert item["id"] not in north.ids()


def test_a_marking_of_a_scheme_that_nobody_knows_closes(north: Desk, south: Desk) -> None:
    odd = statement(
        definition_type="statement",
        extensions={
            "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d": {
                "extension_type": "property-extension",
                "tlp_2_0": "red",
            }
        },
    )
    odd.pop("definition_type")
    odd.pop("definition")
    north.share(odd, indicator(object_marking_refs=[odd["id"]]))
    assert south.ids() == [odd["id"]]


def test_what_calls_itself_a_published_marking_must_be_it(north: Desk, south: Desk) -> None:
    fake = {**marking_definition(Tlp.CLEAR), "id": MARKING_ID[Tlp.RED]}
    assert "published TLP marking" in north.refused(fake)[0]
    north.share(marking_definition(Tlp.RED))
    south.share({**marking_definition(Tlp.RED), "name": "TLP red"})
    assert len(south.ids()) == 1


def test_the_same_again_is_a_success_and_stored_once(north: Desk) -> None:
    item = indicator()
    north.share(item, item)
    status = north.share(dict(reversed(item.items())))
    assert status["successes"][0]["message"] == "already stored"
    assert len(north.ids()) == 1


def test_a_version_with_other_content_is_refused(north: Desk) -> None:
    item = indicator()
    assert north.refused(item, {**item, "name": "other"}) == [OTHERWISE]
    assert north.refused({**item, "name": "other"}) == [OTHERWISE]


def test_what_another_member_owns_is_its_own(north: Desk, south: Desk) -> None:
    item = indicator()
    north.share(item)
    assert south.refused({**item, "name": "other"}, newer(item)) == [ELSEWHERE, ELSEWHERE]
    assert south.share(item)["successes"][0]["message"] == "already stored"
    assert south.ids() == [item["id"]]


def test_a_hidden_object_is_in_nobodys_way(north: Desk, south: Desk) -> None:
    hidden = indicator(object_marking_refs=[RED])
    north.share(hidden)
    own = {**hidden, "object_marking_refs": [GREEN]}
    south.share(own, newer(own))
    assert south.objects(**{"match[version]": "all"}) == [own, newer(own)]
    assert len(north.ids()) == 2  # its own, and the latest of the other
    north.share(newer(hidden, 3))


def test_an_observable_of_two_members_is_two_statements(north: Desk, south: Desk) -> None:
    north.share(address())
    south.share(address())
    assert len(north.ids()) == 2
    north.share(address())
    north.share(address(defanged=True))
    assert len(north.ids()) == 2
    assert len(north.ids(**{"match[version]": "all"})) == 3


def test_created_by_ref_is_a_claim(site: Site, north: Desk) -> None:
    item = indicator(created_by_ref="identity--00000000-0000-4000-8000-000000000001")
    north.share(item)
    with site.hub.storage.reading() as db:
        assert read_page(db, 1, north.member.number, Filter(), after=-1, limit=1).found[0].owner == north.member.number


def test_nobody_speaks_in_another_members_name(north: Desk, south: Desk) -> None:
    item = indicator(created_by_ref=south.member.member_id)
    said = ["created_by_ref: it speaks in another member's name"]
    assert north.refused(item) == said == north.refused(address(created_by_ref=south.member.member_id))
    south.share(item)
    north.share(item)  # it is there already, and north said nothing
    assert north.refused(newer(item)) == said
    hidden = indicator(created_by_ref=south.member.member_id, object_marking_refs=[RED])
    south.share(hidden)
    assert north.refused(hidden) == said
    for nobody in ([south.member.member_id], "\0"):
        assert len(north.refused(address("192.0.2.9", created_by_ref=nobody))) == 1


def test_nobody_speaks_for_a_member_that_is_gone(site: Site, north: Desk, south: Desk) -> None:
    with site.hub.storage.writing() as db:
        remove_member(db, south.member, NOW)
    said = ["created_by_ref: it speaks in another member's name"]
    assert north.refused(indicator(created_by_ref=south.member.member_id)) == said


def test_what_was_for_a_member_that_is_gone_is_taken_back(site: Site, north: Desk, south: Desk) -> None:
    third = site.desk("third")
    north.share(item := indicator(object_marking_refs=[RED], **for_whom(south, third)))
    with site.hub.storage.writing() as db:
        remove_member(db, south.member, NOW)
    assert "is no member" in north.refused(newer(item))[0]
    assert "is no member" in north.refused(newer(item, revoked=False))[0]
    others = indicator(object_marking_refs=[RED], revoked=True, **for_whom(south, third))
    assert "is no member" in north.refused(others)[0]  # nothing of that id is stored
    nobody = newer(item, revoked=True)
    nobody["extensions"] = json.loads(json.dumps(item["extensions"]).replace(south.member.member_id, NOBODY))
    assert "is no member" in north.refused(nobody)[0]
    north.share(gone := newer(item, revoked=True))
    assert [one for one in third.objects() if one["id"] == item["id"]] == [gone]


def test_an_object_is_for_those_who_see_its_marking(site: Site, north: Desk, south: Desk) -> None:
    third, red = site.desk("third"), statement(object_marking_refs=[RED])
    named = statement(**for_whom(south))
    items = [
        indicator(object_marking_refs=[GREEN, red["id"]]),
        indicator(granular_markings=[{"marking_ref": named["id"], "selectors": ["pattern"]}]),
        indicator(object_marking_refs=[red["id"], named["id"]], **for_whom(south, third)),
        indicator(object_marking_refs=[named["id"]], **for_whom(south, third)),
    ]
    north.share(items[0], red)
    north.share(named)
    north.share(*items[1:])
    seen = {desk.member.name: set(desk.ids()) for desk in (north, south, third)}
    assert seen["north"] >= {one["id"] for one in items}
    assert seen["south"] == {named["id"], items[3]["id"]}  # the extension on `named` is a scheme of its own
    assert seen["third"] == set()


def test_markings_of_markings_count(north: Desk, south: Desk) -> None:
    chain = [statement(object_marking_refs=[RED])]
    for _ in range(20):
        chain.append(statement(object_marking_refs=[chain[-1]["id"]]))
    one, other = statement(), statement()
    one["object_marking_refs"], other["object_marking_refs"] = [other["id"]], [one["id"]]
    north.share(*reversed(chain), indicator(object_marking_refs=[chain[-1]["id"]]))
    north.share(one, other, indicator(object_marking_refs=[one["id"]]))
    assert south.ids() == []
    assert len(north.ids(limit=100)) == 25


def test_a_marking_of_another_collection_is_for_its_readers(site: Site, north: Desk, south: Desk) -> None:
    steward, marking = site.desk("s", "steward"), statement()
    assert north.post([marking], "/exchange/collections/inbox/objects/").json()["success_count"] == 1
    item = indicator(object_marking_refs=[marking["id"]])
    north.share(item)
    assert (south.ids(), steward.ids()) == ([], [item["id"]])


@pytest.mark.parametrize("kind", ["course-of-action", "opinion"])
def test_what_a_hub_must_not_carry_is_refused(north: Desk, kind: str) -> None:
    when = {"created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "spec_version": "2.1"}
    own: dict[str, Any] = {"name": "block it"}
    if kind == "opinion":
        own = {"opinion": "agree", "object_refs": ["identity--00000000-0000-4000-8000-000000000000"]}
    assert len(north.refused({"type": kind, "id": f"{kind}--00000000-0000-4000-8000-000000000000", **when, **own})) == 1


def test_versions_are_latest_for_whom_they_are(site: Site, north: Desk, south: Desk) -> None:
    third, item = site.desk("third"), indicator()
    north.share(item)
    north.share(newer(item, 2, object_marking_refs=[RED], **for_whom(south)))
    north.share(newer(item, 3, object_marking_refs=[RED]))
    for desk, months in ((north, [1, 2, 3]), (south, [1, 2]), (third, [1])):
        for path in (f"{SHARED}/objects/", f"{SHARED}/objects/{item['id']}/"):
            for wanted, expected in (
                ("last", months[-1:]),
                ("first", months[:1]),
                ("all", months),
                ("last,first", {months[0], months[-1]}),
            ):
                found = desk.get(path, **{"match[version]": wanted}).json()["objects"]
                assert sorted(int(one["modified"][5:7]) for one in found) == sorted(expected), (wanted, path)
        exact = desk.get(f"{SHARED}/objects/", **{"match[version]": "2026-02-01T00:00:00Z"}).json()
        assert ("objects" in exact) == (2 in months)


def test_an_older_version_that_comes_late(north: Desk, south: Desk) -> None:
    item = indicator()
    north.share(newer(item, 3))
    north.share(item)
    assert [one["modified"][5:7] for one in south.objects()] == ["03"]


def test_filters_by_type_and_id(north: Desk, south: Desk) -> None:
    first, second = indicator(), indicator()
    north.share(first, second, address())
    assert south.ids(**{"match[type]": "ipv4-addr"}) == [address()["id"]]
    assert sorted(south.ids(**{"match[type]": "indicator,tool"})) == sorted([first["id"], second["id"]])
    assert south.ids(**{"match[type]": "tool"}) == south.ids(**{"match[type]": "%00"}) == []
    assert south.ids(**{"match[id]": f"{first['id']},x"}) == [first["id"]]
    assert south.ids(**{"match[id]": first["id"], "match[type]": "ipv4-addr"}) == []
    assert len(south.ids(**{"match[spec_version]": "2.0,2.1"})) == 3
    assert south.ids(**{"match[spec_version]": "2.0"}) == []


def test_deletion_is_for_owners_and_leaves_a_tombstone(north: Desk, south: Desk) -> None:
    item, path = indicator(), f"{SHARED}/objects/"
    north.share(item, newer(item), address())
    assert south.ask("DELETE", f"{path}{item['id']}/").status_code == 403
    assert south.ask("DELETE", f"{path}indicator--none/").status_code == 404
    assert north.ask("DELETE", f"{path}{item['id']}/", params={"match[version]": "last"}).status_code == 200
    assert south.objects(**{"match[id]": item["id"]}) == [item]  # the older one is the latest again
    assert north.refused(newer(item)) == [GONE]
    north.share(newer(item, 3))
    north.ask("DELETE", f"{path}{item['id']}/")
    assert north.refused(item, newer(item, 3)) == [GONE, GONE]
    assert north.ask("DELETE", f"{path}{address()['id']}/", params={"match[spec_version]": "2.0"}).status_code == 200
    north.ask("DELETE", f"{path}{address()['id']}/")
    assert north.refused(address(defanged=True)) == [GONE]
    assert south.ids() == []
    south.share(item)  # the tombstone is the owner's


def test_nothing_is_deleted_in_the_inbox_by_who_cannot_read_it(site: Site, north: Desk) -> None:
    item = indicator()
    path = "/exchange/collections/inbox/objects/"
    north.post([item], path)
    assert north.ask("DELETE", f"{path}{item['id']}/").status_code == 403
    assert site.desk("reader", "reader").ask("DELETE", f"{SHARED}/objects/{item['id']}/").status_code == 403


def test_a_post_leaves_one_leaf_that_proves_each_object(site: Site, north: Desk) -> None:
    north.share(*(indicator() for _ in range(3)))
    north.refused(indicator(pattern=7))  # stores nothing, and leaves none
    with site.hub.storage.reading() as db:
        collection = find_collection(db, "shared")
        assert collection is not None
        found = read_page(db, collection.number, north.member.number, Filter(), after=-1, limit=9).found
        (data,) = db.scalars(select(schema.leaf.c.data))
        receipt = db.execute(select(schema.receipt)).one()
    digests = [site.hub.intake.digest(one.seq, one.raw) for one in found]
    assert digests[0] == hashlib.sha256(site.hub.intake.salt(found[0].seq) + found[0].raw).digest()
    assert bytes(receipt.digests) == b"".join(digests)
    told = msgspec.json.decode(bytes(data))
    assert (told["kind"], told["objects"]) == ("objects.added", root_of([leaf_hash(one) for one in digests]).hex())


def test_a_page_ends_before_it_is_too_long(north: Desk) -> None:
    long = [indicator(description="x" * 900_000) for _ in range(20)]
    for start in (0, 10):
        north.share(*long[start : start + 10])
    page = north.get(f"{SHARED}/objects/")
    assert page.json()["more"]
    assert len(page.content) < 18 * 2**20
    assert sorted(north.all_ids(1000)) == sorted(one["id"] for one in long)


def test_status_is_for_its_poster_and_for_a_while(site: Site, north: Desk, south: Desk) -> None:
    status = north.share(indicator())
    path = f"/exchange/status/{status['id']}/"
    assert north.get(path).json() == status
    assert south.get(path).status_code == 404
    from stillwatch.hub import statuses  # noqa: PLC0415 - of this test

    with site.hub.storage.writing() as db:
        assert statuses.forget(db, site.clock.now + 86_400) == 0
        assert statuses.forget(db, site.clock.now + 8 * 86_400) == 1
    assert north.get(path).status_code == 404


def test_what_is_nested_too_deep_or_no_object_is_a_failure(north: Desk) -> None:
    deep = indicator(labels=["x"])
    raw = json.dumps(deep).replace('["x"]', "[" * 150 + "]" * 150)
    many = json.dumps(indicator(labels=["[{" * 60]))
    early = json.dumps(indicator(modified="1950-01-01T00:00:00.000Z", created="1950-01-01T00:00:00.000Z"))
    body = f'{{"objects": [{raw}, {many}, 7, null, {early}]}}'
    told = north.ask("POST", f"{SHARED}/objects/", {"Content-Type": TAXII}, content=body.encode()).json()
    assert [one["message"] for one in told["failures"]] == [
        "it is nested more than 100 deep",
        "an object of STIX is a JSON object",
        "an object of STIX is a JSON object",
        "modified: it is before 1970 or no time",
    ]
    assert told["success_count"] == 1
