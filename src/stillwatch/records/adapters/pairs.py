"""The capture envelope: a request and its answer as they went over the wire, with what the gateway knows of them.

    {"ts": "2026-05-01T10:00:00Z", "request_id": "req-1", "account_id": "acct-7", "client_ip": "192.0.2.7",
     "request": {"method": "POST", "path": "/v1/chat/completions", "headers": {...}, "body": {...}},
     "response": {"status": 200, "headers": {...}, "body": {...}}}

A body is an object, JSON text, or a stream: the text of the server-sent events or the list of their objects.
`request` and `response` may also be the bodies themselves. Any field of an exchange may stand beside them.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from stillwatch.errors import RecordError
from stillwatch.records.adapters.values import Fields, derived_id, extra_of, first, mapping, string
from stillwatch.records.exchange import EXCHANGE_SCHEMA
from stillwatch.records.secrets import hash_secret

_ENVELOPE = frozenset({"ts", "timestamp", "request_id", "request", "response", "extra"})
_SIDE = frozenset({"method", "path", "url", "headers", "body", "status", "status_code"})
_USED_HEADERS = frozenset({"user-agent", "x-request-id", "request-id"})
ENVELOPE_FIELDS = frozenset(EXCHANGE_SCHEMA.names) - {"sketch", "extra"}
_BESIDE = ENVELOPE_FIELDS - {"response"}  # in the envelope that is the answer's side

Assemble = Callable[[list[Mapping[str, Any]]], Mapping[str, Any]]


class Pair:
    """One envelope, opened.

    Raises:
        RecordError: on construction, where request or response have the wrong shape.
    """

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.record = record
        self.request = mapping(record.get("request"), "request")
        self.response = _side(record.get("response"), "response")
        self.headers = _lowered(self.request.get("headers"))
        self.answer_headers = _lowered(self.response.get("headers"))
        self.body = mapping(self.request.get("body", self.request), "request body")

    @property
    def path(self) -> str:
        """Path of the request, without query; empty where the envelope does not say."""
        return string(self.request.get("path"), self.request.get("url")).partition("?")[0]

    def answer_body(self) -> Mapping[str, Any] | list[Mapping[str, Any]]:
        """Return the answer's body, or the events of a stream."""
        body = self.response.get("body", self.response)
        if isinstance(body, str) and not body.lstrip().startswith(("{", "[")):
            return server_sent_events(body)
        if isinstance(body, str):
            try:
                body = msgspec.json.decode(body)
            except (msgspec.MsgspecError, RecursionError) as error:
                raise RecordError("not_a_pair", f"the answer's body is no JSON: {error}") from error
        if isinstance(body, list):
            return [mapping(event, "event") for event in body]
        return mapping(body, "response body")

    def answer(self, assemble: Assemble) -> Mapping[str, Any]:
        """Return the answer's body, a stream assembled."""
        body = self.answer_body()
        return assemble(body) if isinstance(body, list) else body

    def identity(self) -> Fields:
        """Return what the envelope and the headers say of who asked, when, and how it went."""
        named = {name: first(self.record.get(name)) for name in _BESIDE if name in self.record}
        secret = _secret(self.headers)
        key = first(named.get("key_id"), None if secret is None else hash_secret(secret))
        body_id = first(self.answer_headers.get("x-request-id"), self.answer_headers.get("request-id"))
        request_id = first(self.record.get("request_id"), self.headers.get("x-request-id"), body_id)
        return named | {
            "exchange_id": first(named.get("exchange_id"), request_id, derived_id(self.record)),
            "ts": first(named.get("ts"), self.record.get("timestamp")),
            "key_id": key,
            # Where a log knows nobody but the key, the key is the login identity that made the request.
            "account_id": first(named.get("account_id"), key),
            "user_agent": first(named.get("user_agent"), self.headers.get("user-agent")),
            "status": first(named.get("status"), self.response.get("status"), self.response.get("status_code")),
        }

    def rest(self, request_keys: frozenset[str], answer: Mapping[str, Any]) -> dict[str, str]:
        """Return what else the envelope carries; neither secrets nor what was said."""
        extra = extra_of(self.record, ENVELOPE_FIELDS | _ENVELOPE)
        extra |= extra_of(mapping(self.record.get("extra"), "extra"), ())
        for name, side, headers in (
            ("request", self.request, self.headers),
            ("response", self.response, self.answer_headers),
        ):
            if "body" in side:
                extra |= extra_of(side, _SIDE - {"method", "path", "url"}, f"{name}.")
            extra |= extra_of(headers, _USED_HEADERS, f"{name}.header.")
        extra |= extra_of(self.body, request_keys | _SIDE, "request.body.")
        response_ids = {"request_id": self.record.get("request_id"), "response_id": answer.get("id")}
        return extra | {name: str(value) for name, value in response_ids.items() if value is not None}


def looks_like_pair(record: Mapping[str, Any]) -> bool:
    """Tell whether a record has the two sides of the envelope."""
    return isinstance(record.get("request"), Mapping) and "response" in record


def server_sent_events(text: str) -> list[Mapping[str, Any]]:
    """Return the JSON objects of a stream of server-sent events; a last one that was cut off is left out."""
    events = []
    for line in text.splitlines():
        if not line.startswith("data:"):
            continue
        try:
            event = msgspec.json.decode(line.removeprefix("data:").strip())
        except (msgspec.MsgspecError, RecursionError):
            continue  # `[DONE]`, or the end of a stream that the client closed
        if isinstance(event, Mapping):
            events.append(event)
    return events


def read_pair(
    record: Mapping[str, Any],
    request_fields: Callable[[Mapping[str, Any]], Fields],
    answer_fields: Callable[[Mapping[str, Any]], Fields],
    assemble: Assemble,
    request_keys: frozenset[str],
) -> Iterator[Fields]:
    """Yield the exchange in one envelope: what is said beside the bodies goes before what they say.

    Raises:
        RecordError: the envelope or a body has the wrong shape.
    """
    if not looks_like_pair(record):
        raise RecordError("not_a_pair", "the record has no request and response")
    pair = Pair(record)
    answer = pair.answer(assemble)
    said = request_fields(pair.body) | answer_fields(answer)
    beside = {name: value for name, value in pair.identity().items() if value is not None}
    yield said | beside | {"extra": pair.rest(request_keys, answer)}


def _side(value: Any, name: str) -> Mapping[str, Any]:
    if isinstance(value, list) or (isinstance(value, str) and value.lstrip().startswith(("data:", "event:"))):
        return {"body": value}
    return mapping(value, name)


def _lowered(headers: Any) -> Mapping[str, Any]:
    if isinstance(headers, list):
        headers = dict(pair for pair in headers if isinstance(pair, list) and len(pair) == 2)
    return {str(name).lower(): value for name, value in mapping(headers, "headers").items()}


def _secret(headers: Mapping[str, Any]) -> str | None:
    bearer = headers.get("authorization")
    if isinstance(bearer, str) and bearer.lower().startswith("bearer "):
        return first(bearer[7:].strip())  # type: ignore[no-any-return]  # a string or None
    for name in ("x-api-key", "api-key", "x-goog-api-key"):
        if isinstance(headers.get(name), str) and headers[name]:
            return str(headers[name])
    return None
