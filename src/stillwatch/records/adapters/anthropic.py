"""Captured pairs of the Anthropic messages API."""

from collections.abc import Iterator, Mapping
from typing import Any

from stillwatch.records.adapters import anthropic_wire as wire
from stillwatch.records.adapters.pairs import ENVELOPE_FIELDS, looks_like_pair, read_pair


class AnthropicPairs:
    """Reads capture envelopes (see pairs.py) whose bodies are those of the messages API, streamed or not."""

    name = "anthropic"
    fills = ENVELOPE_FIELDS

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Tell by the path, the version header, or the shape of the answer."""
        return looks_like_pair(record) and is_anthropic(record)

    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the exchange of one envelope."""
        for fields in read_pair(record, wire.request_fields, wire.answer_fields, wire.assemble, wire.REQUEST_KEYS):
            yield {"operation": "messages"} | fields


def is_anthropic(record: Mapping[str, Any]) -> bool:
    """Tell whether the bodies of an envelope are those of the messages API."""
    request, response = record.get("request"), record.get("response")
    if isinstance(request, Mapping):
        path = str(request.get("path") or request.get("url") or "").partition("?")[0]
        headers = request.get("headers")
        named = headers if isinstance(headers, Mapping) else {}
        if path:
            return path.endswith(("/messages", "/complete"))
        if any(str(name).lower() == "anthropic-version" for name in named):
            return True
    body = response.get("body", response) if isinstance(response, Mapping) else response
    if isinstance(body, Mapping):
        return body.get("type") == "message"
    if isinstance(body, list):
        return any(isinstance(event, Mapping) and event.get("type") == "message_start" for event in body)
    return isinstance(body, str) and '"message_start"' in body[:4096]
