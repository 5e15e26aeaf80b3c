"""How a gateway's calls reach the decision service: HTTP on kept connections."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from stillwatch.errors import UsageError

_MOST_ANSWER = 2**16
_KEEPALIVE_S = 60.0
"""Below the ninety seconds after which the service closes idle connections, so that no call meets a closing one."""


class Answer(NamedTuple):
    """What the service answered; of a body that is longer than any decision only its beginning."""

    status: int
    body: bytes


class Transport(Protocol):
    """Posts to the service."""

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Return the answer; raises whatever goes wrong."""
        ...

    async def close(self) -> None:
        """Close what is open."""
        ...


class HttpTransport:
    """Posts to `/v1/decide` of the service at an address; connects when first used, in the event loop that uses it."""

    def __init__(self, service: str) -> None:
        """`service` is its URL without a path.

        Raises:
            UsageError: it is none.
        """
        self._url = URL(base_url(service, "the decision service") + "/v1/decide")
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Return the answer.

        Raises:
            aiohttp.ClientError: there is none.
        """
        session = self._connected()
        async with session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
            read = b""
            while len(read) <= _MOST_ANSWER and (chunk := await answer.content.readany()):
                read += chunk
            return Answer(answer.status, read)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _connected(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.closed or self._loop is not loop:
            self._loop = loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(keepalive_timeout=_KEEPALIVE_S),
                timeout=aiohttp.ClientTimeout(),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session


def base_url(url: str, whose: str) -> str:
    """Return a URL without the slash at its end.

    Raises:
        UsageError: it is no HTTP URL with a host.
    """
    try:
        parts = urlsplit(url)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or parts.query or parts.fragment:
        raise UsageError(f"{url!r} is no address of {whose}", hint="give it as http://127.0.0.1:8377")
    return url.rstrip("/")
