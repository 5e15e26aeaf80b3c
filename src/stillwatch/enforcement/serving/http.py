"""The HTTP service. Routes that gateways ask on every request are answered here; all others by `people.py`.

Plain ASGI for the former: a framework's routing would cost as much as the decision.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from stillwatch.enforcement.asgi import App, BadRequestError, Receive, Scope, Send, read_body, reply
from stillwatch.enforcement.ask import by_name
from stillwatch.enforcement.model import DecideRequest
from stillwatch.enforcement.refusals import Refusal
from stillwatch.enforcement.serving.dialects import JSON, GuardrailCall, envoy, litellm_guardrail, nginx
from stillwatch.enforcement.serving.front import Front

_decode_request = msgspec.json.Decoder(DecideRequest).decode
_decode_call = msgspec.json.Decoder(GuardrailCall).decode
_encode = msgspec.json.Encoder().encode


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
            return await nginx(self._front, by_name(scope["headers"]))
        body = await read_body(receive)
        if path.startswith("/envoy"):
            return await envoy(self._front, by_name(scope["headers"]), path[len("/envoy") :], body)
        if scope["method"] != "POST":
            raise BadRequestError(405, f"{scope['method']} {path} is not possible", f"POST {path}")
        if path == "/v1/decide":
            decision = await self._front.decide(decode(_decode_request, body), "native")
            self._note_missed(by_name(scope["headers"]))
            return Refusal(200, JSON, _encode(decision))
        return await litellm_guardrail(self._front, decode(_decode_call, body))

    def _note_missed(self, headers: Mapping[str, str]) -> None:
        """Count the decisions that an adapter had to go without since it last got one, as it says."""
        told = headers.get("x-sw-missed", "")
        if told.isascii() and told.isdigit() and len(told) <= _MOST_DIGITS:
            adapter = headers.get("x-sw-adapter", "")
            self._front.service.counts["decisions_missing", adapter if adapter in _ADAPTERS else "other"] += int(told)


_ROUTES = frozenset({"/v1/decide", "/nginx", "/beta/litellm_basic_guardrail_api"})
_ADAPTERS = frozenset({"asgi", "dev-gateway", "litellm"})
_MOST_DIGITS = 7


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
