import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from tests.enforcement.gateways.fakes import answering
from tests.enforcement.serving.process import serving
from tests.processes import request

from stillwatch.enforcement.gateways.client import Client
from stillwatch.enforcement.gateways.transport import Answer, HttpTransport, base_url
from stillwatch.enforcement.model import DecideRequest
from stillwatch.errors import UsageError


def test_a_real_service_decides_and_hears_of_what_was_missed(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.set("kim", "block")

        async def ask_twice() -> list[str | None]:
            one = Client(f"http://127.0.0.1:{served.port}/", adapter="litellm", deadline_s=20.0)
            one.miss("a bug")
            one.miss("a bug")
            found = [await one.decide(DecideRequest(account_id=account)) for account in ("kim", "lee")]
            await one.close()
            return [None if decision is None else decision.action for decision in found]

        assert asyncio.run(ask_twice()) == ["block", "allow"]
        told = request(served.port, "GET", "/metrics").body.decode()
    assert 'stillwatch_decisions_missing_total{adapter="litellm"} 2.0' in told


def test_what_answers_is_read_no_further_than_a_decision_is_long_and_followed_nowhere() -> None:
    async def long(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * 2**20)

    async def elsewhere(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect("/v1/long")

    async def ask(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Answer:
        async with answering(handler) as port:
            transport = HttpTransport(f"http://127.0.0.1:{port}")
            answer = await transport.post(b"{}", {})
            await transport.close()
            return answer

    assert len(asyncio.run(ask(long)).body) < 2**18
    assert asyncio.run(ask(elsewhere)).status == 307


def test_closing_what_was_never_used() -> None:
    asyncio.run(HttpTransport("http://127.0.0.1:1").close())


def test_another_event_loop_gets_its_own_connections(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        transport = HttpTransport(f"http://127.0.0.1:{served.port}")

        async def ask_and_close() -> int:
            answer = await transport.post(b'{"account_id": "a"}', {})
            await transport.close()
            return answer.status

        assert [asyncio.run(ask_and_close()) for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8377", "ftp://x", "http://", "http://x?y", "http://x#y", "http://[", "http://x:99999"]
)
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(UsageError, match="no address of the decision service"):
        base_url(url, "the decision service")
