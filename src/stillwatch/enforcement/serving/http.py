"""The HTTP service. Routes that gateways ask on every request are answered here; all others by `people.py`.

Plain ASGI for the former: a framework's routing would cost as much as the decision.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

import msgspec

from stillwatch.enforcement.model import DecideRequest
from stillwatch.enforcement.refusals import Refusal
from stillwatch.enforcement.serving.dialects import JSON, GuardrailCall, envoy, litellm_guardrail, nginx
from stillwatch.enforcement.serving.front import Front

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BYTES = 16 * 2**20
"""The longest body that is read."""

_decode_request = msgspec.json.Decoder(DecideRequest).decode
_decode_call = msgspec.json.Decoder(GuardrailCall).decode
_encode = msgspec.json.Encoder().encode


class BadRequestError(Exception):
    """A request that cannot be answered, with what it is told."""

    def __init__(self, status: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.status, self.message, self.hint = status, message, hint


class Gateway:
    """The ASGI application: decisions here, the rest by the application of `people.py`."""

    def __init__(self, front: Front, people: App) -> None:
        self._front, self._people = front, people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path in _ROUTES or path.startswith("/envoy/") or path == "/envoy"):
            await self._people(scope, receive, send)
            return
        try:
            answer = await self._answer(scope, path, receive)
        except BadRequestError as error:
            self._front.service.counts["http_errors", str(error.status)] += 1
            answer = Refusal(error.status, JSON, problem(error))
        await reply(send, answer)

    async def _answer(self, scope: Scope, path: str, receive: Receive) -> Refusal:
        if path == "/nginx":
            return await nginx(self._front, _headers(scope["headers"]))
        body = await read_body(receive)
        if path.startswith("/envoy"):
            return await envoy(self._front, _headers(scope["headers"]), path[len("/envoy") :], body)
        if scope["method"] != "POST":
            raise BadRequestError(405, f"{scope['method']} {path} is not possible", f"POST {path}")
        if path == "/v1/decide":
            return Refusal(200, JSON, _encode(await self._front.decide(decode(_decode_request, body), "native")))
        return await litellm_guardrail(self._front, decode(_decode_call, body))


_ROUTES = frozenset({"/v1/decide", "/nginx", "/beta/litellm_basic_guardrail_api"})


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Return headers by lower-case name; of a name that comes twice the last, which the gateway set."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}


async def read_body(receive: Receive) -> bytes:
    """Return the whole body.

    Raises:
        BadRequestError: it is longer than 16 MiB, or the client went away.
    """
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise BadRequestError(400, "the client went away", "send the whole body")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MOST_BYTES:
            raise BadRequestError(413, f"the body is longer than {MOST_BYTES:,} bytes", "send less at once")
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


def decode(decoder: Callable[[bytes], Any], body: bytes) -> Any:
    """Decode a body.

    Raises:
        BadRequestError: it is no JSON, or not what belongs there; says where.
    """
    try:
        return decoder(body)
    except msgspec.ValidationError as error:
        raise BadRequestError(422, str(error), "see /openapi.json") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequestError(400, f"the body is no JSON: {error}", "send a JSON object") from error


def problem(error: BadRequestError) -> bytes:
    """Return the body of an error."""
    return _encode({"error": {"message": error.message, "hint": error.hint}})


async def reply(send: Send, answer: Refusal) -> None:
    """Send an answer."""
    headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
