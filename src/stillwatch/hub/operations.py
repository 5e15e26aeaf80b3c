"""The operations of the hub: one list from which both the routes and the OpenAPI 3.1 document are made."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from starlette.routing import Route

from stillwatch import __version__
from stillwatch.hub.http import JSON, Door, Handler


class Parameter(NamedTuple):
    """A parameter of the query, with its JSON Schema."""

    name: str
    schema: dict[str, Any]
    description: str


class Operation(NamedTuple):
    """One method on one path.

    Attributes:
        body: type of the body, None for none.
        answers: each status with the type of its body, None for one that is not described.
        errors: the statuses of refusals beside 401, 403, 404 and 503.
        media_type: of the body and of all answers.
        gives: of the answers that are no refusals, where it is another.
    """

    path: str
    method: str
    summary: str
    handler: Handler
    body: Any = None
    answers: tuple[tuple[int, Any], ...] = ((200, None),)
    errors: tuple[int, ...] = ()
    query: tuple[Parameter, ...] = ()
    media_type: str = JSON
    gives: str | None = None


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a refused request is told: TAXII's error resource."""

    title: str
    http_status: str
    description: str = ""


def routes_of(operations: Iterable[Operation], door: Door) -> list[Route]:
    """Return the routes; a path may be called with a slash at its end or without."""
    routes = []
    for one in operations:
        endpoint = door.opens_to(one.handler, one.media_type)
        routes += [
            Route(path, endpoint, methods=[one.method.upper()])
            for path in {one.path, one.path.rstrip("/"), one.path.rstrip("/") + "/"} - {""}
        ]
    return routes


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the OpenAPI document."""
    kinds = {Problem, *(kind for one in operations for kind in (one.body, *(kind for _, kind in one.answers)) if kind)}
    ordered = sorted(kinds, key=str)
    schemas, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(re.sub(r":\w+\}", "}", one.path), {})[one.method] = _described(one, schema_of)
    schemes = {
        "token": {"type": "http", "scheme": "bearer"},
        "basic": {"type": "http", "scheme": "basic", "description": "For clients that know no tokens."},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "stillwatch hub", "version": __version__},
        "security": [{"token": []}, {"basic": []}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": schemes},
    }


def _described(one: Operation, schema_of: dict[Any, Any]) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)", one.path)
    refused = sorted({401, 403, 404, 503, *one.errors} - {status for status, _ in one.answers})
    problem = {"content": {one.media_type: {"schema": schema_of[Problem]}}}
    told: dict[str, Any] = {
        "summary": one.summary,
        "parameters": [_in_path(name) for name in names] + [_in_query(parameter) for parameter in one.query],
        "responses": {
            **{str(status): _content(kind, one.gives or one.media_type, schema_of) for status, kind in one.answers},
            **{str(status): {"description": "Refused.", **problem} for status in refused},
        },
    }
    if one.body is not None:
        told["requestBody"] = {"required": True, "content": {one.media_type: {"schema": schema_of[one.body]}}}
    return told


def _in_path(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": 256}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(parameter: Parameter) -> dict[str, Any]:
    return {"name": parameter.name, "in": "query", "schema": parameter.schema, "description": parameter.description}


def _content(kind: Any, media_type: str, schema_of: dict[Any, Any]) -> dict[str, Any]:
    schema = {} if kind is None else {"schema": schema_of[kind]}
    return {"description": "Done.", "content": {media_type: schema}}
