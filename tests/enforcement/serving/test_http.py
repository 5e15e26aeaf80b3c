import json

import pytest
from tests.enforcement.serving.asgi import call

from stillwatch.enforcement.asgi import MOST_BYTES
from stillwatch.enforcement.service import Service
from stillwatch.enforcement.serving.http import Gateway

REFUSED = [
    ("throttle", 429, "rate_limit_error"),
    ("challenge", 403, "permission_error"),
    ("block", 403, "permission_error"),
]


@pytest.mark.parametrize("action", ["allow", "watch", "throttle", "challenge", "degrade", "block"])
def test_native(app: Gateway, action: str) -> None:
    answer = call(app, "POST", "/v1/decide", {"account_id": action})
    assert answer.status == 200
    assert (answer.json["action"], answer.json["mode"]) == (action, "enforce")
    assert set(answer.json) == {
        "decision_id", "action", "reason_code", "policy_id", "policy_version", "mode", "retry_after_s", "degrade",
        "challenge", "ttl_s", "evidence_ref",
    }  # fmt: skip


@pytest.mark.parametrize(("action", "status", "kind"), REFUSED)
def test_envoy_refuses_in_the_style_of_the_api(app: Gateway, action: str, status: int, kind: str) -> None:
    openai = call(app, "POST", "/envoy/v1/chat/completions", headers={"X-SW-Account-Id": action})
    anthropic = call(app, "POST", "/envoy/v1/messages", headers={"X-SW-Account-Id": action})
    assert openai.status == anthropic.status == status
    assert openai.json["error"]["type"] == anthropic.json["error"]["type"] == kind
    assert anthropic.json["type"] == "error"
    assert openai.headers["x-sw-decision-id"] in openai.json["error"]["message"]
    assert ("retry-after" in openai.headers) == (action == "throttle")


@pytest.mark.parametrize("action", ["allow", "watch", "degrade"])
def test_envoy_passes_with_headers_for_upstream(app: Gateway, action: str) -> None:
    answer = call(app, "GET", "/envoy/v1/models", headers={"X-SW-Account-Id": action})
    assert (answer.status, answer.headers["x-sw-action"]) == (200, action)
    assert ("x-sw-degrade" in answer.headers) == (action == "degrade")


@pytest.mark.parametrize("action", ["allow", "watch", "throttle", "challenge", "degrade", "block"])
def test_nginx_gets_no_other_status_than_it_understands(app: Gateway, action: str) -> None:
    headers = {"X-SW-Account-Id": action, "X-Original-URI": "/v1/messages"}
    answer = call(app, "GET", "/nginx", headers=headers)
    refused = {name: status for name, status, _ in REFUSED}.get(action)
    assert answer.status == (200 if refused is None else 403)
    assert answer.headers["x-sw-action"] == action
    assert answer.headers.get("x-sw-status") == (None if refused is None else str(refused))
    if refused is not None:
        assert json.loads(answer.headers["x-sw-body"])["type"] == "error"


def test_nothing_about_the_evidence_leaves_with_a_refusal(app: Gateway) -> None:
    answer = call(app, "POST", "/envoy/v1/chat/completions", headers={"X-SW-Account-Id": "block"})
    said = answer.body.decode() + str(answer.headers)
    assert "cmp-1" not in said
    assert "campaign" not in said


def test_a_key_finds_its_account_and_an_unknown_one_passes(app: Gateway) -> None:
    assert call(app, "POST", "/envoy/v1/x", headers={"Authorization": "Bearer sk-known"}).status == 403
    unknown = call(app, "POST", "/envoy/v1/x", headers={"Authorization": "Bearer sk-other"})
    assert (unknown.status, unknown.headers["x-sw-reason"]) == (200, "unknown_account")


def test_the_litellm_guardrail(app: Gateway) -> None:
    def asked(account: str) -> object:
        told = {"request_data": {"user_api_key_user_id": account}, "request_headers": {"X-SW-Account-Id": "allow"}}
        return call(app, "POST", "/beta/litellm_basic_guardrail_api", {**told, "model": "m"}).json

    assert asked("allow") == {"action": "NONE"}
    assert asked("degrade") == {"action": "NONE"}
    blocked = asked("block")
    assert isinstance(blocked, dict)
    assert blocked["action"] == "BLOCKED"
    assert "Quote decision" in blocked["blocked_reason"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/decide", b"", 405),
        ("POST", "/v1/decide", b"{", 400),
        ("POST", "/v1/decide", b"\xff", 400),
        ("POST", "/v1/decide", b"[" * 100_000, 422),
        ("POST", "/v1/decide", b'{"account_id": 5}', 422),
        ("POST", "/v1/decide", b'{"account_id": ""}', 422),
        ("POST", "/v1/decide", b'{"max_tokens": -1}', 422),
        ("POST", "/beta/litellm_basic_guardrail_api", b'{"request_data": 5}', 422),
        ("GET", "/elsewhere", b"", 404),
        ("PUT", "/v1/appeals", b"", 405),
    ],
)
def test_bad_requests_are_told_what_to_do(app: Gateway, method: str, path: str, body: bytes, status: int) -> None:
    answer = call(app, method, path, body)
    assert answer.status == status
    assert answer.json["error"]["message"]
    assert answer.json["error"]["hint"]


def test_a_body_without_end_is_refused(app: Gateway, service: Service) -> None:
    assert call(app, "POST", "/v1/decide", b" " * (MOST_BYTES + 1)).status == 413
    assert service.counts["http_errors", "413"] == 1


@pytest.mark.parametrize(
    ("told", "adapter", "counted"),
    [
        ("3", "litellm", {"litellm": 3}),
        ("9999999", "asgi", {"asgi": 9_999_999}),
        ("2", "forged{x}", {"other": 2}),
        ("99999999", "asgi", {}),
        ("-1", "asgi", {}),
        ("\xb2", "asgi", {}),
        ("", "asgi", {}),
    ],
)
def test_what_adapters_had_to_go_without_is_counted(
    app: Gateway, service: Service, told: str, adapter: str, counted: dict[str, int]
) -> None:
    headers = {"X-SW-Missed": told, "X-SW-Adapter": adapter}
    assert call(app, "POST", "/v1/decide", {"account_id": "a"}, headers).status == 200
    assert call(app, "POST", "/v1/decide", b"{", headers).status == 400
    assert {key[1]: count for key, count in service.counts.items() if key[0] == "decisions_missing"} == counted
    told_on = call(app, "GET", "/metrics").body.decode()
    assert all(f'stillwatch_decisions_missing_total{{adapter="{name}"}}' in told_on for name in counted)
