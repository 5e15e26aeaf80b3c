"""The hub as an ASGI application."""

from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from stillwatch.hub.api.routes import holder_operations
from stillwatch.hub.api.routes import operations as api_operations
from stillwatch.hub.auth import Authenticator
from stillwatch.hub.http import JSON, TAXII, Answer, Door, HubError, problem
from stillwatch.hub.hub import Hub
from stillwatch.hub.operations import Operation, document, routes_of
from stillwatch.hub.taxii.routes import operations as taxii_operations


def make_app(hub: Hub, authenticator: Authenticator, public_url: str | None = None) -> Starlette:
    """Return the application."""
    return compose(hub, authenticator, public_url, [*taxii_operations(hub), *api_operations(hub)])


def make_trustee_app(hub: Hub, authenticator: Authenticator, public_url: str | None = None) -> Starlette:
    """Return the application of a trustee, who holds a share of the hub's key: its token service alone."""
    return compose(hub, authenticator, public_url, holder_operations(hub))


def compose(
    hub: Hub, authenticator: Authenticator, public_url: str | None, operations: Sequence[Operation]
) -> Starlette:
    """Return an application of operations and the document that describes them."""
    door = Door(authenticator.member_of, hub.limits.body, hub.storage.reading, public_url)
    told = msgspec.json.encode(document(operations))
    itself = Operation("/openapi.json", "get", "This document.", lambda _call: Answer(told))
    return Starlette(
        routes=routes_of([*operations, itself], door),
        exception_handlers={HTTPException: _absent},
    )


async def _absent(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    media_type = JSON if request.url.path.startswith("/v1/") else TAXII
    routes = [one for one in request.app.routes if isinstance(one, Route)]
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        found = [one for one in routes if one.matches(request.scope)[0] is not Match.NONE]
        allowed = sorted({method for one in found for method in one.methods or ()})
        told = HubError(status, f"{request.method} is not possible here", "", {"allow": ", ".join(allowed)})
        return problem(told, media_type)
    roots = {one.path.split("/")[1] for one in routes}
    if request.url.path.split("/")[1] in roots:
        return problem(HubError(status, "there is no such resource", "GET /openapi.json names all"), media_type)
    return problem(HubError(status, "there is no such API root", "GET /taxii2/ names the API roots"), media_type)
