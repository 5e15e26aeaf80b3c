"""Spans as OpenTelemetry writes them: OTLP JSON exports, and the flat objects of an SDK's console exporter."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from stillwatch.errors import RecordError
from stillwatch.records.adapters.values import first, mapping, sequence, string, whole

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCALARS = ("stringValue", "doubleValue", "boolValue", "bytesValue")


@dataclass(frozen=True, slots=True)
class Span:
    """One span, whichever way it was written; `start` and `end` as the source has them."""

    name: str
    trace_id: str
    span_id: str
    start: Any
    end: Any
    attributes: dict[str, Any]
    resource: dict[str, Any]
    failed: bool
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


def looks_like_spans(record: Mapping[str, Any]) -> bool:
    """Tell whether a record is an OTLP export request or a span."""
    if "resourceSpans" in record or "resource_spans" in record:
        return True
    return "attributes" in record and ("start_time" in record or "startTimeUnixNano" in record)


def read_spans(record: Mapping[str, Any]) -> Iterator[Span]:
    """Yield the spans of a record.

    Raises:
        RecordError: the record has the wrong shape.
    """
    exported = first(record.get("resourceSpans"), record.get("resource_spans"))
    if exported is None:
        resource = mapping(record.get("resource"), "resource")
        yield _span(record, _attributes(resource.get("attributes")))
        return
    for item in sequence(exported, "resourceSpans"):
        group = mapping(item, "resourceSpans")
        resource = _attributes(mapping(group.get("resource"), "resource").get("attributes"))
        scopes = first(group.get("scopeSpans"), group.get("scope_spans"), group.get("instrumentationLibrarySpans"))
        for scope in sequence(scopes, "scopeSpans"):
            for span in sequence(mapping(scope, "scopeSpans").get("spans"), "spans"):
                yield _span(mapping(span, "span"), resource)


def _span(span: Mapping[str, Any], resource: dict[str, Any]) -> Span:
    context = mapping(span.get("context"), "context")
    status = mapping(span.get("status"), "status")
    code = string(status.get("code"), status.get("status_code"))
    return Span(
        name=str(span.get("name", "")),
        trace_id=_hex(first(span.get("traceId"), context.get("trace_id"))),
        span_id=_hex(first(span.get("spanId"), context.get("span_id"))),
        start=_moment(span, "startTimeUnixNano", "start_time"),
        end=_moment(span, "endTimeUnixNano", "end_time"),
        attributes=_attributes(span.get("attributes")),
        resource=resource,
        failed=code in {"2", "ERROR", "STATUS_CODE_ERROR", "StatusCode.ERROR"},
        events=[_event(event) for event in sequence(span.get("events"), "events")],
    )


def _event(event: Any) -> tuple[str, dict[str, Any]]:
    event = mapping(event, "event")
    return str(event.get("name", "")), _attributes(event.get("attributes"))


def _hex(value: Any) -> str:
    return string(value).removeprefix("0x")


def _moment(span: Mapping[str, Any], nanoseconds: str, text: str) -> Any:
    count = whole(span.get(nanoseconds), nanoseconds)
    if count is None:
        return span.get(text)
    try:
        return _EPOCH + timedelta(microseconds=count // 1000)
    except (OverflowError, TypeError) as error:
        raise RecordError("timestamp_invalid", f"{nanoseconds}: {count!r:.40}") from error


def _attributes(given: Any) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return dict(given)
    pairs = (mapping(item, "attribute") for item in sequence(given, "attributes"))
    return {str(pair.get("key")): _value(pair.get("value")) for pair in pairs}


def _value(wrapped: Any) -> Any:
    """Unwrap an OTLP AnyValue; 64-bit integers are digits in JSON."""
    wrapped = mapping(wrapped, "attribute value")
    if "intValue" in wrapped:
        return whole(wrapped["intValue"], "intValue")
    if "arrayValue" in wrapped:
        inner = mapping(wrapped["arrayValue"], "arrayValue")
        return [_value(value) for value in sequence(inner.get("values"), "values")]
    if "kvlistValue" in wrapped:
        return _attributes(mapping(wrapped["kvlistValue"], "kvlistValue").get("values"))
    return first(*(wrapped.get(name) for name in _SCALARS))
