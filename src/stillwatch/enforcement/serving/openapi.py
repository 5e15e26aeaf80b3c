"""The service's OpenAPI 3.1 document, made from the structs that bodies are decoded into."""

import functools
from typing import Any, NamedTuple

import msgspec

from stillwatch import __version__
from stillwatch.enforcement.casework import Lift, NewVerdict, VerdictState
from stillwatch.enforcement.model import DecideRequest, Decision
from stillwatch.enforcement.record.appeals import Appeal, NewAppeal, NewReview
from stillwatch.enforcement.record.ledger import Entry
from stillwatch.enforcement.service import AccountView
from stillwatch.enforcement.serving.dialects import GuardrailCall


class _Call(NamedTuple):
    path: str
    method: str
    summary: str
    body: Any = None
    answers: tuple[tuple[int, Any], ...] = ((200, None),)
    guarded: bool = False


_CALLS = (
    _Call("/v1/decide", "post", "Decide on a request.", DecideRequest, ((200, Decision),)),
    _Call("/v1/decisions/{decision_id}", "get", "Why it was decided so.", None, ((200, Entry), (404, None))),
    _Call("/v1/accounts/{account_id}", "get", "What is held about an account.", None, ((200, AccountView),)),
    _Call(
        "/v1/verdicts/{account_id}",
        "put",
        "Set a verdict; 202: a second person must ask for the same.",
        NewVerdict,
        ((200, VerdictState), (202, VerdictState)),
        guarded=True,
    ),
    _Call("/v1/verdicts/{account_id}", "delete", "Lift a verdict.", Lift, ((200, None),), guarded=True),
    _Call(
        "/v1/exchanges",
        "post",
        "Post finished exchanges, up to 1,000.",
        list[dict[str, Any]],
        ((202, None),),
        guarded=True,
    ),
    _Call("/v1/appeals", "post", "Appeal against a decision.", NewAppeal, ((201, None), (404, None))),
    _Call("/v1/appeals", "get", "All appeals.", None, ((200, list[Appeal]),), guarded=True),
    _Call("/v1/appeals/{appeal_id}", "get", "One appeal.", None, ((200, Appeal), (404, None)), guarded=True),
    _Call(
        "/v1/appeals/{appeal_id}/reviews",
        "post",
        "Add a reviewer's finding.",
        NewReview,
        ((200, Appeal), (404, None), (409, None)),
        guarded=True,
    ),
    _Call("/v1/budgets/{cohort}/reset", "post", "Let a cohort's rules enforce again.", guarded=True),
    _Call(
        "/nginx", "get", "nginx auth_request: 200 or 403, the rest in X-SW-* headers.", None, ((200, None), (403, None))
    ),
    _Call("/beta/litellm_basic_guardrail_api", "post", "LiteLLM generic guardrail.", GuardrailCall),
    _Call("/healthz", "get", "Whether the process answers."),
    _Call("/readyz", "get", "Whether it can decide."),
    _Call("/metrics", "get", "Prometheus text."),
)


@functools.cache
def document() -> dict[str, Any]:
    """Return the document."""
    kinds = {
        kind for call in _CALLS for kind in (call.body, *(answer for _, answer in call.answers)) if kind is not None
    }
    ordered = sorted(kinds, key=str)
    schemas, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for call in _CALLS:
        paths.setdefault(call.path, {})[call.method] = _operation(call, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "stillwatch decision service", "version": __version__},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"admin": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(call: _Call, schema_of: dict[Any, Any]) -> dict[str, Any]:
    names = [part[1:-1] for part in call.path.split("/") if part.startswith("{")]
    operation: dict[str, Any] = {
        "summary": call.summary,
        "parameters": [_parameter(name) for name in names],
        "responses": {str(status): _content(kind, schema_of) for status, kind in (*call.answers, *_errors(call))},
    }
    if call.body is not None:
        operation["requestBody"] = {"required": call.method != "delete", **_content(call.body, schema_of)}
        del operation["requestBody"]["description"]
    if call.guarded:
        operation["security"] = [{"admin": []}]
    return operation


def _parameter(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": 256}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _errors(call: _Call) -> list[tuple[int, None]]:
    statuses = {400, 413, 422} if call.body is not None else set()
    if "{" in call.path:
        statuses |= {404, 422}
    statuses -= {status for status, _ in call.answers}
    return [(status, None) for status in ([401] if call.guarded else []) + sorted(statuses)]


def _content(kind: Any, schema_of: dict[Any, Any]) -> dict[str, Any]:
    if kind is None:
        return {"description": "See the summary, or the error's own message."}
    return {"description": "JSON", "content": {"application/json": {"schema": schema_of[kind]}}}
