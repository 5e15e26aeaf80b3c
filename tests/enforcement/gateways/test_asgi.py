import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tests.enforcement.gateways.fakes import Service, client, decision
from tests.enforcement.serving.asgi import call
from tests.processes import Reply

from stillwatch.enforcement.asgi import MOST_BYTES, Receive, Scope, Send, reply
from stillwatch.enforcement.ask import key_hash
from stillwatch.enforcement.gateways.asgi import Stillwatch
from stillwatch.enforcement.model import Degrade
from stillwatch.enforcement.refusals import Refusal

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
ASKED = {"model": "m", "max_tokens": 9000, "logprobs": True, "messages": [{"role": "user", "content": "hi"}]}
TOLD = {"choices": [{"message": {"content": "4", "reasoning_content": "2+2"}, "logprobs": {"content": [1]}}]}
REFUSED = [
    ("throttle", 429, "rate_limit_error"),
    ("challenge", 403, "permission_error"),
    ("block", 403, "permission_error"),
]


class Host:
    """Answers with what it was told to, and keeps what reached it."""

    def __init__(self, told: object = TOLD) -> None:
        self.told = told
        self.bodies: list[bytes] = []
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        body, more = b"", scope["type"] == "http"
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        self.bodies.append(body)
        await reply(send, Refusal(200, {"content-type": "application/json"}, json.dumps(self.told).encode()))


def through(
    account: str,
    path: str = CHAT,
    body: object = ASKED,
    *,
    host: Host | None = None,
    service: Service | None = None,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    **settings: Any,
) -> Reply:
    app = Stillwatch(host or Host(), client(service or Service()), lambda _: account, **settings)
    return call(app, method, path, body, headers)


@pytest.mark.parametrize(("action", "status", "kind"), REFUSED)
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_a_refusal_never_reaches_the_host(action: str, status: int, kind: str, path: str) -> None:
    host = Host()
    answer = through(action, path, host=host)
    assert (answer.status, host.bodies) == (status, [])
    assert answer.json["error"]["type"] == kind
    assert (answer.json.get("type") == "error") == (path == MESSAGES)
    assert answer.headers["x-sw-decision-id"] in answer.json["error"]["message"]
    assert ("retry-after" in answer.headers) == (status == 429)


@pytest.mark.parametrize("action", ["allow", "watch"])
def test_a_pass_is_untouched(action: str) -> None:
    host = Host()
    headers = {"accept-encoding": "gzip", "content-length": "5"}
    answer = through(action, host=host, headers=headers)
    assert (host.bodies, answer.json) == ([json.dumps(ASKED).encode()], TOLD)
    assert [name for name, _ in host.scopes[0]["headers"]] == [b"accept-encoding", b"content-length"]


def test_a_degraded_request_and_its_answer_lose_what_they_must() -> None:
    host = Host()
    answer = through("degrade", host=host, headers={"Content-Length": "5", "Accept-Encoding": "gzip", "X": "y"})
    assert json.loads(host.bodies[0]) == {"model": "m", "max_tokens": 1024, "messages": ASKED["messages"]}
    length = str(len(host.bodies[0])).encode()
    assert host.scopes[0]["headers"] == [(b"content-length", length), (b"x", b"y")]
    assert answer.json == {"choices": [{"message": {"content": "4", "reasoning_content": None}, "logprobs": None}]}
    assert answer.headers["content-length"] == str(len(answer.body))


def test_an_answer_that_need_not_lose_anything_is_not_touched() -> None:
    service = Service()
    service.answers["kim"] = decision("degrade", degrade=Degrade(max_tokens=5))
    host = Host()
    assert through("kim", host=host, service=service).json == TOLD
    assert json.loads(host.bodies[0])["max_tokens"] == 5


@pytest.mark.parametrize(("path", "style"), [(CHAT, None), (MESSAGES, "error")])
def test_a_body_that_cannot_be_made_smaller_does_not_pass(path: str, style: str | None) -> None:
    host = Host()
    answer = through("degrade", path, '{"max_tokens": 9}'.encode("utf-16"), host=host)
    assert (answer.status, host.bodies) == (400, [])
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert answer.json.get("type") == style


def test_a_body_without_end_is_refused() -> None:
    host = Host()
    answer = through("allow", MESSAGES, b" " * (MOST_BYTES + 1), host=host)
    assert (answer.status, host.bodies) == (413, [])
    assert answer.json["error"]["type"] == "request_too_large"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", CHAT), ("POST", "/v1/models"), ("POST", "/v1/messages/count_tokens"), ("POST", "/chat/completions/x")],
)
def test_what_is_no_call_of_a_model_passes(method: str, path: str) -> None:
    service = Service()
    assert through("block", path, service=service, method=method).status == 200
    assert service.asked == []


@pytest.mark.parametrize("path", [CHAT + "/", "/v1/chat//completions", "/x/../v1/messages/.", "/openai/v1/responses"])
def test_other_spellings_of_a_path_are_calls_all_the_same(path: str) -> None:
    assert through("block", path).status == 403


def test_a_host_may_say_what_is_decided_on() -> None:
    assert through("block", "/generate", is_judged=lambda scope: scope["path"] == "/generate").status == 403


def asked_of(headers: Mapping[str, str], account_of: Callable[[Scope], str | None] | None = None, **more: Any) -> Any:
    service = Service()
    call(Stillwatch(Host(), client(service), account_of, **more), "POST", CHAT, ASKED, headers)
    return service.asked[0]


def test_who_asks_is_what_the_host_says_and_not_what_a_client_claims() -> None:
    claimed = {"X-SW-Account-Id": "forged", "X-SW-Org-Id": "forged", "X-Forwarded-For": "forged", "X-Api-Key": "k"}
    unnamed = asked_of(claimed)
    assert (unnamed.account_id, unnamed.org_id, unnamed.client_ip) == (None, None, None)
    assert unnamed.key_id == key_hash("k")
    assert asked_of(claimed, lambda _: None).account_id is None
    assert asked_of(claimed, lambda _: "kim").account_id == "kim"
    trusted = asked_of(claimed, trust_headers=True)
    assert (trusted.account_id, trusted.org_id, trusted.client_ip) == ("forged", "forged", "forged")


def test_of_two_keys_the_first_counts_as_it_does_for_frameworks() -> None:
    service = Service()
    scope = {
        "type": "http",
        "method": "POST",
        "path": CHAT,
        "client": ("203.0.113.7", 5),
        "headers": [(b"authorization", b"Bearer one"), (b"authorization", b"Bearer two")],
    }
    asyncio.run(once(Stillwatch(Host(), client(service)), scope))
    assert service.asked[0].key_id == key_hash("one")
    assert service.asked[0].client_ip == "203.0.113.7"


async def once(app: Stillwatch, scope: Scope, *messages: Any) -> list[Any]:
    incoming = list(messages) or [{"type": "http.request", "body": b"{}", "more_body": False}]
    sent: list[Any] = []

    async def receive() -> Any:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def test_a_bug_lets_the_request_pass_and_is_counted() -> None:
    def buggy(_scope: Scope) -> str | None:
        raise ValueError("what nobody may see")

    host, one = Host(), client(Service())
    answer = call(Stillwatch(host, one, buggy), "POST", CHAT, ASKED)
    assert (answer.status, answer.json, one.missed) == (200, TOLD, 1)
    assert host.bodies == [json.dumps(ASKED).encode()]


def test_a_lost_service_frees_nobody_who_was_refused_and_stops_nobody_else() -> None:
    service = Service()
    app = Stillwatch(Host(), client(service), lambda scope: dict(scope["headers"])[b"x-account"].decode())

    def status(account: str) -> int:
        return call(app, "POST", CHAT, ASKED, {"x-account": account}).status

    assert [status(account) for account in ("block", "allow")] == [403, 200]
    service.fault = OSError()
    assert [status(account) for account in ("block", "allow", "challenge")] == [403, 200, 200]


def test_a_client_that_leaves_within_its_request_is_answered_nothing() -> None:
    host, service = Host(), Service()
    scope = {"type": "http", "method": "POST", "path": CHAT, "headers": []}
    leaving = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    assert asyncio.run(once(Stillwatch(host, client(service)), scope, *leaving)) == []
    assert (host.scopes, service.asked) == ([], [])


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_websockets_and_the_lifespan_are_the_hosts_own(kind: str) -> None:
    host = Host()
    scope = {"type": kind, "path": CHAT, "headers": []}
    asyncio.run(once(Stillwatch(host, client(Service())), scope))
    assert host.scopes == [scope]


def test_the_host_hears_of_a_client_that_leaves_later() -> None:
    heard: list[str] = []

    async def host(_scope: Scope, receive: Receive, _send: Send) -> None:
        heard.extend([(await receive())["type"], (await receive())["type"]])

    scope = {"type": "http", "method": "POST", "path": CHAT, "headers": []}
    asyncio.run(once(Stillwatch(host, client(Service())), scope))
    assert heard == ["http.request", "http.disconnect"]
