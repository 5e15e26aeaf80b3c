import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from tests.enforcement.gateways.fakes import answering

from stillwatch.enforcement.gateways.upstream import Upstream
from stillwatch.errors import UsageError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
BODY = [{"type": "http.request", "body": b'{"a"', "more_body": True}, {"type": "http.request", "body": b": 1}"}]


def scope(method: str = "POST", raw_path: bytes = b"/v1/x", *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    path = raw_path.decode("latin-1")
    return {
        "type": "http", "method": method, "path": path, "raw_path": raw_path, "query_string": b"", "headers": headers,
    }  # fmt: skip


class Client:
    """The server's side of one client: what it sends, when it leaves, what it is sent."""

    def __init__(self, *messages: Any) -> None:
        self.sending = list(messages)
        self.left = asyncio.Event()
        self.sent: list[Any] = []
        self.heard = asyncio.Event()

    async def receive(self) -> Any:
        if self.sending:
            return self.sending.pop(0)
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if message.get("body"):
            self.heard.set()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


def passing(handler: Handler, asked: dict[str, Any], *messages: Any, below: str = "") -> Client:
    """Pass one request on to an upstream that answers as `handler` does."""

    async def run() -> Client:
        async with answering(handler) as port:
            client, upstream = Client(*messages), Upstream(f"http://127.0.0.1:{port}{below}")
            await upstream(asked, client.receive, client.send)
            await upstream.close()
            return client

    return asyncio.run(run())


async def echo(request: web.Request) -> web.StreamResponse:
    told = {"method": request.method, "path": request.raw_path, "headers": dict(request.headers)}
    body = (await request.read()).decode()
    return web.json_response({**told, "body": body}, headers={"X-One": "1", "Connection": "x-two", "X-Two": "2"})


def test_a_request_arrives_whole_without_what_was_meant_for_its_connection() -> None:
    asked = scope(
        "POST",
        b"/v1/a%2Fb",
        (b"host", b"gateway"),
        (b"content-length", b"8"),
        (b"connection", b"close, X-Hop"),
        (b"x-hop", b"1"),
        (b"x-sw-account-id", b"forged"),
        (b"te", b"trailers"),
        (b"expect", b"100-continue"),
        (b"authorization", b"Bearer k"),
    )
    client = passing(echo, asked | {"query_string": b"q=%20"}, *BODY, below="/base/")
    told = json.loads(client.body)
    assert (told["method"], told["path"], told["body"]) == ("POST", "/base/v1/a%2Fb?q=%20", '{"a": 1}')
    headers = {name.lower(): value for name, value in told["headers"].items()}
    assert headers.pop("host").startswith("127.0.0.1:")
    assert headers == {"content-length": "8", "authorization": "Bearer k"}
    answered = dict(client.sent[0]["headers"])
    assert (client.sent[0]["status"], answered[b"x-one"]) == (200, b"1")
    assert not {b"connection", b"x-two", b"transfer-encoding"} & set(answered)


def test_a_request_without_a_body_has_none() -> None:
    told = json.loads(passing(echo, scope("GET"), {"type": "http.request", "body": b""}).body)
    assert told["body"] == ""
    assert "Transfer-Encoding" not in told["headers"]


def test_a_body_of_unknown_length_goes_in_pieces() -> None:
    client = passing(echo, scope("POST", b"/", (b"transfer-encoding", b"chunked")), *BODY)
    assert json.loads(client.body)["body"] == '{"a": 1}'


def test_a_stream_comes_event_by_event() -> None:
    async def run() -> tuple[bytes, bytes]:
        gone_on = asyncio.Event()

        async def streaming(request: web.Request) -> web.StreamResponse:
            answer = web.StreamResponse()
            await answer.prepare(request)
            await answer.write(b"data: 1\n\n")
            await gone_on.wait()
            await answer.write(b"data: 2\n\n")
            return answer

        async with answering(streaming) as port:
            client, upstream = Client(*BODY), Upstream(f"http://127.0.0.1:{port}")
            passed = asyncio.create_task(upstream(scope(), client.receive, client.send))
            await client.heard.wait()
            first = client.body
            gone_on.set()
            await passed
            await upstream.close()
            return first, client.body

    assert asyncio.run(run()) == (b"data: 1\n\n", b"data: 1\n\ndata: 2\n\n")


def test_a_client_that_leaves_ends_the_upstreams_work() -> None:
    async def run() -> list[Any]:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def never(request: web.Request) -> web.StreamResponse:
            await request.read()
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return web.Response()

        async with answering(never) as port:
            asked = scope("POST", b"/", (b"content-length", b"8"))
            client, upstream = Client(*BODY), Upstream(f"http://127.0.0.1:{port}")
            passed = asyncio.create_task(upstream(asked, client.receive, client.send))
            await begun.wait()
            client.left.set()
            await passed
            await ended.wait()
            await upstream.close()
            return client.sent

    assert asyncio.run(run()) == []


def test_a_client_that_leaves_within_its_body_is_told_of_nothing_that_worked() -> None:
    asked = scope("POST", b"/", (b"content-length", b"8"))
    client = passing(echo, asked, BODY[0], {"type": "http.disconnect"})
    assert client.sent[0]["status"] == 502


def test_an_upstream_that_is_down_is_told_in_the_style_of_the_api() -> None:
    async def run() -> Client:
        client, upstream = Client(), Upstream("http://127.0.0.1:1")
        await upstream(scope("POST", b"/v1/messages"), client.receive, client.send)
        await upstream.close()
        return client

    client = asyncio.run(run())
    assert client.sent[0]["status"] == 502
    assert json.loads(client.body)["type"] == "error"
    assert json.loads(client.body)["error"]["type"] == "api_error"


def test_an_answer_that_breaks_off_is_left_without_its_end() -> None:
    async def breaking(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "99"})
        await answer.prepare(request)
        await answer.write(b"begun")
        assert request.transport is not None
        request.transport.close()
        return answer

    client = passing(breaking, scope("GET"), {"type": "http.request", "body": b""})
    assert client.body == b"begun"
    assert all(message.get("more_body") for message in client.sent[1:])


@pytest.mark.parametrize("raw_path", [b"*", b"/\xff"])
def test_a_path_that_is_none_is_refused(raw_path: bytes) -> None:
    assert passing(echo, scope("GET", raw_path)).sent[0]["status"] == 400


def test_what_is_not_http_is_not_passed_on() -> None:
    assert passing(echo, {"type": "websocket"}).sent == []


def test_an_upstream_that_is_no_address_is_told() -> None:
    with pytest.raises(UsageError, match="no address of the upstream"):
        Upstream("localhost:8000")
