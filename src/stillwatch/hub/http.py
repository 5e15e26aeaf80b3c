"""How the hub speaks HTTP: one call of a member in, one answer out, errors in one shape."""

import asyncio
import gzip
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from stillwatch.hub.members import Member
from stillwatch.hub.storage.storage import StoreUnavailableError

JSON = "application/json"
TAXII = "application/taxii+json;version=2.1"
RETRY_S = 5
_LONGEST_NUMBER = 18
_GZIP_FROM = 1024
_GZIP_LEVEL = 1
_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?", re.ASCII)


class HubError(Exception):
    """A request that is refused, in the words of TAXII's error resource."""

    def __init__(
        self, status: int, title: str, description: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(title)
        self.status, self.title, self.description, self.headers = status, title, description, dict(headers or {})


class Call(NamedTuple):
    """One request of a member.

    Attributes:
        member: who asks.
        body: the whole body.
        path: the parts of the path that vary, by name.
        query: the query, each name with all that it was given.
        headers: by lower-case name.
        base: URL of the hub, without a slash at its end.
    """

    member: Member
    body: bytes
    path: Mapping[str, str]
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    base: str


class Answer(NamedTuple):
    """What a call is answered."""

    body: bytes
    status: int = 200
    media_type: str = JSON
    headers: Mapping[str, str] = {}


Handler = Callable[[Call], Answer]
"""Answers a call; runs in a thread and may block."""


def json_answer(value: Any, status: int = 200, media_type: str = JSON) -> Answer:
    """Return an answer that is a value as JSON."""
    return Answer(msgspec.json.encode(value), status, media_type)


def whole_number(text: str, most: int) -> int:
    """Return a number that a query gives, cut to the most that is taken; 0 where it is none."""
    if not (text.isascii() and text.isdigit()):
        return 0
    digits = text.lstrip("0")
    return most if len(digits) > _LONGEST_NUMBER else min(int(digits or "0"), most)


class Door:
    """Lets calls in: reads the body, asks who it is, runs the handler in a thread.

    Args:
        member_of: who asks, by the headers of the request; blocks; raises HubError.
        most_bytes: the longest body that is read.
        reading: a transaction in which a request that only reads is known and answered.
        public_url: how members reach the hub; None takes what they called it by.
    """

    def __init__(
        self,
        member_of: Callable[[Mapping[str, str]], Member],
        most_bytes: int,
        reading: Callable[[], AbstractContextManager[object]],
        public_url: str | None = None,
    ) -> None:
        self._member_of, self._most_bytes, self._public_url = member_of, most_bytes, public_url
        self._reading = reading
        # More threads than cores would only wait for one another's turn at the interpreter.
        self._readers = ThreadPoolExecutor(max(2, os.cpu_count() or 2), "reader")
        self._writers = ThreadPoolExecutor(4, "writer")  # a queue of posts does not keep readers waiting

    def opens_to(self, handler: Handler, media_type: str) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint for a handler; `media_type` is that of its errors."""

        async def endpoint(request: Request) -> Response:
            try:
                return await self._answer(request, handler)
            except HubError as error:
                return problem(error, media_type)
            except StoreUnavailableError as error:
                headers = {"retry-after": str(RETRY_S)}
                return problem(HubError(503, error.message, "try again", headers), media_type)

        return endpoint

    async def _answer(self, request: Request, handler: Handler) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        reads = request.method in {"GET", "HEAD"}
        threads = self._readers if reads else self._writers
        loop = asyncio.get_running_loop()
        known = None
        if not reads:  # nobody may make the hub hold a body without being known
            known = await loop.run_in_executor(self._readers, self._member_of, headers)
        body = b"" if reads else await self._body(request)

        def answer(member: Member) -> Response:
            call = Call(member, body, request.path_params, _query(request), headers, self._base(request))
            return _response(handler(call), headers)

        def run() -> Response:
            if known is not None:
                return answer(known)
            with self._reading():
                return answer(self._member_of(headers))

        return await loop.run_in_executor(threads, run)

    async def _body(self, request: Request) -> bytes:
        said = request.headers.get("content-length", "")
        if said.isdigit() and int(said) > self._most_bytes:
            raise self._too_long()
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise HubError(415, "a body is taken as it is, without a content encoding")
        chunks = bytearray()
        try:
            async for chunk in request.stream():
                chunks += chunk
                if len(chunks) > self._most_bytes:
                    break
        except ClientDisconnect as error:
            raise HubError(400, "the client went away") from error
        if len(chunks) > self._most_bytes:
            raise self._too_long()
        return bytes(chunks)

    def _too_long(self) -> HubError:
        return HubError(413, "the body is too long", f"at most {self._most_bytes} bytes", {"connection": "close"})

    def _base(self, request: Request) -> str:
        if self._public_url is not None:
            return self._public_url.rstrip("/")
        host = request.headers.get("host", "")
        if _HOST.fullmatch(host) is None:
            raise HubError(400, "the Host header names no host")
        return f"{request.url.scheme}://{host}"


def problem(error: HubError, media_type: str = JSON) -> Response:
    """Return an error as TAXII's error resource, with the member API's words beside it."""
    told: dict[str, Any] = {"title": error.title, "http_status": str(error.status)}
    if error.description:
        told["description"] = error.description
    return Response(msgspec.json.encode(told), error.status, error.headers, media_type)


def _query(request: Request) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        found.setdefault(name, []).append(value)
    return found


def _response(answer: Answer, asked: Mapping[str, str]) -> Response:
    headers = {**answer.headers, "vary": "accept-encoding, authorization", "cache-control": "no-store"}
    body = answer.body
    if len(body) >= _GZIP_FROM and _takes_gzip(asked.get("accept-encoding", "")):
        body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        headers["content-encoding"] = "gzip"
    return Response(body, answer.status, headers, answer.media_type)


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip() in {"gzip", "x-gzip", "*"}:
            return re.fullmatch(r"\s*q=0(\.0*)?\s*", parameters) is None
    return False
