"""An ASGI application that passes every request on to one upstream, and its answer back as it comes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable

import aiohttp
from yarl import URL

from stillwatch.enforcement.asgi import Receive, Scope, Send, reply
from stillwatch.enforcement.gateways.transport import base_url
from stillwatch.enforcement.refusals import fault

_CONNECT_S = 5.0
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Meant for one connection alone (RFC 9110, section 7.6.1)."""
_BODY_FOLLOWS = frozenset({b"content-length", b"transfer-encoding"})
_OURS = frozenset({b"host", b"expect"})
"""What this side says for itself."""

_log = logging.getLogger(__name__)
_Headers = list[tuple[bytes, bytes]]


class Upstream:
    """Passes requests on. What a client sends as `X-SW-*` stays here."""

    def __init__(self, url: str) -> None:
        """`url` is the upstream's, and may have a path that all requests are put below.

        Raises:
            UsageError: it is none.
        """
        self._url = base_url(url, "the upstream")
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on; when its client leaves, the upstream's work ends too."""
        if scope["type"] != "http":
            return
        try:
            target = self._target(scope)
        except ValueError:
            await reply(send, fault(scope["path"], 400, "invalid_path", "The path cannot be read."))
            return
        body = _Body(receive)
        tasks = [
            asyncio.create_task(self._forward(scope, target, body, send)),
            asyncio.create_task(body.gone()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def close(self) -> None:
        """Close the connections to the upstream."""
        if self._session is not None:
            await self._session.close()

    def _target(self, scope: Scope) -> URL:
        path = scope["raw_path"].decode("ascii")
        if not path.startswith("/"):
            raise ValueError(path)
        query = scope["query_string"].decode("ascii")
        return URL(f"{self._url}{path}{'?' if query else ''}{query}", encoded=True)

    async def _forward(self, scope: Scope, target: URL, body: "_Body", send: Send) -> None:
        if not any(name in _BODY_FOLLOWS for name, _ in scope["headers"]):
            body.read.set()
        call = self._connected().request(
            scope["method"],
            target,
            headers=_for_upstream(_end_to_end(scope["headers"])),
            data=None if body.read.is_set() else body.chunks(),
            allow_redirects=False,
        )
        started = False
        try:
            async with call as answer:
                headers = _end_to_end(answer.raw_headers)
                await send({"type": "http.response.start", "status": answer.status, "headers": headers})
                started = True
                async for chunk in answer.content.iter_any():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except (aiohttp.ClientError, OSError) as error:
            _log.warning("the upstream failed: %s", type(error).__name__)
            if not started:
                await reply(send, fault(scope["path"], 502, "upstream_failed", "The model cannot be reached now."))
            return  # what was begun stays without its end, so that the client sees the break
        await send({"type": "http.response.body", "body": b""})

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(sock_connect=_CONNECT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("user-agent", "accept", "accept-encoding", "content-type"),
            )
        return self._session


class _Body:
    """The client's side of a request: first its body, then its leaving."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.read = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                raise ConnectionResetError
            if chunk := message.get("body", b""):
                yield chunk
            more = message.get("more_body", False)
        self.read.set()

    async def gone(self) -> None:
        """Return when the client left."""
        await self.read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> _Headers:
    """Return the headers that are meant for the other end, with lower-case names."""
    lower = [(name.lower(), value) for name, value in headers]
    named = {one.strip().lower() for name, value in lower if name == b"connection" for one in value.split(b",")}
    return [(name, value) for name, value in lower if name not in _HOP_BY_HOP | named]


def _for_upstream(headers: _Headers) -> list[tuple[str, str]]:
    kept = [one for one in headers if one[0] not in _OURS and not one[0].startswith(b"x-sw-")]
    return [(name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in kept]
