"""One decision in the words of each gateway that asks over HTTP: status, headers, body."""

from collections.abc import Mapping
from typing import Any

import msgspec

from stillwatch.enforcement.ask import ask
from stillwatch.enforcement.model import Decision
from stillwatch.enforcement.refusals import Refusal, refusal
from stillwatch.enforcement.serving.front import Front

JSON = {"content-type": "application/json"}


class GuardrailCall(msgspec.Struct, kw_only=True):
    """What LiteLLM posts, as far as it is read."""

    request_data: dict[str, Any] = {}
    request_headers: dict[str, Any] = {}
    structured_messages: list[Any] | None = None
    model: str | None = None


async def envoy(front: Front, headers: Mapping[str, str], path: str, body: bytes) -> Refusal:
    """Answer Envoy's ext_authz over HTTP: a refusal goes to the client as it is, a pass carries headers upstream.

    `x-sw-ttl` is for Envoy alone: how long it may stand in for a lost service.
    """
    decision = await front.decide(ask(headers, path, body), "envoy-http")
    if decision.refuses:
        shown = refusal(decision, path)
        if decision.ttl_s:
            shown.headers["x-sw-ttl"] = str(decision.ttl_s)
        return shown
    return Refusal(200, told(decision), b"")


async def nginx(front: Front, headers: Mapping[str, str]) -> Refusal:
    """Answer nginx's auth_request with 200 or 403 alone; what the client is to see stands in headers.

    Any other status is a 500 to nginx, which the usual fail-open recipe turns into a pass.
    """
    path = headers.get("x-original-uri", "")
    request = ask(headers, path)
    decision = await front.decide(request, "nginx")
    answer = told(decision)
    answer["cache-control"] = "no-store"
    if not decision.refuses:
        if front.service.is_lifted(request):
            answer["cache-control"] = "max-age=1"  # takes the place of the refusal that nginx may remember
        return Refusal(200, answer, b"")
    if decision.ttl_s:  # nginx stands in for a lost service, as long as the verdict holds
        answer["cache-control"] = f"max-age=1, stale-if-error={decision.ttl_s}"
    shown = refusal(decision, path)
    answer["x-sw-status"] = str(shown.status)
    answer["x-sw-body"] = shown.body.decode()
    return Refusal(403, answer, b"")


async def litellm_guardrail(front: Front, call: GuardrailCall) -> Refusal:
    """Answer LiteLLM's generic guardrail, which knows block or nothing: degrade and shadow pass."""
    data = call.request_data
    account = data.get("user_api_key_user_id") or data.get("user_api_key_hash")
    claimed = {name.lower(): value for name, value in call.request_headers.items() if isinstance(value, str)}
    headers = {name: value for name, value in claimed.items() if not name.startswith("x-sw-")}  # the client's own
    if isinstance(account, str) and account:
        headers["x-sw-account-id"] = account
    body = msgspec.json.encode({"model": call.model, "messages": call.structured_messages})
    decision = await front.decide(ask(headers, "/chat/completions", body), "litellm-guardrail")
    if not decision.refuses:
        return Refusal(200, JSON, b'{"action":"NONE"}')
    said = msgspec.json.decode(refusal(decision, "").body)["error"]["message"]
    return Refusal(200, JSON, msgspec.json.encode({"action": "BLOCKED", "blocked_reason": said}))


def told(decision: Decision) -> dict[str, str]:
    """Return the headers that tell a gateway, never a client, what was decided."""
    headers = {
        "x-sw-action": decision.action,
        "x-sw-mode": decision.mode,
        "x-sw-decision-id": decision.decision_id,
        "x-sw-reason": decision.reason_code,
    }
    if decision.refuses and decision.retry_after_s is not None:
        headers["x-sw-retry-after"] = str(decision.retry_after_s)
    if decision.degrades:
        headers["x-sw-degrade"] = msgspec.json.encode(decision.degrade).decode()
    return headers
