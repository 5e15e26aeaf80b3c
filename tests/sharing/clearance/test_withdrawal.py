"""What is sent, and what is taken back."""

import json
from pathlib import Path

import msgspec
import pytest
from tests.sharing.clearance.factories import (
    ANN,
    BEN,
    NOW,
    Clock,
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
from stillwatch.sharing.clearance.events import ItemRuled, ObjectMade
from stillwatch.sharing.objects.validate import ObjectValidator


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
        [sent] = clearing.ready()[0]
        body = json.loads(sent.body)
        assert body["revoked"] is True
        assert "1-9" in sent.body.decode()
        assert "1000-9999" not in sent.body.decode()
        assert ObjectValidator().errors(sent.body, body) == []
        with pytest.raises(PolicyRefusedError, match="withdrawn"):
            clearing.withdraw(campaign["id"], by=ANN, reason="wrong")


def test_a_withdrawal_tells_no_hub_what_it_did_not_have(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([harvest()])
        for object_id in outbox.latest():
            clearing.withdraw(object_id, by=ANN, reason="wrong")
        ready, _ = clearing.ready()
        assert {one.object_id.partition("--")[0] for one in ready} == {"campaign", "indicator", "note", "relationship"}
        told = b"".join(one.body for one in ready)
        for content in (b"1000-9999", BANDS_0, b"8.8.4.4", b"sighting.seen", b"mitre", b"aster-2"):
            assert content not in told
        for one in ready:
            assert ObjectValidator().errors(one.body, json.loads(one.body)) == []


BANDS_0 = b"9f3a5c7d1e2b4f60"


def test_what_was_withdrawn_stays_so(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([harvest()])
        push_all(outbox, clearing)
        for object_id in outbox.latest():
            clearing.withdraw(object_id, by=ANN, reason="wrong")
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
