import secrets
from pathlib import Path

from tests.hub.api.worlds import World, world_in


def key() -> str:
    return secrets.token_hex(32)


def test_all_members_show_with_role_and_keys(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    mine = key()
    assert ann.post("/v1/keys", {"public_key": mine}).json() == {"keys": [mine], "retired": []}
    told = ben.get("/v1/members").json()
    shown = {one["member_id"]: one for one in told["members"]}
    assert shown[ann.id] == {"member_id": ann.id, "name": "ann", "role": "member", "keys": [mine], "retired": []}
    assert shown[ben.id]["keys"] == []


def test_the_hub_shows_with_its_own_key_and_stands_for_the_unnamed(tmp_path: Path) -> None:
    keys = []
    for _ in range(2):
        with world_in(tmp_path) as world:
            told = world.member("ann").get("/v1/members").json()
        (hub,) = [one for one in told["members"] if one["role"] == "hub"]
        assert told["anonymous"] == hub["member_id"]
        keys.append(hub["keys"])
    assert keys[0] == keys[1]
    assert len(keys[0][0]) == 64
    assert (tmp_path / "signing-key.pem").stat().st_mode & 0o777 == 0o600


def test_a_fifth_key_retires_the_first(world: World) -> None:
    (ann,) = world.members("ann")
    keys = [key() for _ in range(5)]
    for one in keys:
        told = ann.post("/v1/keys", {"public_key": one}).json()
    assert told == {"keys": keys[:0:-1], "retired": keys[:1]}
    assert ann.post("/v1/keys", {"public_key": keys[4]}).json() == told


def test_a_key_has_one_member(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    mine = key()
    ann.post("/v1/keys", {"public_key": mine})
    assert ben.post("/v1/keys", {"public_key": mine}).status_code == 409
    hub = next(one for one in ann.get("/v1/members").json()["members"] if one["role"] == "hub")
    assert ben.post("/v1/keys", {"public_key": hub["keys"][0]}).status_code == 409


def test_keys_come_to_an_end(world: World) -> None:
    (ann,) = world.members("ann")
    answers = [ann.post("/v1/keys", {"public_key": key()}).status_code for _ in range(65)]
    assert answers == [200] * 64 + [409]


def test_what_is_no_key_is_refused(world: World) -> None:
    (ann,) = world.members("ann")
    for body in ({}, {"public_key": "ab"}, {"public_key": "AB" * 32}, {"public_key": key(), "more": 1}):
        answer = ann.post("/v1/keys", body)
        assert answer.status_code == 422
        assert answer.json()["title"] == "the body is not what this call takes"
    assert ann.call("POST", "/v1/keys", b"{").status_code == 400
    assert ann.call("POST", "/v1/keys", b'{"public_key": "\xff"}').status_code == 400
    assert ann.call("POST", "/v1/keys", b"[" * 100_000).status_code in {400, 422}
