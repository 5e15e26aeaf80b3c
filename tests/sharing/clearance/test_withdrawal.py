"""What is sent, and what is taken back."""

import json
from pathlib import Path

import msgspec
import pytest
from tests.sharing.clearance.factories import (
    ANN,
    BANDS,
    BEN,
    DAY,
    HUB,
    MEMBER,
    NOW,
    OTHER,
    Clock,
    adopted,
    clearing_of,
    fact,
    harvest,
    item,
    of_account,
    of_type,
    outbox_in,
    push_all,
    word,
)

from stillwatch.errors import PolicyRefusedError, UsageError
from stillwatch.sharing.clearance.clearing import Clearing
from stillwatch.sharing.clearance.events import Deleted, ItemRuled, ObjectMade, Pushed, Sending
from stillwatch.sharing.clearance.model import Item
from stillwatch.sharing.clearance.outbox import Outbox
from stillwatch.sharing.clearance.places import Place
from stillwatch.sharing.clearance.withdrawal import still_at
from stillwatch.sharing.objects.extensions import SHARING
from stillwatch.sharing.objects.validate import ObjectValidator


def withdraw_all(outbox: Outbox, clearing: Clearing) -> None:
    for object_id in outbox.latest():
        clearing.withdraw(object_id, by=ANN, reason="wrong")


def test_what_was_sent_is_not_offered_again(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([harvest()])
        assert push_all(outbox, clearing) == 8
        assert clearing.ready() == ([], [])


def test_a_victim_found_later_is_not_sent(tmp_path: Path) -> None:
    told = (of_account("account.id", "acc-1"), of_account("identity.email", "a@example.com"))
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([item(*told, fact("cluster.accounts", 9))])
        found = tuple(msgspec.structs.replace(one, context={**one.context, "role": "victim"}) for one in told)
        clearing.clear([item(*found, fact("cluster.accounts", 9))])
        ready, waiting = clearing.ready()
        assert [one.object_id.partition("--")[0] for one in ready] == ["campaign"]
        assert len(waiting) == 1


def test_an_address_that_ran_out_is_not_sent(tmp_path: Path) -> None:
    clock = Clock()
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox, clock=clock)
        clearing.clear(
            [item(fact("infrastructure.hosting_ip", "8.8.4.4", residential=False, expires_at=NOW + 60, confidence=9))]
        )
        clock.now_s += 61
        assert clearing.ready()[0] == []


def test_an_item_that_is_gone_is_not_sent(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([harvest()])
        next((outbox.directory / "items").glob("*.json")).unlink()
        assert clearing.ready()[0] == []


def test_a_withdrawal_takes_back_what_a_hub_has(tmp_path: Path) -> None:
    clock = Clock()
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox, clock=clock)
        clearing.clear([item(fact("cluster.accounts", 9))])
        push_all(outbox, clearing)
        clearing.clear([item(fact("cluster.accounts", 4_000))])  # a version that no hub has
        [campaign] = of_type(outbox, "campaign")
        clearing.withdraw(campaign["id"], by=ANN, reason="wrong")
        [sent] = clearing.to_revoke(HUB)[0]
        body = json.loads(sent.body)
        assert body["revoked"] is True
        assert body["created"] == campaign["created"]
        assert ObjectValidator().errors(sent.body, body) == []
        with pytest.raises(PolicyRefusedError, match="withdrawn"):
            clearing.withdraw(campaign["id"], by=ANN, reason="wrong")


def test_a_withdrawal_says_nothing_of_what_is_taken_back(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([harvest()])
        push_all(outbox, clearing)
        withdraw_all(outbox, clearing)
        owed = clearing_of(outbox, adopted()).to_revoke(HUB)[0]  # no basis is needed
        assert {one.object_id.partition("--")[0] for one in owed} == {"campaign", "indicator", "note", "relationship"}
        told = b"".join(one.body for one in owed)
        for content in (b"1000-9999", BANDS[0].encode(), b"8.8.4.4", b"sighting.seen", b"mitre", b"aster-2"):
            assert content not in told
        for one in owed:
            assert ObjectValidator().errors(one.body, json.loads(one.body)) == []


@pytest.mark.parametrize("other", [Place(HUB.hub, "c-inbox"), Place("https://other.example/", HUB.collection)])
def test_a_withdrawal_goes_to_who_had_the_object_and_to_nobody_else(tmp_path: Path, other: Place) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([harvest()])
        push_all(outbox, clearing)
        withdraw_all(outbox, clearing)
        assert (clearing.to_revoke(other)[0], clearing.to_delete(other)) == ([], [])
        assert list(still_at(outbox)) == [HUB]
        assert len(clearing.to_delete(HUB)) == 2
        for object_id in clearing.to_delete(HUB):
            outbox.record([Deleted(ts=NOW, object_id=object_id, hub=other.hub, collection=other.collection)], NOW)
        assert len(clearing.to_delete(HUB)) == 2
        assert push_all(outbox, clearing) == 6
        for object_id in clearing.to_delete(HUB):
            outbox.record([Deleted(ts=NOW, object_id=object_id, hub=HUB.hub, collection=HUB.collection)], NOW)
        assert (clearing.to_revoke(HUB)[0], clearing.to_delete(HUB), still_at(outbox)) == ([], [], {})


def test_what_no_hub_has_needs_no_withdrawal_there(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([harvest()])
        withdraw_all(outbox, clearing)
        assert clearing.ready() == ([], [])
        assert (clearing.to_revoke(HUB)[0], still_at(outbox)) == ([], {})


def test_a_push_that_was_killed_is_taken_back_too(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([item(fact("cluster.accounts", 9))])
        [one] = clearing.ready()[0]
        outbox.record([Sending(ts=NOW, hub=HUB.hub, collection=HUB.collection, objects=(one.sha256,))], NOW)
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.withdraw(one.object_id, by=ANN, reason="wrong")
        assert [owed.object_id for owed in clearing.to_revoke(HUB)[0]] == [one.object_id]


def test_what_a_hub_refused_it_does_not_have(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([item(fact("cluster.accounts", 9))])
        [one] = clearing.ready()[0]
        at = {"hub": HUB.hub, "collection": HUB.collection}
        outbox.record([Sending(ts=NOW, objects=(one.sha256,), **at)], NOW)
        outbox.record([Pushed(ts=NOW, sha256=one.sha256, accepted=False, **at)], NOW)
        clearing.withdraw(one.object_id, by=ANN, reason="wrong")
        assert clearing.to_revoke(HUB)[0] == []


def test_every_audience_that_had_a_version_learns_of_the_withdrawal(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        for recipient in (MEMBER, OTHER):
            clearing = clearing_of(outbox, recipients=(recipient,))
            clearing.clear([item(fact("cluster.accounts", 9))])
            push_all(outbox, clearing)
        [campaign] = of_type(outbox, "campaign")
        clearing.withdraw(campaign["id"], by=ANN, reason="wrong")
        owed = [json.loads(one.body) for one in clearing.to_revoke(HUB)[0]]
        assert [one["extensions"][SHARING]["recipients"] for one in owed] == [[MEMBER], [OTHER]]
        assert len(clearing.to_revoke(HUB)[0]) == 2  # asked again, the same two
        assert len([made for made in outbox.made.values() if made.revokes]) == 2
        assert len({one["modified"] for one in owed}) == 2
        push_all(outbox, clearing)
        assert still_at(outbox) == {}


def test_entries_that_name_no_collection_are_read(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([harvest()])
        push_all(outbox, clearing, place=Place(HUB.hub))
        withdraw_all(outbox, clearing)
        assert clearing.to_revoke(Place("https://other.example/", "c"))[0] == []
        assert push_all(outbox, clearing) == 6
        assert {one.partition("--")[0] for one in still_at(outbox)[Place(HUB.hub)]} == {
            "autonomous-system",
            "user-account",
        }


def test_a_withdrawn_account_leaves_under_no_other_name(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([harvest()])
        push_all(outbox, clearing)
        [account] = of_type(outbox, "user-account")
        clearing.withdraw(account["id"], by=ANN, reason="it was taken over")
        for name in ("C-1", "C-2"):
            [outcome] = clearing_of(outbox, recipients=(OTHER,)).clear([harvest(name)])
            why = {one.field: one.why for one in outcome.rulings if one.state == "withheld"}
            assert why["account.id"] == "it was withdrawn"
        assert len(of_type(outbox, "user-account")) == 1
        assert of_type(outbox, "indicator")


def test_what_ties_a_withdrawn_indicator_to_its_campaign_is_offered_no_more(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([harvest()])
        indicator = next(one for one in of_type(outbox, "indicator") if "8.8.4.4" in one["pattern"])
        clearing.withdraw(indicator["id"], by=ANN, reason="wrong")
        for _ in range(2):
            ready, waiting = clearing.ready()
            assert waiting == []
            assert {one.object_id.partition("--")[0] for one in ready} == {
                "autonomous-system", "campaign", "indicator", "note", "relationship", "user-account"
            }  # fmt: skip
            assert not any(indicator["id"].encode() in one.body for one in ready)
            clearing.clear([harvest()])
        tie = next(one for one in of_type(outbox, "relationship") if one["source_ref"] != indicator["id"])
        clearing.withdraw(tie["id"], by=ANN, reason="wrong")  # a tie tells nothing, so nothing falls with it
        clearing.clear([harvest()])
        assert len([one for one in clearing.ready()[0] if one.object_id.startswith("indicator")]) == 1


def test_a_withdrawn_address_leaves_in_no_other_part(tmp_path: Path) -> None:
    def told(first: int) -> Item:
        more = {"residential": False, "expires_at": NOW + 10 * DAY, "confidence": 80}
        return item(*(fact("infrastructure.hosting_ip", f"8.8.4.{n}", **more) for n in range(first, 255)))

    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([told(1)])
        first = next(one for one in of_type(outbox, "indicator") if "'8.8.4.1'" in one["pattern"])
        clearing.withdraw(first["id"], by=ANN, reason="wrong")
        clearing.clear([msgspec.structs.replace(told(1), facts=told(1).facts[::-1])])
        others = [one for one in of_type(outbox, "indicator") if one["id"] != first["id"]]
        assert not any("'8.8.4.1'" in one["pattern"] for one in others)


def test_what_was_withdrawn_stays_so(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([harvest()])
        push_all(outbox, clearing)
        withdraw_all(outbox, clearing)
        push_all(outbox, clearing)
        [outcome] = clearing.clear([msgspec.structs.replace(harvest(), facts=harvest().facts[1:])])
        assert outcome.objects == ()
        assert clearing.ready() == ([], [])


@pytest.mark.parametrize(
    ("object_id", "by", "reason", "error"),
    [
        ("campaign--x", ANN, "r", PolicyRefusedError),
        ("campaign--x", "", "r", UsageError),
        ("campaign--x", ANN, "", UsageError),
    ],
)
def test_a_withdrawal_says_what_who_and_why(
    tmp_path: Path, object_id: str, by: str, reason: str, error: type[Exception]
) -> None:
    with outbox_in(tmp_path) as outbox, pytest.raises(error):
        clearing_of(outbox).withdraw(object_id, by=by, reason=reason)


def test_an_object_that_was_changed_on_the_disk_is_refused_and_made_anew(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([item(fact("cluster.accounts", 9))])
        [made] = outbox.latest().values()
        path = outbox.object_file(made)
        path.write_bytes(path.read_bytes().replace(b"1-9", b"2-9"))
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        with pytest.raises(PolicyRefusedError, match="changed"):
            clearing.ready()
        clearing.clear([item(fact("cluster.accounts", 9))])
        assert len(clearing.ready()[0]) == 1


def test_a_slot_of_a_template_leaves_empty_by_counsel_too(tmp_path: Path) -> None:
    told = item(
        fact("template.bands", ["9f3a5c7d1e2b4f60"], accounts=900),
        fact("template.text", "Write to Alice in {city of alice {nested} smith} as ever {open", accounts=900),
    )
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([told])
        [held] = clearing.held()
        assert "personal data" in held.why
        for by in (ANN, BEN):
            clearing.review(word(held.key, by))
        [indicator] = of_type(outbox, "indicator")
        assert "Write to Alice in {} as ever {}" in json.dumps(indicator)
        assert "smith" not in json.dumps(indicator)


def test_every_object_traces_to_its_item_and_its_entry(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing_of(outbox).clear([harvest()])
        [ruled] = [event for _, event in outbox._ledger if isinstance(event, ItemRuled)]
        made = [event for _, event in outbox._ledger if isinstance(event, ObjectMade)]
        assert {one.item for one in made} == {ruled.item}
        assert {number for one in made for number in one.numbers} == {1, 2, 5, 7, 9, 12, 14, 15, 19, 20, 23}
