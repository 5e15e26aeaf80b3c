"""Routes for people and their tools: verdicts, exchanges, reasons, appeals, health. Writing needs the admin token."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stillwatch.enforcement.asgi import BadRequestError, read_body
from stillwatch.enforcement.casework import Lift, NewVerdict
from stillwatch.enforcement.record.appeals import Appeal, NewAppeal, NewReview
from stillwatch.enforcement.record.intake import split_post
from stillwatch.enforcement.record.ledger import Entry
from stillwatch.enforcement.service import Service
from stillwatch.enforcement.serving.http import decode, problem
from stillwatch.enforcement.serving.metrics import Metrics
from stillwatch.enforcement.serving.openapi import document
from stillwatch.errors import PolicyRefusedError, RecordError


class _NameConvertor(Convertor[str]):
    """An account's name, whatever it holds: slashes and line ends too."""

    regex = "(?s:.+)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("name", _NameConvertor())
Handler = Callable[[Request], Awaitable[Response]]
T = TypeVar("T")


def people(service: Service, token: str) -> Starlette:
    """Return the application; `token` is what writing routes ask for."""
    desk = _Desk(service, token)
    written = [
        ("/v1/verdicts/{account_id:name}", "PUT", desk.set_verdict),
        ("/v1/verdicts/{account_id:name}", "DELETE", desk.lift_verdict),
        ("/v1/exchanges", "POST", desk.take_exchanges),
        ("/v1/appeals", "GET", desk.appeals),
        ("/v1/appeals/{appeal_id}", "GET", desk.appeal),
        ("/v1/appeals/{appeal_id}/reviews", "POST", desk.review),
        ("/v1/budgets/{cohort:name}/reset", "POST", desk.reset_budget),
    ]
    read = [
        ("/v1/decisions/{decision_id}", "GET", desk.decision),
        ("/v1/accounts/{account_id:name}", "GET", desk.account),
        ("/v1/appeals", "POST", desk.receive_appeal),
        ("/healthz", "GET", desk.health),
        ("/readyz", "GET", desk.health),
        ("/metrics", "GET", desk.metrics),
        ("/openapi.json", "GET", desk.openapi),
    ]
    routes = [Route(path, desk.guarded(handler), methods=[method]) for path, method, handler in written]
    routes += [Route(path, handler, methods=[method]) for path, method, handler in read]
    return Starlette(
        routes=routes,
        exception_handlers={BadRequestError: _told, PolicyRefusedError: _refused, 404: _absent, 405: _absent},
    )


class _Desk:
    def __init__(self, service: Service, token: str) -> None:
        self._service, self._token = service, token.encode()
        self._metrics = Metrics(service)

    def guarded(self, handler: Handler) -> Handler:
        """Return a handler that first asks for the token, in constant time."""

        async def asking(request: Request) -> Response:
            kind, _, given = request.headers.get("authorization", "").partition(" ")
            if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token):
                hint = (
                    "Authorization: Bearer, with STILLWATCH_ADMIN_TOKEN or the file admin-token of the data directory"
                )
                raise BadRequestError(401, "this needs the admin token", hint)
            return await handler(request)

        return asking

    async def set_verdict(self, request: Request) -> Response:
        new = await _body(request, NewVerdict)
        state = self._service.casework.set_verdict(_account(request), new, self._service.now())
        return _json(state, 200 if state.state == "in_force" else 202)

    async def lift_verdict(self, request: Request) -> Response:
        raw = await read_body(request.receive)
        lift = decode(msgspec.json.Decoder(Lift).decode, raw) if raw else _lift_of(request)
        account = _account(request)
        held = self._service.casework.lift(account, lift, self._service.now())
        return _json({"account_id": account, "lifted": held})

    async def take_exchanges(self, request: Request) -> Response:
        try:
            records = split_post(await read_body(request.receive))
        except RecordError as error:
            raise BadRequestError(
                422, error.message, "post an array, or JSON Lines, of at most 1,000 exchanges"
            ) from error
        try:
            loop = asyncio.get_running_loop()
            kept = await loop.run_in_executor(self._service.aside, self._service.keep, records)
        except OSError as error:
            raise BadRequestError(507, f"nothing was kept: {error.strerror}", "make room, and post it again") from error
        taken = self._service.settle(kept)
        rejected = [{"index": one.place, "reason": one.reason} for one in taken.rejected]
        return _json({"accepted": taken.accepted, "rejected": len(rejected), "rejects": rejected}, 202)

    async def decision(self, request: Request) -> Response:
        return _json(self._recorded(request.path_params["decision_id"]))

    async def account(self, request: Request) -> Response:
        return _json(self._service.account(_account(request)))

    async def receive_appeal(self, request: Request) -> Response:
        new = await _body(request, NewAppeal)
        appeal = self._service.casework.appeal(new, self._recorded(new.decision_id), self._service.now())
        shown = {"appeal_id": appeal.appeal_id, "state": appeal.state, "received": appeal.received, "due": appeal.due}
        return _json({"decision_id": appeal.decision_id, **shown}, 201)

    async def appeals(self, _request: Request) -> Response:
        return _json(self._service.casework.appeals.all())

    async def appeal(self, request: Request) -> Response:
        return _json(self._appeal(request))

    async def review(self, request: Request) -> Response:
        appeal, new = self._appeal(request), await _body(request, NewReview)
        decision = self._recorded(appeal.decision_id)
        return _json(self._service.casework.review(appeal, new, decision, self._service.now()))

    async def reset_budget(self, request: Request) -> Response:
        cohort = request.path_params["cohort"]
        return _json(
            {"cohort": cohort, "was_in_shadow": self._service.casework.reset_budget(cohort, self._service.now())}
        )

    async def health(self, _request: Request) -> Response:
        return _json({"status": "ok", "mode": self._service.decider.mode, "policy": self._service.decider.policy.id})

    async def metrics(self, _request: Request) -> Response:
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4")

    async def openapi(self, _request: Request) -> Response:
        return _json(document())

    def _recorded(self, decision_id: str) -> Entry:
        try:
            found = self._service.ledger.find(decision_id)
        except ValueError as error:
            raise BadRequestError(
                404, f"{decision_id!r} is no decision id", "quote it as the refusal gave it"
            ) from error
        if found is None:
            hint = "refusals are all recorded; of ordinary allows one in a hundred is"
            raise BadRequestError(404, f"no record of decision {decision_id}", hint)
        return found

    def _appeal(self, request: Request) -> Appeal:
        found = self._service.casework.appeals.get(request.path_params["appeal_id"])
        if found is None:
            raise BadRequestError(404, "there is no such appeal", "GET /v1/appeals lists them")
        return found


def _account(request: Request) -> str:
    account: str = request.path_params["account_id"]
    if not 0 < len(account) <= 256:
        raise BadRequestError(422, "an account id has 1 to 256 characters", "give it as the gateway does")
    return account


def _lift_of(request: Request) -> Lift:
    query = dict(request.query_params)
    try:
        return msgspec.convert(query, Lift)
    except msgspec.ValidationError as error:
        raise BadRequestError(422, str(error), 'send {"reason": …, "author": …}, or both in the query') from error


async def _body(request: Request, kind: type[T]) -> T:
    made: T = decode(msgspec.json.Decoder(kind).decode, await read_body(request.receive))
    return made


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def _told(_request: Request, error: Exception) -> Response:
    if not isinstance(error, BadRequestError):
        raise error
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else None
    return Response(problem(error), error.status, headers, "application/json")


async def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, PolicyRefusedError):
        raise error
    return Response(problem(BadRequestError(409, error.message, error.hint or "")), 409, media_type="application/json")


async def _absent(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    message = f"{request.method} {request.url.path} is not possible here"
    return Response(
        problem(BadRequestError(status, message, "GET /openapi.json lists what is")),
        status,
        media_type="application/json",
    )
