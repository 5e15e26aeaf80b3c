"""Push and pull against a real hub."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.sharing.hubs import BANDS, DAY, NOW, Site, clearing_of, harvest, outbox_of, running_hub

from stillwatch.errors import PolicyRefusedError, RemoteError
from stillwatch.hub.hub import open_storage
from stillwatch.hub.members import find_member, remove_member
from stillwatch.records.indicators import load_indicators
from stillwatch.sharing.clearance.events import Pushed
from stillwatch.sharing.clearance.model import Fact, Item, Terms
from stillwatch.sharing.clearance.places import Place
from stillwatch.sharing.exchange import RECEIVED, PullOutcome, PushOutcome, pull, push
from stillwatch.sharing.received import Inbox
from stillwatch.sharing.signing import Signer
from stillwatch.sharing.wire import members, taxii
from stillwatch.sharing.wire.connection import TAXII, Connection, Credentials, RefusedError
from stillwatch.sharing.wire.taxii import Collection, Sent, find_collection


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_hub(tmp_path_factory.mktemp("hub"), *(f"m{number}" for number in range(64)), "steward") as site:
        yield site


@pytest.fixture
def site(shared_site: Site) -> Site:
    """The one hub, with two members that no other test has met."""
    names = [name for name in shared_site.members if name != "steward"]
    taken = [names.pop(), names.pop()]
    pair = {new: shared_site.members.pop(old) for new, old in zip(("heron", "osprey"), taken, strict=True)}
    pair["steward"] = shared_site.members["steward"]
    return shared_site._replace(members=pair)


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A push that is killed once the hub has what was sent, until it is undone."""
    whole = Collection.add

    def add(self: Collection, objects: Any) -> Iterator[list[Sent]]:
        list(whole(self, objects))  # the hub has them, and nobody here knows
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(Collection, "add", add)
    return monkeypatch


def send(directory: Path, site: Site, *names: str, now_s: float = NOW, until: str = "2026-12-31") -> PushOutcome:
    with outbox_of(directory, site, "heron") as outbox, site.connection("heron") as connection:
        clearing = clearing_of(outbox, now_s, until)
        clearing.clear([harvest(name) for name in names])
        return push(outbox, clearing, connection, "shared", lambda: now_s)


def kept(outbox: Path) -> list[bytes]:
    """Return the objects of an outbox."""
    return [line for path in (outbox / "objects").glob("*.jsonl") for line in path.read_bytes().splitlines()]


def fetch(directory: Path, site: Site, name: str = "osprey") -> PullOutcome:
    with site.connection(name) as connection:
        return pull(directory, connection, "shared", lambda: NOW, site.members[name][0])


def ours(directory: Path, site: Site) -> list[Any]:
    return [one for one in load_indicators(directory / RECEIVED) if one.source == site.members["heron"][0]]


def test_what_was_refused_is_offered_again(tmp_path: Path, site: Site) -> None:
    with outbox_of(tmp_path, site, "heron") as outbox, site.connection("heron") as connection:
        clearing = clearing_of(outbox)
        clearing.clear([harvest("cmp-1")])
        for made in outbox.latest().values():
            refused = Pushed(ts=NOW, sha256=made.sha256, hub=connection.url, accepted=False, message="no member")
            outbox.record([refused], NOW)
        assert push(outbox, clearing, connection, "shared", lambda: NOW).taken == 3
        assert push(outbox, clearing, connection, "shared", lambda: NOW).taken == 0


def test_an_outbox_is_for_one_hub_and_says_so(tmp_path: Path, site: Site) -> None:
    send(tmp_path, site, "cmp-1")
    with outbox_of(tmp_path, site, "heron") as outbox, site.connection("heron") as connection:
        assert push(outbox, clearing_of(outbox), connection, "shared", lambda: NOW).other_hub == 0
        connection.url = "https://other.example/"
        told = push(outbox, clearing_of(outbox), connection, "shared", lambda: NOW)
    assert (told.taken, told.other_hub) == (0, 3)


def test_what_is_sent_arrives_byte_for_byte_with_who_sent_it(tmp_path: Path, site: Site) -> None:
    sent = send(tmp_path / "outbox", site, "cmp-1")
    assert (sent.taken, sent.refused, sent.waiting) == (3, [], [])
    fetch(tmp_path / "in", site)
    with Inbox(tmp_path / "in" / "received.sqlite") as inbox:
        came = {one.sha256: one for one in inbox.latest() if one.source == site.members["heron"][0]}
    assert sorted(one.raw for one in came.values()) == sorted(kept(tmp_path / "outbox"))
    (indicator,) = ours(tmp_path / "in", site)
    assert indicator.template_bands == BANDS
    assert indicator.confidence == "moderate"
    assert indicator.campaign_ref is not None
    assert indicator.cleared is not None


def test_a_second_push_sends_nothing_and_a_second_pull_brings_nothing(tmp_path: Path, site: Site) -> None:
    send(tmp_path / "outbox", site, "cmp-1")
    assert send(tmp_path / "outbox", site, "cmp-1").taken == 0
    fetch(tmp_path / "in", site)
    assert fetch(tmp_path / "in", site).objects == 0


def test_own_objects_are_no_news(tmp_path: Path, site: Site) -> None:
    send(tmp_path / "outbox", site, "cmp-1")
    fetch(tmp_path / "in", site, "heron")
    assert ours(tmp_path / "in", site) == []


def test_a_push_that_breaks_off_goes_on_where_it_was(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, posts = Collection.add, []

    def broken(self: Collection, batch: Any) -> list[Sent]:
        posts.append(batch)
        if len(posts) > 1:
            raise RemoteError("gone")
        return whole(self, batch)

    monkeypatch.setattr(taxii, "_POST_OBJECTS", 2)
    monkeypatch.setattr(Collection, "add", broken)
    with pytest.raises(RemoteError, match="gone"):
        send(tmp_path / "outbox", site, "cmp-1")
    monkeypatch.undo()
    assert send(tmp_path / "outbox", site, "cmp-1").taken == 1


def test_a_pull_that_dies_between_pages_loses_and_repeats_nothing(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillwatch.sharing.wire.taxii.PAGE", 2)
    send(tmp_path / "outbox", site, "cmp-1", "cmp-2", "cmp-3")
    keep, pages = Inbox.keep, []

    def dying(self: Inbox, objects: Any, cursors: Any, now_s: float) -> int:
        pages.append(objects)
        if len(pages) == 3:
            raise KeyboardInterrupt
        return keep(self, objects, cursors, now_s)

    monkeypatch.setattr(Inbox, "keep", dying)
    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path / "in", site)
    fetch(tmp_path / "in", site)
    assert len(ours(tmp_path / "in", site)) == 3


def test_a_withdrawal_reaches_who_had_pulled(tmp_path: Path, site: Site) -> None:
    send(tmp_path / "outbox", site, "cmp-1")
    fetch(tmp_path / "in", site)
    (indicator,) = ours(tmp_path / "in", site)
    with outbox_of(tmp_path / "outbox", site, "heron") as outbox, site.connection("heron") as connection:
        clearing = clearing_of(outbox, NOW + DAY)
        clearing.withdraw(indicator.indicator_id, by="R. Ames", reason="the accounts were taken over")
        assert push(outbox, clearing, connection, "shared", lambda: NOW + DAY).taken == 1
    fetch(tmp_path / "in", site)
    assert ours(tmp_path / "in", site) == []


def collections_with(site: Site, object_id: str) -> list[str]:
    """Return the collections in which the steward sees an object."""
    found = []
    with site.connection("steward") as connection:
        for name in ("shared", "inbox"):
            pages = find_collection(connection, name).pages(None)
            if any(json.loads(raw)["id"] == object_id for page in pages for raw in page.objects):
                found.append(name)
    return found


def test_a_withdrawal_goes_to_the_collection_that_has_the_object(tmp_path: Path, site: Site) -> None:
    with outbox_of(tmp_path / "outbox", site, "heron") as outbox, site.connection("heron") as connection:
        clearing = clearing_of(outbox)
        clearing.clear([with_account(harvest())])
        sent = push(outbox, clearing, connection, "inbox", lambda: NOW)
        assert sent.taken == 4
        names = list(outbox.latest())
        for name in names:
            clearing.withdraw(name, by="R. Ames", reason="the accounts were taken over")
        wrong = push(outbox, clearing, connection, "shared", lambda: NOW)
        assert (wrong.taken, wrong.deleted) == (0, 0)
        assert [collections_with(site, name) for name in names] == [["inbox"]] * 4
        inbox = find_collection(connection, "inbox").id
        assert wrong.elsewhere == [f"4 withdrawn objects are still at {site.url}/ {inbox}: `share push` there"]
        right = push(outbox, clearing, connection, "inbox", lambda: NOW)
        assert (right.taken, right.deleted) == (3, 0)  # who may not read the inbox may delete nothing there
        assert "1 withdrawn objects" in right.elsewhere[0]
        assert "ask its operator" in right.elsewhere[0]
        assert push(outbox, clearing, connection, "inbox", lambda: NOW).taken == 0


def test_what_a_killed_push_brought_is_taken_back(tmp_path: Path, site: Site, killed: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        send(tmp_path / "outbox", site, "cmp-1")
    killed.undo()
    with outbox_of(tmp_path / "outbox", site, "heron") as outbox, site.connection("heron") as connection:
        clearing = clearing_of(outbox)
        names = list(outbox.latest())
        for name in names:
            clearing.withdraw(name, by="R. Ames", reason="wrong")
        assert push(outbox, clearing, connection, "shared", lambda: NOW).taken == 3
        assert all(outbox.places.of(name) == [] for name in names)
    fetch(tmp_path / "in", site)
    assert ours(tmp_path / "in", site) == []


def test_a_deletion_in_the_wrong_collection_counts_for_nothing(tmp_path: Path, site: Site) -> None:
    """Of an old log nobody knows which collection it speaks of: only one that had the object ends the matter."""
    with outbox_of(tmp_path / "outbox", site, "heron") as outbox, site.connection("heron") as connection:
        clearing = clearing_of(outbox)
        clearing.clear([with_account(harvest())])
        account = next(name for name in outbox.latest() if name.startswith("user-account"))
        sha256 = outbox.latest()[account].sha256
        outbox.record([Pushed(ts=NOW, sha256=sha256, hub=connection.url, accepted=True)], NOW)
        push(outbox, clearing, connection, "shared", lambda: NOW)
        clearing.withdraw(account, by="R. Ames", reason="it was taken over")
        sent = push(outbox, clearing, connection, "shared", lambda: NOW)
        assert (sent.deleted, outbox.places.of(account)) == (0, [Place(connection.url)])  # 404: it was not there
        assert "in which of its collections" in sent.elsewhere[0]


def test_an_account_is_deleted_where_it_is(tmp_path: Path, site: Site) -> None:
    with outbox_of(tmp_path / "outbox", site, "heron") as outbox, site.connection("heron") as connection:
        clearing = clearing_of(outbox)
        clearing.clear([with_account(harvest())])
        push(outbox, clearing, connection, "shared", lambda: NOW)
        account = next(name for name in outbox.latest() if name.startswith("user-account"))
        clearing.withdraw(account, by="R. Ames", reason="it was taken over")
        wrong = push(outbox, clearing, connection, "inbox", lambda: NOW)
        assert (wrong.deleted, collections_with(site, account)) == (0, ["shared"])
        right = push(outbox, clearing, connection, "shared", lambda: NOW)
        assert (right.deleted, right.elsewhere, collections_with(site, account)) == (1, [], [])


def with_as_number(item: Item) -> Item:
    return msgspec.structs.replace(item, facts=(*item.facts, Fact(field="infrastructure.asn", value=64_512)))


def test_a_push_that_was_killed_while_it_deleted_goes_on(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An AS number has one id whoever tells of it: once ours is gone, the hub speaks of another member's."""
    for name in ("osprey", "heron"):
        with outbox_of(tmp_path / name, site, name) as outbox, site.connection(name) as connection:
            clearing = clearing_of(outbox)
            clearing.clear([with_as_number(harvest())])
            push(outbox, clearing, connection, "shared", lambda: NOW)
    with outbox_of(tmp_path / "heron", site, "heron") as outbox, site.connection("heron") as connection:
        clearing = clearing_of(outbox)
        number = next(name for name in outbox.latest() if name.startswith("autonomous-system"))
        clearing.withdraw(number, by="R. Ames", reason="wrong")
        whole = Collection.delete

        def killed(self: Collection, object_id: str) -> bool:
            whole(self, object_id)
            raise KeyboardInterrupt

        monkeypatch.setattr(Collection, "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            push(outbox, clearing, connection, "shared", lambda: NOW)
        monkeypatch.undo()
        clearing.clear([harvest("cmp-2")])
        sent = push(outbox, clearing, connection, "shared", lambda: NOW)
        assert (sent.taken, sent.deleted, sent.refused, sent.elsewhere) == (3, 1, [], [])
    assert collections_with(site, number) == ["shared"]  # the other member's


def test_a_deletion_that_is_refused_keeps_nothing_back(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_self: Collection, _object_id: str) -> bool:
        raise RefusedError("the hub refused (409)")

    with outbox_of(tmp_path / "outbox", site, "heron") as outbox, site.connection("heron") as connection:
        clearing = clearing_of(outbox)
        clearing.clear([with_account(harvest())])
        push(outbox, clearing, connection, "shared", lambda: NOW)
        account = next(name for name in outbox.latest() if name.startswith("user-account"))
        clearing.withdraw(account, by="R. Ames", reason="it was taken over")
        clearing.clear([harvest("cmp-2")])
        monkeypatch.setattr(Collection, "delete", refused)
        sent = push(outbox, clearing, connection, "shared", lambda: NOW)
        assert (sent.taken, sent.deleted, sent.refused) == (3, 0, [(account, "the hub refused (409)")])
        [note] = sent.elsewhere
        assert "may not" not in note
        assert "reasons" in note


def test_a_recipient_that_left_the_hub_keeps_nothing_in_force(tmp_path: Path, killed: pytest.MonkeyPatch) -> None:
    """What a killed push brought is known to be there, though the hub refuses it later; and all of it is taken back."""

    def revoked(site: Site) -> set[bool]:
        with site.connection("osprey") as connection:
            pages = find_collection(connection, "shared").pages(None)
            return {json.loads(raw).get("revoked", False) for page in pages for raw in page.objects}

    with running_hub(tmp_path / "hub", "heron", "osprey", "swift") as site:
        named = Terms(recipients=(site.members["osprey"][0], site.members["swift"][0]))
        with outbox_of(tmp_path / "outbox", site, "heron") as outbox, site.connection("heron") as connection:
            clearing = clearing_of(outbox, terms=named)
            clearing.clear([harvest()])
            with pytest.raises(KeyboardInterrupt):
                push(outbox, clearing, connection, "shared", lambda: NOW)
            killed.undo()
            with open_storage(tmp_path / "hub") as storage, storage.writing() as db:
                swift = find_member(db, "swift")
                assert swift is not None
                remove_member(db, swift, storage.now())
            sent = push(outbox, clearing, connection, "shared", lambda: NOW)
            assert (sent.taken, len(sent.refused)) == (0, 3)
            assert revoked(site) == {False}
            for name in outbox.latest():
                clearing.withdraw(name, by="R. Ames", reason="wrong")
            told = push(outbox, clearing, connection, "shared", lambda: NOW)
            assert (told.taken, told.refused, told.elsewhere) == (3, [], [])
            assert revoked(site) == {True}


def test_a_hub_that_moved_is_told(tmp_path: Path, site: Site) -> None:
    with outbox_of(tmp_path / "outbox", site, "heron") as outbox, site.connection("heron") as connection:
        clearing = clearing_of(outbox)
        clearing.clear([with_account(harvest())])
        push(outbox, clearing, connection, "shared", lambda: NOW)
        for name in outbox.latest():
            clearing.withdraw(name, by="R. Ames", reason="wrong")
        moved = site.url.replace("127.0.0.1", "localhost")
        with Connection(moved, Credentials(site.members["heron"][1])) as there:
            told = push(outbox, clearing, there, "shared", lambda: NOW)
        assert (told.taken, told.deleted, told.elsewhere) == (3, 1, [])


def test_a_lost_file_keeps_nothing_else_back(tmp_path: Path, site: Site) -> None:
    with outbox_of(tmp_path / "outbox", site, "heron") as outbox, site.connection("heron") as connection:
        clearing = clearing_of(outbox)
        clearing.clear([harvest()])
        push(outbox, clearing, connection, "shared", lambda: NOW)
        name = next(iter(outbox.latest()))
        clearing.withdraw(name, by="R. Ames", reason="wrong")
        for path in (tmp_path / "outbox" / "objects").iterdir():
            path.unlink()
        clearing.clear([harvest("cmp-2")])
        sent = push(outbox, clearing, connection, "shared", lambda: NOW)
        assert sent.taken == 3
        [waiting] = sent.waiting
        assert waiting.startswith(f"{name} is not taken back")


def test_what_is_anonymous_is_taken_and_vouched_for_by_the_hub(tmp_path: Path, site: Site) -> None:
    member_id = site.members["heron"][0]
    with outbox_of(tmp_path / "outbox", site, "heron") as outbox, site.connection("heron") as connection:
        outbox.be_hidden_by(members.hidden_by(connection))
        clearing_of(outbox).clear([harvest("named")])
        hidden = clearing_of(outbox, terms=Terms(anonymous=True))
        hidden.clear([with_account(harvest("hidden"))])
        assert (named := push(outbox, hidden, connection, "shared", lambda: NOW)).refused == []
        assert (named.taken, named.apart) == (3, 4)
        sent = push(outbox, hidden, connection, "shared", lambda: NOW, anonymous=True)
        assert (sent.taken, sent.refused, sent.waiting, sent.apart) == (4, [], [], 0)
        made = [one for one in outbox.made.values() if one.anonymous]
    with site.connection("osprey") as connection:
        served = [raw for page in find_collection(connection, "shared").pages(None) for raw in page.objects]
        ours = [raw for raw in served if json.loads(raw)["id"] in {one.object_id for one in made}]
        assert len(ours) == 4
        signed = members.signatures(connection, [one.sha256 for one in made])
    assert {one.member_id for one in signed.values()} == {"anonymous"}
    assert len(signed) == 4
    with outbox_of(tmp_path / "outbox", site, "heron") as outbox:
        secrets = (member_id, outbox.signer.public_key)
    told = b"".join(ours).decode() + json.dumps([msgspec.to_builtins(one) for one in signed.values()])
    assert not any(secret in told for secret in secrets)


def test_what_is_anonymous_is_taken_back_by_a_push_of_its_own(tmp_path: Path, site: Site) -> None:
    with outbox_of(tmp_path / "outbox", site, "heron") as outbox, site.connection("heron") as connection:
        outbox.be_hidden_by(members.hidden_by(connection))
        clearing = clearing_of(outbox, terms=Terms(anonymous=True))
        clearing.clear([with_account(harvest())])
        push(outbox, clearing, connection, "shared", lambda: NOW, anonymous=True)
        for name in outbox.latest():
            clearing.withdraw(name, by="R. Ames", reason="the accounts were taken over")
        wrong = push(outbox, clearing, connection, "shared", lambda: NOW)
        assert (wrong.taken, wrong.deleted) == (0, 0)
        assert "--anonymous" in wrong.elsewhere[0]
        right = push(outbox, clearing, connection, "shared", lambda: NOW, anonymous=True)
        assert (right.taken, right.deleted, right.refused, right.elsewhere) == (3, 1, [], [])


def test_what_is_anonymous_goes_to_no_hub_that_does_not_stand_for_the_member(tmp_path: Path, site: Site) -> None:
    with outbox_of(tmp_path / "outbox", site, "heron") as outbox, site.connection("heron") as connection:
        outbox.be_hidden_by("identity--0c5f0a52-7d0f-4c37-9f44-2b8a5d1e6a10")
        clearing = clearing_of(outbox, terms=Terms(anonymous=True))
        clearing.clear([harvest()])
        with pytest.raises(PolicyRefusedError, match="stands for"):
            push(outbox, clearing, connection, "shared", lambda: NOW, anonymous=True)


def with_account(item: Item) -> Item:
    told = {"account": "acc-1", "role": "harvester", "token": "r255-v1:2026-q3:" + "5e" * 64}
    facts = (
        Fact(field="account.id", value="acc-1", context=told),
        Fact(field="identity.email", value="a@mail.example", context=told),
    )
    return msgspec.structs.replace(item, facts=(*item.facts, *facts))


def test_what_nobody_signed_is_kept_and_not_acted_on(tmp_path: Path, site: Site) -> None:
    send(tmp_path / "outbox", site, "cmp-1")
    indicator = next(json.loads(line) for line in kept(tmp_path / "outbox") if b'"type":"indicator"' in line)
    forged = {**indicator, "id": "indicator--6f9c2f60-3f0a-4b52-9d6e-0d6f4f5b8a11"}
    with site.connection("heron") as connection:  # the hub takes it from nobody else
        connection.post("exchange/collections/shared/objects/", json.dumps({"objects": [forged]}).encode(), TAXII)
    outcome = fetch(tmp_path / "in", site)
    assert outcome.unsigned >= 1
    assert [one.indicator_id for one in ours(tmp_path / "in", site)] == [indicator["id"]]


def test_what_a_reader_disputes_is_left_out(tmp_path: Path, site: Site) -> None:
    send(tmp_path / "outbox", site, "cmp-1")
    fetch(tmp_path / "in", site)
    (indicator,) = ours(tmp_path / "in", site)
    with site.connection("osprey") as connection:
        body = {"object_id": indicator.indicator_id, "kind": "disputed", "reason": "it is our evaluation"}
        connection.post("v1/corrections", json.dumps(body).encode())
    assert fetch(tmp_path / "in", site).corrections == 1
    assert ours(tmp_path / "in", site) == []


def test_another_key_of_a_known_member_is_told(tmp_path: Path, site: Site) -> None:
    send(tmp_path / "outbox", site, "cmp-1")
    assert fetch(tmp_path / "in", site).new_keys == []
    (tmp_path / "outbox" / "signing.key").unlink()
    send(tmp_path / "outbox", site, "cmp-2")
    assert fetch(tmp_path / "in", site).new_keys == [site.members["heron"][0]]


def test_a_basis_that_ended_keeps_back_what_was_cleared_under_it(tmp_path: Path, site: Site) -> None:
    with outbox_of(tmp_path / "outbox", site, "heron") as outbox, site.connection("heron") as connection:
        clearing_of(outbox).clear([harvest()])
        later = clearing_of(outbox, NOW + 2 * DAY, until="2026-03-18")
        sent = push(outbox, later, connection, "shared", lambda: NOW + 2 * DAY)
    assert sent.taken == 0
    assert len(sent.waiting) == 3
    assert "2026-03-19" in sent.waiting[0]


def test_an_object_that_was_changed_on_the_disk_is_not_sent(tmp_path: Path, site: Site) -> None:
    with outbox_of(tmp_path / "outbox", site, "heron") as outbox, site.connection("heron") as connection:
        clearing = clearing_of(outbox)
        clearing.clear([harvest()])
        path = next((tmp_path / "outbox" / "objects").glob("*.jsonl"))
        path.write_bytes(path.read_bytes().replace(b"100-999", b"10-9999"))
        with pytest.raises(PolicyRefusedError, match="not what was cleared"):
            push(outbox, clearing, connection, "shared", lambda: NOW)


def test_a_signature_of_another_key_counts_for_nothing(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(tmp_path / "outbox", site, "cmp-1")
    forger = Signer.make(tmp_path / "forger.key")
    honest = members.signatures

    def forged(connection: Any, digests: Any) -> dict[str, members.Signed]:
        found = honest(connection, digests)
        return {
            sha256: members.Signed(forger.sign(b"{}"), signed.member_id, signed.public_key)
            for sha256, signed in found.items()
        }

    monkeypatch.setattr(members, "signatures", forged)
    assert fetch(tmp_path / "in", site).indicators == 0
