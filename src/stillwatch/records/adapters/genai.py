"""The OpenTelemetry GenAI conventions: which attribute says which field, under its new and its old names."""

from collections.abc import Mapping
from typing import Any

from stillwatch.records.adapters.chat import Message, conversation, read_content, read_messages
from stillwatch.records.adapters.openai_wire import tool_names
from stillwatch.records.adapters.otlp import Span
from stillwatch.records.adapters.values import Fields, first, mapping, milliseconds, sequence, string

FIELDS = frozenset(
    {
        "model", "operation", "temperature", "top_p", "max_tokens", "n", "seed", "stream", "tool_count", "tool_names",
        "response_format", "reasoning_effort", "system", "prompt", "turn", "reasoning_handle", "response", "reasoning",
        "finish_reason", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "ttft_ms",
    }
)  # fmt: skip
CONTENT = frozenset(
    {
        "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions",
        "gen_ai.prompt", "gen_ai.completion",
    }
)  # fmt: skip
"""Attributes that hold what was said."""

_NAMES: dict[str, tuple[str, ...]] = {
    "model": ("gen_ai.request.model", "llm.request.model"),
    "operation": ("gen_ai.operation.name", "llm.request.type"),
    "temperature": ("gen_ai.request.temperature",),
    "top_p": ("gen_ai.request.top_p",),
    "max_tokens": ("gen_ai.request.max_tokens",),
    "n": ("gen_ai.request.choice.count",),
    "seed": ("gen_ai.request.seed", "gen_ai.openai.request.seed"),
    "stream": ("gen_ai.request.stream", "gen_ai.request.is_stream", "llm.is_streaming"),
    "response_format": ("gen_ai.output.type", "gen_ai.openai.request.response_format"),
    "reasoning_effort": ("gen_ai.request.reasoning.effort", "gen_ai.openai.request.reasoning_effort"),
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"),
    "output_tokens": (
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens",
    ),
    "cached_tokens": ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"),
    "reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"),
}  # fmt: skip
_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
_FINISH = "gen_ai.response.finish_reasons"
_CALLS = frozenset({"chat", "text_completion", "generate_content", "embeddings", "completion", ""})
_OPERATIONS = {"text_completion": "completion"}
_OLD_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}


def is_model_call(span: Span) -> bool:
    """Tell a model call from the spans of agents and tools around it."""
    has_model = any(name in span.attributes for name in _NAMES["model"])
    return has_model and string(*(span.attributes.get(name) for name in _NAMES["operation"])) in _CALLS


def used_keys(span: Span) -> frozenset[str]:
    """Return the attributes of a span that its fields say."""
    flat = {name for name in span.attributes if name.startswith(("gen_ai.prompt.", "gen_ai.completion."))}
    return frozenset(flat | {name for names in _NAMES.values() for name in names} | {_FIRST_CHUNK, _FINISH})


def fields(span: Span) -> Fields:
    """Return what a span says of the call; content may stand in attributes, as JSON text, or in events."""
    values = span.attributes
    for name, details in span.events:
        if name == "gen_ai.client.inference.operation.details":
            values = values | details
    found: Fields = {field: first(*(values.get(name) for name in names)) for field, names in _NAMES.items()}
    found["operation"] = first(_OPERATIONS.get(string(found["operation"]), found["operation"]))
    found["ttft_ms"] = milliseconds(values.get(_FIRST_CHUNK), _FIRST_CHUNK, per_unit=1000.0)
    tools = tool_names(sequence(values.get("gen_ai.tool.definitions"), "gen_ai.tool.definitions"))
    found |= {"tool_names": tools or None, "tool_count": len(tools) or None}
    given = sequence(values.get("gen_ai.input.messages"), "gen_ai.input.messages")
    given = given or indexed(values, "gen_ai.prompt") or _old_messages(span)
    instructions = values.get("gen_ai.system_instructions")
    if isinstance(instructions, str):
        instructions = sequence(instructions, "gen_ai.system_instructions") if instructions[:1] == "[" else instructions
    found |= conversation(read_messages(given), instructions)
    made = sequence(values.get("gen_ai.output.messages"), "gen_ai.output.messages")
    return found | _answer(made or indexed(values, "gen_ai.completion") or _old_choices(span), values)


def _answer(made: list[Any], values: Mapping[str, Any]) -> Fields:
    reasons = values.get(_FINISH)
    reasons = reasons if isinstance(reasons, str) and reasons[:1] != "[" else sequence(reasons, _FINISH)
    reason = reasons if isinstance(reasons, str) else first(*reasons)
    answers: list[Message] = read_messages(made)
    texts = [message.content.answer for message in answers]
    thoughts = [thought for message in answers for thought in message.content.reasoning]
    written = (mapping(value, "output message").get("finish_reason") for value in made if not isinstance(value, str))
    return {
        "response": "\n\n".join(text for text in texts if text) or None,
        "reasoning": "\n".join(thoughts) or None,
        "finish_reason": first(reason, *written),
    }


def indexed(values: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    """Gather attributes such as `gen_ai.prompt.0.content` into the list of objects that they flatten."""
    objects: dict[int, dict[str, Any]] = {}
    for name, value in values.items():
        if name.startswith(prefix + "."):
            number, _, key = name[len(prefix) + 1 :].partition(".")
            if number.isdecimal() and key:
                objects.setdefault(int(number), {})[key] = value
    return [objects[number] for number in sorted(objects)]


def _old_messages(span: Span) -> list[dict[str, Any]]:
    return [
        {"role": _OLD_EVENTS[name], "content": values.get("content")}
        for name, values in span.events
        if name in _OLD_EVENTS
    ]


def _old_choices(span: Span) -> list[dict[str, Any]]:
    choices = []
    for name, values in span.events:
        if name == "gen_ai.choice":
            message = values.get("message")
            said = message if isinstance(message, Mapping) else {"content": message}
            content = read_content(first(said.get("content"), values.get("content"))).texts
            choices.append({"role": "assistant", "content": content, "finish_reason": values.get("finish_reason")})
    return choices
