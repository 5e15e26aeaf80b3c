"""A middleware for hosts in Python that speak ASGI: asks before each call of a model, and does what is decided.

In FastAPI or Starlette: `app.add_middleware(Stillwatch, client=Client(adapter="asgi"), account_of=…)`.
"""

import posixpath
from collections.abc import Callable
from typing import NamedTuple

from stillwatch.enforcement.asgi import App, BadRequestError, Message, Receive, Scope, Send, read_body, reply
from stillwatch.enforcement.ask import ask
from stillwatch.enforcement.degrade import smaller_request
from stillwatch.enforcement.gateways.bare import BareAnswer
from stillwatch.enforcement.gateways.client import Client
from stillwatch.enforcement.model import Degrade
from stillwatch.enforcement.refusals import Refusal, fault, refusal

_MODEL_CALLS = ("/chat/completions", "/completions", "/messages", "/responses", "/embeddings")


class _Passed(NamedTuple):
    """A request on its way to the host: as it came, or made smaller, then with what its answer must lose."""

    scope: Scope
    body: bytes
    degrade: Degrade | None = None


def is_model_call(scope: Scope) -> bool:
    """Whether a request is a POST to a path of a model's API."""
    path: str = scope["path"]
    return scope["method"] == "POST" and posixpath.normpath(path).endswith(_MODEL_CALLS)


class Stillwatch:
    """The middleware. What is no call of a model passes untouched, as do websockets and the host's lifespan."""

    def __init__(
        self,
        app: App,
        client: Client,
        account_of: Callable[[Scope], str | None] | None = None,
        is_judged: Callable[[Scope], bool] = is_model_call,
        *,
        trust_headers: bool = False,
    ) -> None:
        """Wrap an application.

        Args:
            app: the host.
            client: asks the decision service.
            account_of: returns the account of a request, as the host knows it; without one, or where it returns None,
                the service looks the API key up.
            is_judged: whether a request is decided on.
            trust_headers: whether `X-SW-*` headers come from a gateway before the host; else they are the client's own
                and not heard.
        """
        self._app, self._client = app, client
        self._account_of, self._is_judged, self._trust_headers = account_of, is_judged, trust_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let the host do it."""
        if scope["type"] != "http" or not self._is_judged(scope):
            await self._app(scope, receive, send)
            return
        try:
            body = await read_body(receive)
        except BadRequestError as error:
            if error.status == 413:  # else the client is gone
                await reply(send, fault(scope["path"], 413, "request_too_large", f"{error}."))
            return
        judged = await self._judge(scope, body)
        if isinstance(judged, Refusal):
            await reply(send, judged)
            return
        if judged.degrade is not None and judged.degrade.strip:
            send = BareAnswer(send, judged.degrade, scope["path"])
        await self._app(judged.scope, _given_back(judged.body, receive), send)

    async def _judge(self, scope: Scope, body: bytes) -> _Passed | Refusal:
        try:
            return await self._decided(scope, body)
        except Exception as error:  # noqa: BLE001 - a bug, here or in the host's account_of, is no reason to refuse
            self._client.miss(type(error).__name__)
            return _Passed(scope, body)

    async def _decided(self, scope: Scope, body: bytes) -> _Passed | Refusal:
        path: str = scope["path"]
        decision = await self._client.decide(ask(self._told(scope), path, body))
        if decision is None:
            return _Passed(scope, body)
        if decision.refuses:
            return refusal(decision, path)
        if not decision.degrades or decision.degrade is None:
            return _Passed(scope, body)
        smaller = smaller_request(body, path, decision.degrade)
        if smaller is None:
            return fault(path, 400, "invalid_json", "The body is no JSON object in UTF-8.")
        return _Passed(_with_length(scope, len(smaller[0])), smaller[0], decision.degrade)

    def _told(self, scope: Scope) -> dict[str, str]:
        """Return the headers by lower-case name, with what the host knows itself in place of what a client claims.

        Of a name that comes twice the first counts, as it does for the frameworks that read the API key.
        """
        raw = reversed(list(scope["headers"]))
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}
        if not self._trust_headers:
            headers = {name: value for name, value in headers.items() if not name.startswith("x-sw-")}
            headers["x-forwarded-for"] = (scope.get("client") or ("",))[0]
        account = None if self._account_of is None else self._account_of(scope)
        if account:
            headers["x-sw-account-id"] = account
        return headers


def _with_length(scope: Scope, size: int) -> Scope:
    """Return a scope with the length of another body; compressed answers could not be read on their way out."""
    kept = [(name, value) for name, value in scope["headers"] if name.lower() != b"accept-encoding"]
    headers = [(name, str(size).encode() if name.lower() == b"content-length" else value) for name, value in kept]
    return {**scope, "headers": headers}


def _given_back(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body that was read once more, and then goes on."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
