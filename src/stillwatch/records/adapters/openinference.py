"""The OpenInference conventions: flattened messages, and the raw bodies where those are missing."""

from typing import Any

from stillwatch.records.adapters import openai_wire as wire
from stillwatch.records.adapters.chat import call_line, conversation, read_content, read_messages
from stillwatch.records.adapters.genai import indexed
from stillwatch.records.adapters.otlp import Span
from stillwatch.records.adapters.values import Fields, first, mapping, string

FIELDS = wire.REQUEST_FIELDS | wire.ANSWER_FIELDS | {"operation"}
CONTENT = frozenset({"input.value", "output.value", "llm.prompts", "llm.tools"})
"""Attributes that hold what was said."""

_KIND = "openinference.span.kind"
_OPERATIONS = {"LLM": "chat", "EMBEDDING": "embeddings"}
_TOKENS = {
    "input_tokens": "llm.token_count.prompt",
    "output_tokens": "llm.token_count.completion",
    "cached_tokens": "llm.token_count.prompt_details.cache_read",
    "reasoning_tokens": "llm.token_count.completion_details.reasoning",
}
_MODELS = ("llm.request.model_name", "llm.model_name", "embedding.model_name", "llm.response.model_name")
_FLAT = ("llm.input_messages.", "llm.output_messages.", "llm.tools.", "llm.prompts.", "embedding.embeddings.")


def is_model_call(span: Span) -> bool:
    """Tell a model call from the chains, agents, tools and retrievers around it."""
    return string(span.attributes.get(_KIND)) in _OPERATIONS


def used_keys(span: Span) -> frozenset[str]:
    """Return the attributes of a span that its fields say."""
    flat = {name for name in span.attributes if name.startswith(_FLAT)}
    said = {_KIND, "llm.finish_reason", "llm.invocation_parameters", "input.mime_type", "output.mime_type"}
    return frozenset(flat | said | set(_TOKENS.values()) | set(_MODELS))


def fields(span: Span) -> Fields:
    """Return what a span says of the call: the flattened attributes first, then the raw bodies."""
    values = span.attributes
    sent = _body(values.get("input.value"))
    parameters = mapping(values.get("llm.invocation_parameters"), "llm.invocation_parameters")
    found = wire.request_fields({**sent, **parameters})
    found |= {key: value for key, value in wire.answer_fields(_body(values.get("output.value"))).items() if value}
    given = [_message(flat) for flat in indexed(values, "llm.input_messages")]
    if given:
        found |= conversation(read_messages(given))
    made = [_message(flat) for flat in indexed(values, "llm.output_messages")]
    answers = [message.content.answer for message in read_messages(made)]
    tools = wire.tool_names(tool.get("tool.json_schema") for tool in indexed(values, "llm.tools"))
    counted = {name: values[key] for name, key in _TOKENS.items() if values.get(key) is not None}
    return found | counted | {
        "operation": _OPERATIONS[values[_KIND]],
        "model": first(found["model"], *(values.get(name) for name in _MODELS)),
        "response": "\n\n".join(answer for answer in answers if answer) or found.get("response"),
        "finish_reason": first(values.get("llm.finish_reason"), found.get("finish_reason")),
        "tool_names": tools or found["tool_names"],
        "tool_count": len(tools) or found["tool_count"],
    }  # fmt: skip


def _body(value: Any) -> Any:
    """Return a raw body; text that is no JSON object is no body of an API."""
    return mapping(value, "body") if isinstance(value, str) and value[:1] == "{" else {}


def _message(flat: dict[str, Any]) -> dict[str, Any]:
    content: list[Any] = read_content(flat.get("message.content")).texts
    inner = {name.removeprefix("message."): value for name, value in flat.items()}
    content += [part.get("message_content.text") for part in indexed(inner, "contents")]
    calls = [
        call_line(
            call.get("tool_call.function.name"),
            call.get("tool_call.function.arguments"),
        )
        for call in indexed(inner, "tool_calls")
    ]
    return {"role": flat.get("message.role"), "content": content + calls}
