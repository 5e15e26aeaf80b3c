"""Traces of model calls: OpenTelemetry GenAI spans, old and new names, and OpenInference spans."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from stillwatch.errors import RecordError
from stillwatch.records.adapters import genai, openinference
from stillwatch.records.adapters.base import EMITTER
from stillwatch.records.adapters.otlp import Span, looks_like_spans, read_spans
from stillwatch.records.adapters.values import Fields, derived_id, extra_of, first

_ACCOUNT = ("stillwatch.account_id", "enduser.id", "user.id")
_SERVICE = ("service.namespace", "service.name")
_USED = frozenset(
    {
        *_ACCOUNT, "stillwatch.org_id", "stillwatch.key_id", "client.address", "user_agent.original", "session.id",
        "gen_ai.conversation.id", "http.response.status_code", "error.type",
    }
)  # fmt: skip


class OpenTelemetry:
    """Reads OTLP JSON exports and flat spans; spans that are no model call are passed over.

    The account is the attribute `stillwatch.account_id`, `enduser.id` or `user.id` of the span or its resource; where
    none is there, nor in a joined log, it is the service that emitted the span.
    """

    name = "otel"
    fills = (
        genai.FIELDS
        | openinference.FIELDS
        | {
            "exchange_id", "ts", "account_id", "org_id", "key_id", "session_id", "client_ip", "user_agent", "status",
            "error_code", "latency_ms",
        }
    )  # fmt: skip

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Tell by `resourceSpans`, or by attributes beside a start time."""
        return looks_like_spans(record)

    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield one exchange per span that is a model call."""
        if not looks_like_spans(record):
            raise RecordError("unknown_format", "the record is neither an OTLP export nor a span")
        for span in read_spans(record):
            for convention in (openinference, genai):
                if convention.is_model_call(span):
                    used = _USED | convention.CONTENT
                    extra = extra_of(span.attributes, convention.used_keys(span) | used)
                    extra |= extra_of(span.resource, _USED, "resource.") | {"trace_id": span.trace_id}
                    said = {k: v for k, v in convention.fields(span).items() if v is not None}
                    yield _common(span) | said | {"extra": extra}
                    break


def _common(span: Span) -> Fields:
    known = span.resource | span.attributes
    status = known.get("http.response.status_code")
    identified = span.trace_id and span.span_id
    return {
        "exchange_id": f"{span.trace_id}:{span.span_id}" if identified else derived_id(span.start, known),
        "ts": span.start,
        EMITTER: "/".join(known[name] for name in _SERVICE if isinstance(known.get(name), str)) or None,
        "account_id": first(*(known.get(name) for name in _ACCOUNT)),
        "org_id": known.get("stillwatch.org_id"),
        "key_id": known.get("stillwatch.key_id"),
        "session_id": first(known.get("gen_ai.conversation.id"), known.get("session.id"), span.trace_id),
        "client_ip": known.get("client.address"),
        "user_agent": known.get("user_agent.original"),
        "status": status,
        "error_code": first(known.get("error.type"), _exception(span)) if span.failed else None,
        "latency_ms": _between(span.start, span.end),
    }


def _exception(span: Span) -> Any:
    return next((values.get("exception.type") for name, values in span.events if name == "exception"), None)


def _between(start: Any, end: Any) -> int | None:
    try:
        moments = [msgspec.convert(value, datetime) for value in (start, end)]
        return round((moments[1] - moments[0]).total_seconds() * 1000)
    except (msgspec.ValidationError, TypeError):
        return None  # the timestamp itself is judged where the row is made
