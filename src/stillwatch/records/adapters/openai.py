"""Captured pairs of the OpenAI API: chat completions, responses, completions and embeddings."""

from collections.abc import Iterator, Mapping
from typing import Any

from stillwatch.records.adapters import openai_wire as wire
from stillwatch.records.adapters.anthropic import is_anthropic
from stillwatch.records.adapters.pairs import ENVELOPE_FIELDS, Pair, looks_like_pair, read_pair

_OPERATIONS = {
    "chat/completions": "chat",
    "responses": "responses",
    "completions": "completion",
    "embeddings": "embeddings",
}


class OpenAIPairs:
    """Reads capture envelopes (see pairs.py) whose bodies are those of the OpenAI API, streamed or not."""

    name = "openai"
    fills = ENVELOPE_FIELDS

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Tell by the two sides of the envelope and a request that names a model."""
        if not looks_like_pair(record) or is_anthropic(record):
            return False
        body = record["request"].get("body", record["request"])
        return isinstance(body, str) or (isinstance(body, Mapping) and ("model" in body or "messages" in body))

    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the exchange of one envelope."""
        for fields in read_pair(record, wire.request_fields, wire.answer_fields, wire.assemble, wire.REQUEST_KEYS):
            yield {"operation": _operation(Pair(record))} | fields


def _operation(pair: Pair) -> str | None:
    for ending, operation in _OPERATIONS.items():
        if pair.path.endswith("/" + ending):
            return operation
    if "messages" in pair.body:
        return "chat"
    return "completion" if "prompt" in pair.body else None
