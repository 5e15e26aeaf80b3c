import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.hub.api.worlds import Who, World, campaign

from stillwatch.hub.api import audit
from stillwatch.hub.api.tables import cosignature
from stillwatch.hub.hub import LOG_KEY
from stillwatch.transparency.checkpoint import Checkpoint, cosign, parse, sign, verify
from stillwatch.transparency.keys import SigningKey, load_signing_key
from stillwatch.transparency.tree import leaf_hash, verify_consistency, verify_inclusion
from stillwatch.transparency.witness import Witness


def witness_key(name: str = "witness.example/ann") -> SigningKey:
    return SigningKey(name, os.urandom(32))


def checkpoint(who: Who, query: str = "") -> bytes:
    answer = who.get(f"/v1/audit/checkpoint{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    found: bytes = answer.content
    return found


def send(who: Who, note: bytes, line: bytes, key: SigningKey) -> Any:
    body = {"checkpoint": note.decode(), "line": line.decode(), "key": key.verifying.text}
    return who.post("/v1/audit/cosignatures", body)


def log_key(world: World) -> SigningKey:
    return load_signing_key(world.hub.log_dir.parent / LOG_KEY, "log")


def filled(world: World, count: int = 5) -> Who:
    who = world.member("ann")
    for _ in range(count):
        who.share(campaign(who.id))
    world.publish()
    return who


def test_before_the_first_checkpoint_there_is_none(world: World) -> None:
    (ann,) = world.members("ann")
    for path in ("checkpoint", "checkpoint?witnessed=true", "tile/0/000", "proof/consistency?from=0&to=0"):
        assert ann.get(f"/v1/audit/{path}").status_code == 404


def test_a_member_follows_the_log_by_its_tiles_and_proofs(world: World) -> None:
    ann = filled(world)
    old = parse(checkpoint(ann)).checkpoint
    filled(world, 4)
    signed = parse(checkpoint(ann))
    verify(signed, log_key(world).verifying)
    new = signed.checkpoint
    bundle = ann.get(f"/v1/audit/tile/entries/000.p/{new.size}")
    assert bundle.headers["content-type"] == "application/octet-stream"
    first = world.hub.log.entry(0)
    assert bundle.content[2 : 2 + len(first)] == first
    proof = ann.get(f"/v1/audit/proof/inclusion?leaf=0&size={new.size}").json()
    hashes = [bytes.fromhex(one) for one in proof["hashes"]]
    assert proof["root"] == new.root.hex()
    assert verify_inclusion(leaf_hash(first), 0, new.size, hashes, new.root)
    grown = ann.get(f"/v1/audit/proof/consistency?from={old.size}&to={new.size}").json()
    assert (grown["from"], grown["to"]) == (old.size, new.size)
    proof_of_growth = [bytes.fromhex(one) for one in grown["hashes"]]
    assert verify_consistency(old.size, old.root, new.size, new.root, proof_of_growth)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("proof/inclusion", 400),
        ("proof/inclusion?leaf=x&size=1", 400),
        ("proof/inclusion?leaf=0&size=99", 404),
        ("proof/inclusion?leaf=5&size=3", 400),
        ("proof/inclusion?leaf=-1&size=3", 400),
        ("proof/consistency?from=4&to=2", 400),
        ("proof/consistency?from=1&to=999999999999999999999", 400),
        ("tile/0/999", 404),
        ("tile/%2e%2e/log.key", 404),
        ("tile/entries/00%00", 404),
    ],
)
def test_what_is_not_there_is_said(world: World, path: str, status: int) -> None:
    assert filled(world).get(f"/v1/audit/{path}").status_code == status


def test_a_witness_sees_growth_and_its_line_is_served(world: World, tmp_path: Path) -> None:
    ann = filled(world)
    key = witness_key()
    note = checkpoint(ann)
    origin = parse(note).checkpoint.origin
    seen = Witness(tmp_path / "state" / "last", key, origin, log_key(world).verifying)
    assert send(ann, note, seen.cosign(note, [], world.clock.now), key).json() == {"size": parse(note).checkpoint.size}
    served = parse(checkpoint(world.member("ben")))
    assert verify(served, key.verifying.timed()) == int(world.clock.now)
    filled(world, 1)
    with pytest.raises(Exception, match="no signature"):
        verify(parse(checkpoint(ann)), key.verifying.timed())
    held = parse(checkpoint(ann, "?witnessed=true"))
    assert parse(checkpoint(ann, "?witnessed=1")) == held
    assert ann.get("/v1/audit/checkpoint?witnessed=maybe").status_code == 400
    verify(held, key.verifying.timed())
    verify(held, log_key(world).verifying)
    assert held.checkpoint == served.checkpoint


def test_lines_of_several_witnesses_stand_below_one_checkpoint(world: World) -> None:
    ann, ben = filled(world), world.member("ben")
    keys = {"ann": witness_key("a"), "ben": witness_key("b")}
    note = checkpoint(ann)
    for who in (ann, ben, ann):
        key = keys[who.member.name]
        assert send(who, note, cosign(parse(note), key, world.clock.now), key).status_code == 202
    served = parse(checkpoint(ann))
    assert len(served.lines) == 4
    for key in keys.values():
        verify(served, key.verifying.timed())


def test_a_member_witnesses_with_one_key_and_no_other_member_with_it(world: World) -> None:
    ann, ben, key = filled(world), world.member("ben"), witness_key()
    note = checkpoint(ann)
    line = cosign(parse(note), key, world.clock.now)
    assert send(ann, note, line, key).status_code == 202
    assert send(ben, note, line, key).status_code == 409
    other = witness_key()
    assert send(ann, note, cosign(parse(note), other, 1), other).status_code == 409


def test_what_the_witness_or_the_log_did_not_sign_is_refused(world: World) -> None:
    ann, key = filled(world), witness_key()
    note = checkpoint(ann)
    signed = parse(note)
    line = cosign(signed, key, 1)
    stranger = SigningKey(log_key(world).name, os.urandom(32))
    fork = Checkpoint(signed.checkpoint.origin, signed.checkpoint.size, bytes(32))
    forked = sign(fork, log_key(world), 1)
    ahead = sign(signed.checkpoint._replace(size=10_000), log_key(world), 1)
    unsigned = sign(signed.checkpoint, stranger, 1)
    wrong = [
        send(ann, note, line, witness_key()),
        send(ann, note, line + line, witness_key()),
        send(ann, note, b"no line", key),
        send(ann, b"no note", line, key),
        send(ann, forked, cosign(parse(forked), key, 1), key),
        send(ann, ahead, cosign(parse(ahead), key, 1), key),
        send(ann, unsigned, cosign(parse(unsigned), key, 1), key),
        send(ann, note, cosign(signed, log_key(world), 1), log_key(world)),
        ann.post("/v1/audit/cosignatures", {"checkpoint": "x", "line": "x", "key": "x"}),
    ]
    assert {one.status_code for one in wrong} == {422}
    assert len(parse(checkpoint(ann)).lines) == 2


def test_lines_of_others_in_a_note_are_not_kept(world: World) -> None:
    ann, key, other = filled(world), witness_key(), witness_key("other")
    note = checkpoint(ann)
    both = note + cosign(parse(note), other, 1)
    assert send(ann, both, cosign(parse(note), key, 1), key).status_code == 202
    names = [line.name for line in parse(checkpoint(ann, "?witnessed=true")).lines]
    assert "other" not in names


def test_old_cosignatures_are_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "KEPT", 2)
    ann, key = filled(world, 1), witness_key()
    sizes = []
    for _ in range(4):
        note = checkpoint(ann)
        sizes.append(send(ann, note, cosign(parse(note), key, 1), key).json()["size"])
        filled(world, 1)
    with world.hub.storage.reading() as db:
        kept = list(db.scalars(select(cosignature.c.size).order_by(cosignature.c.size)))
    assert kept == sizes[-2:]


def test_the_document_says_what_the_log_answers_with(world: World) -> None:
    paths = world.member("reader").get("/openapi.json").json()["paths"]
    for path, kind in (("checkpoint", "text/plain"), ("tile/{path}", "application/octet-stream")):
        (told,) = paths[f"/v1/audit/{path}"]["get"]["responses"]["200"]["content"]
        assert told.startswith(kind)
