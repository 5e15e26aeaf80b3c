import json
from pathlib import Path

import pytest
from tests.enforcement.factories import NOW
from tests.enforcement.serving.asgi import call
from tests.enforcement.serving.conftest import TOKEN
from tests.processes import Reply

from stillwatch.enforcement.service import Service
from stillwatch.enforcement.serving.http import Gateway
from stillwatch.records.dataset import read_logs
from stillwatch.records.rejects import reject_log

VERDICT = {"action": "block", "reason_code": "seen", "reason": "a harvest", "author": "ann", "ttl_s": 60}
EXCHANGE = {"exchange_id": "e", "ts": "2026-09-01T10:00:00Z", "account_id": "a", "model": "m", "prompt": "p"}


def admin(app: Gateway, method: str, path: str, body: object = b"") -> Reply:
    return call(app, method, path, body, {"Authorization": f"Bearer {TOKEN}"})


def decided(app: Gateway, account: str) -> dict[str, str]:
    made: dict[str, str] = call(app, "POST", "/v1/decide", {"account_id": account}).json
    return made


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/verdicts/a"),
        ("DELETE", "/v1/verdicts/a"),
        ("POST", "/v1/exchanges"),
        ("GET", "/v1/appeals"),
        ("POST", "/v1/budgets/everybody/reset"),
    ],
)
@pytest.mark.parametrize("given", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic test-token"}])
def test_writing_needs_the_token(app: Gateway, method: str, path: str, given: dict[str, str]) -> None:
    answer = call(app, method, path, VERDICT, given)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_verdict_is_set_seen_and_lifted(app: Gateway) -> None:
    assert admin(app, "PUT", "/v1/verdicts/org/a b", VERDICT).json["state"] == "in_force"
    assert decided(app, "org/a b")["action"] == "block"
    seen = call(app, "GET", "/v1/accounts/org/a b").json
    assert (seen["verdict"]["reason_code"], seen["history"][0]["body"]["author"]) == ("seen", "ann")
    assert admin(app, "DELETE", "/v1/verdicts/org/a b", {"reason": "ours", "author": "bob"}).json["lifted"] is True
    assert decided(app, "org/a b")["action"] == "allow"
    assert admin(app, "DELETE", "/v1/verdicts/z?reason=no&author=bob").json["lifted"] is False
    assert admin(app, "DELETE", "/v1/verdicts/z").status == 422


def test_a_degrade_on_suspicion_alone_waits_for_a_second_person(app: Gateway) -> None:
    first = admin(app, "PUT", "/v1/verdicts/a", {**VERDICT, "action": "degrade"})
    assert (first.status, first.json["state"]) == (202, "awaiting_approval")
    second = admin(app, "PUT", "/v1/verdicts/a", {**VERDICT, "action": "degrade", "author": "bob"})
    assert (second.status, second.json["approved_by"]) == (200, "ann")


@pytest.mark.parametrize(
    "change", [{"action": "shoot"}, {"ttl_s": 0}, {"author": ""}, {"reason_code": "two\nlines"}, {"unknown": 1}]
)
def test_a_wrong_verdict_is_told_why(app: Gateway, change: dict[str, object]) -> None:
    answer = admin(app, "PUT", "/v1/verdicts/a", {**VERDICT, **change})
    assert answer.status == 422
    assert "`" in answer.json["error"]["message"]
    assert admin(app, "PUT", "/v1/verdicts/" + "a" * 300, VERDICT).status == 422


def test_posted_exchanges_are_a_log_that_detection_reads(app: Gateway, service: Service, tmp_path: Path) -> None:
    answer = admin(app, "POST", "/v1/exchanges", [EXCHANGE, {**EXCHANGE, "ts": "no"}])
    assert answer.status == 202
    assert answer.json == {
        "accepted": 1,
        "rejected": 1,
        "rejects": [{"index": 1, "reason": "timestamp_invalid"}],
    }
    assert admin(app, "POST", "/v1/exchanges", [EXCHANGE] * 1001).status == 422
    with reject_log(tmp_path / "rejects.jsonl") as rejects:
        dataset = read_logs([service._data / "exchanges"], tmp_path, rejects=rejects)
    assert dataset.counts.accepted == 1


def test_a_full_disk_is_told(app: Gateway, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_records: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(service, "keep", full)
    assert admin(app, "POST", "/v1/exchanges", [EXCHANGE]).status == 507


def test_why_a_decision_was_made(app: Gateway) -> None:
    decision = decided(app, "block")
    why = call(app, "GET", f"/v1/decisions/{decision['decision_id']}").json
    assert (why["rule"], why["account_id"], why["transport"], why["policy_id"]) == (
        "blocked",
        "block",
        "native",
        "standard",
    )
    assert len(why["inputs"]) == 32
    assert call(app, "GET", "/v1/decisions/nonsense").status == 404
    assert call(app, "GET", "/v1/decisions/01a20e2d-99be-75ba-a437-cf9a2a3c2bd5").status == 404


def test_an_appeal_from_its_quote_to_its_end(app: Gateway) -> None:
    admin(app, "PUT", "/v1/verdicts/a", VERDICT)
    quoted = decided(app, "a")["decision_id"]
    told = call(app, "POST", "/v1/appeals", {"decision_id": quoted, "contact": "a@b.example", "text": "Our class."})
    assert told.status == 201
    assert set(told.json) == {"decision_id", "appeal_id", "state", "received", "due"}
    assert told.json["due"] > NOW
    path = f"/v1/appeals/{told.json['appeal_id']}"
    assert admin(app, "GET", path).json["text"] == "Our class."
    assert len(admin(app, "GET", "/v1/appeals").json) == 1
    own = admin(app, "POST", path + "/reviews", {"reviewer": "ann", "finding": "overturn", "reason": "x"})
    assert own.status == 409
    review = {"reviewer": "bob", "finding": "overturn", "reason": "students"}
    assert admin(app, "POST", path + "/reviews", review).json["state"] == "overturned"
    assert decided(app, "a")["action"] == "allow"
    assert admin(app, "GET", "/v1/appeals/none").status == 404
    unknown = {"decision_id": "01a20e2d-99be-75ba-a437-cf9a2a3c2bd5", "contact": "a@b.example", "text": "?"}
    assert call(app, "POST", "/v1/appeals", unknown).status == 404


def test_health_metrics_and_the_description(app: Gateway) -> None:
    decided(app, "block")
    assert call(app, "GET", "/healthz").json["status"] == call(app, "GET", "/readyz").json["status"] == "ok"
    metrics = call(app, "GET", "/metrics").body.decode()
    assert 'stillwatch_decisions_total{action="block",mode="enforce",transport="native"} 1.0' in metrics
    described = call(app, "GET", "/openapi.json").json
    assert "put" in described["paths"]["/v1/verdicts/{account_id}"]
    assert "#/components/schemas/Decision" in json.dumps(described)
    assert admin(app, "POST", "/v1/budgets/everybody/reset").json == {"cohort": "everybody", "was_in_shadow": False}
