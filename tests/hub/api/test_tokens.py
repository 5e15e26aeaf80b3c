from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient
from tests.hub.api.worlds import DAY, HOUR, NOW, Clock, Who, World, world_in

from stillwatch.hub.api import routes
from stillwatch.hub.api.holder import LASTS_S, split
from stillwatch.hub.app import make_trustee_app
from stillwatch.hub.auth import Authenticator
from stillwatch.hub.hub import open_hub
from stillwatch.hub.members import add_member, make_token
from stillwatch.sharing.matching.epochs import PublishedEpoch
from stillwatch.sharing.matching.evaluate import EvaluationReply
from stillwatch.sharing.matching.keys import derive, read_key
from stillwatch.sharing.matching.quota import Quota
from stillwatch.sharing.matching.tokens import TokenBatch

SEED = "a3" * 32
INFO = b"test key"


def epochs(who: Who) -> list[PublishedEpoch]:
    return msgspec.convert(who.get("/v1/tokens/epochs").json()["epochs"], list[PublishedEpoch])


def ask(who: Who, *identifiers: bytes, epoch: PublishedEpoch | None = None) -> Any:
    batch = TokenBatch(epoch or epochs(who)[0], identifiers)
    answer = who.post("/v1/tokens/evaluate", batch.request)
    assert answer.status_code == 200, answer.text
    return batch.tokens([msgspec.convert(answer.json(), EvaluationReply)])


def quota(monkeypatch: pytest.MonkeyPatch, **numbers: Any) -> None:
    monkeypatch.setattr(routes, "Quota", lambda: Quota(**numbers))


def spend(who: Who, count: int) -> Any:
    epoch = epochs(who)[0]
    batch = TokenBatch(epoch, [f"{number}".encode() for number in range(count)])
    return who.post("/v1/tokens/evaluate", batch.request)


def test_members_get_the_same_token_for_the_same_identifier(world: World) -> None:
    ann, ben = world.members("ann", "ben")
    assert ask(ann, b"one", b"two") == ask(ben, b"one", b"two")
    assert ask(ann, b"one") != ask(ann, b"two")


def test_the_answer_is_that_of_the_standard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = derive(bytes.fromhex(SEED), INFO)  # RFC 9497, A.1.2
    monkeypatch.setenv("STILLWATCH_HUB_OPRF_KEY", key.secret_hex())
    with world_in(tmp_path / "other") as made:
        ann = made.member("ann")
        blinded = "863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945"
        told = ann.post("/v1/tokens/evaluate", {"blinded": [blinded]}).json()
        upper = ann.post("/v1/tokens/evaluate", {"blinded": [blinded.upper()]}).json()
    assert (
        upper["evaluated"] == told["evaluated"] == ["aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e"]
    )
    assert (told["epoch"], told["suite"], len(told["proof"])) == ("1", "ristretto255-SHA512", 128)
    assert read_key(key.secret_hex()).public_hex == "c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"blinded": []},
        {"blinded": ["00" * 32]},
        {"blinded": ["ff" * 32]},
        {"blinded": ["zz" * 32]},
        {"blinded": ["00"]},
        {"blinded": "00" * 32},
        {"blinded": ["00" * 32] * 1001},
        {"blinded": ["00" * 32], "epoch": "9"},
        {"blinded": ["00" * 32], "epoch": "A"},
        {"blinded": ["00" * 32], "member": "ben"},
    ],
)
def test_what_is_no_batch_is_refused(world: World, body: dict[str, Any]) -> None:
    (ann,) = world.members("ann")
    assert ann.post("/v1/tokens/evaluate", body).status_code == 422


def test_the_quota_of_a_day_holds_over_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quota(monkeypatch, per_day=10, per_epoch=100)
    clock = Clock()
    with world_in(tmp_path, clock=clock) as world:
        assert spend(world.member("ann"), 6).status_code == 200
    with world_in(tmp_path, clock=clock) as world:
        ann, ben = world.members("ann", "ben")
        refused = spend(ann, 5)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) == DAY - int(clock.now) % DAY
        assert refused.json() == {
            "title": "the quota of tokens is used up",
            "http_status": "429",
            "description": "4 left",
        }
        assert spend(ann, 4).status_code == 200
        assert spend(ben, 10).status_code == 200
        clock.now += DAY
        assert spend(ann, 10).status_code == 200


def test_the_quota_of_an_epoch_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quota(monkeypatch, per_day=10, per_epoch=15)
    with world_in(tmp_path) as world:
        ann = world.member("ann")
        assert spend(ann, 10).status_code == 200
        world.clock.now += DAY
        refused = spend(ann, 10)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > LASTS_S - 2 * DAY


def test_what_is_refused_by_the_curve_is_charged_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quota(monkeypatch, per_day=2)
    with world_in(tmp_path) as world:
        ann = world.member("ann")
        answers = [ann.post("/v1/tokens/evaluate", {"blinded": ["ff" * 32]}).status_code for _ in range(3)]
    assert answers == [422, 422, 429]


def test_guessing_raises_an_alarm_once_in_its_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quota(monkeypatch, burst_asked=10)
    with world_in(tmp_path) as world:
        ann, steward = world.member("ann"), world.member("boss", "steward")
        for _ in range(4):
            assert spend(ann, 5).status_code == 200
        world.clock.now += 2 * HOUR
        for _ in range(2):
            spend(ann, 5)
        alarms = [leaf for leaf in world.leaves() if leaf["kind"] == "tokens.alarm"]
        assert [one["asked"] for one in alarms] == ["10-99", "10-99"]
        assert len({one["member"] for one in alarms}) == 1
        text = steward.get("/v1/metrics").text
        assert "stillwatch_hub_token_alarms_total 2\n" in text
        assert "stillwatch_hub_tokens_evaluated_total 30\n" in text
        assert ann.get("/v1/metrics").status_code == 403


def test_the_log_has_no_member_and_no_element(world: World, caplog: pytest.LogCaptureFixture) -> None:
    (ann,) = world.members("ann")
    batch = TokenBatch(epochs(ann)[0], [b"one"])
    told = ann.post("/v1/tokens/evaluate", batch.request).json()
    text = str(world.leaves()) + caplog.text
    assert "tokens.evaluated" in text
    assert not any(part in text for part in (ann.id, "ann'", *batch.request.blinded, *told["evaluated"]))


def test_an_epoch_answers_for_a_while_after_its_end_and_not_before_its_begin(world: World) -> None:
    (ann,) = world.members("ann")
    (first,) = epochs(ann)
    old = ask(ann, b"one")
    world.clock.now = NOW + LASTS_S - DAY
    second = epochs(ann)[1]
    asked = TokenBatch(second, [b"one"]).request
    assert ann.post("/v1/tokens/evaluate", asked).status_code == 422
    world.clock.now = NOW + LASTS_S + DAY
    assert ask(ann, b"one", epoch=first) == old
    assert ask(ann, b"one", epoch=second) != old
    world.clock.now = NOW + LASTS_S + 8 * DAY
    assert ann.post("/v1/tokens/evaluate", TokenBatch(first, [b"one"]).request).status_code == 422


def test_when_no_epoch_holds_it_is_said(world: World) -> None:
    (ann,) = world.members("ann")
    world.clock.now = NOW - DAY
    answer = ann.post("/v1/tokens/evaluate", {"blinded": ["ff" * 32]})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3600")


def test_hub_and_trustee_together_make_the_tokens_that_the_hub_made_alone(tmp_path: Path) -> None:
    clock = Clock()
    with world_in(tmp_path / "hub", clock=clock) as world:
        before = ask(world.member("ann"), b"one", b"two")
    split(tmp_path / "hub", tmp_path / "trustee", "https://trustee.example")
    with world_in(tmp_path / "hub", clock=clock) as world, open_hub(tmp_path / "trustee", None, clock) as trustee:
        ann = world.member("ann")
        told = ann.get("/v1/tokens/epochs").json()
        assert told["trustee"] == "https://trustee.example"
        (epoch,) = msgspec.convert(told["epochs"], list[PublishedEpoch])
        with trustee.storage.writing() as db:
            token = make_token(db, add_member(db, "ann", "member", NOW), NOW)
        batch = TokenBatch(epoch, [b"one", b"two"])
        body = msgspec.json.encode(batch.request)
        client = TestClient(make_trustee_app(trustee, Authenticator(trustee.storage)), base_url="http://localhost")
        headers = {"authorization": f"Bearer {token}"}
        theirs = client.post("/v1/tokens/evaluate", content=body, headers=headers).json()
        assert client.get("/v1/members", headers=headers).status_code == 404
        assert client.get("/taxii2/", headers=headers).status_code == 404
        assert client.get("/openapi.json", headers=headers).status_code == 200
        assert client.post("/v1/tokens/evaluate", content=body).status_code == 401
        client.close()
        replies = [
            msgspec.convert(one, EvaluationReply) for one in (ann.post("/v1/tokens/evaluate", body).json(), theirs)
        ]
        assert batch.tokens(replies) == before
