"""What a conversation says, whichever provider's shape it has.

The shapes of content parts (OpenAI, Anthropic, Gemini, Converse, OpenTelemetry) use different keys, so that one
reader serves all of them.
"""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from stillwatch.errors import RecordError
from stillwatch.records.adapters.values import Fields, first, hash_handle, mapping, string

_SYSTEM_ROLES = frozenset({"system", "developer"})
_USER_ROLES = frozenset({"user", "human"})
_MODEL_ROLES = frozenset({"assistant", "model", "ai"})
_TOOL_RESULTS = frozenset({"tool_result", "tool_call_response", "function_call_output"})


@dataclass(slots=True)
class Content:
    """The parts of one message by what they are."""

    texts: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    handle: str | None = None

    @property
    def answer(self) -> str | None:
        """The text of an answer; each tool call is a line of JSON after it."""
        return "\n".join([*self.texts, *self.calls]) or None

    @property
    def text(self) -> str | None:
        """The text alone."""
        return "\n".join(self.texts) or None


class Message(NamedTuple):
    """One message of a conversation."""

    role: str
    content: Content


def call_line(name: Any, arguments: Any) -> str:
    """Return a tool call as one line of JSON; arguments that are a JSON string are written as what they say."""
    if isinstance(arguments, str):
        # A model may write arguments that are no JSON: they stay text.
        with contextlib.suppress(msgspec.MsgspecError, RecursionError):
            arguments = msgspec.json.decode(arguments)
    return msgspec.json.encode({"name": name, "arguments": arguments}).decode()


def read_content(value: Any) -> Content:
    """Read the content of a message: text, a part, or a list of both.

    Raises:
        RecordError: the content is a number or a truth value.
    """
    content = Content()
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, str):
            content.texts.append(part)
        elif isinstance(part, Mapping):
            _read_part(part, content)
        elif part is not None:
            raise RecordError("wrong_type", f"message content: expected text, got {type(part).__name__}")
    content.texts = [text for text in content.texts if text]
    return content


def _read_part(part: Mapping[str, Any], content: Content) -> None:
    kind = string(part.get("type"))
    if kind in _TOOL_RESULTS:
        return
    call = first(part.get("toolUse"), part.get("functionCall"), part.get("function_call"))
    if isinstance(call, Mapping):
        content.calls.append(call_line(call.get("name"), first(call.get("input"), call.get("args"))))
    elif kind in {"tool_use", "tool_call", "function_call"}:
        content.calls.append(call_line(part.get("name"), first(part.get("input"), part.get("arguments"))))
    else:
        _read_text_part(part, kind, content)
    for name in ("signature", "encrypted_content", "thought_signature", "thoughtSignature"):
        if isinstance(part.get(name), str) and part[name]:
            content.handle = hash_handle(part[name])
    if kind == "redacted_thinking" and isinstance(part.get("data"), str):
        content.handle = hash_handle(part["data"])


def _read_text_part(part: Mapping[str, Any], kind: str, content: Content) -> None:
    thought = part.get("reasoningContent")
    if isinstance(thought, Mapping):
        thought = mapping(thought.get("reasoningText"), "reasoningText")
        _append(content.reasoning, thought.get("text"))
        if isinstance(thought.get("signature"), str):
            content.handle = hash_handle(thought["signature"])
    elif kind == "thinking":
        _append(content.reasoning, part.get("thinking"))
    elif kind == "reasoning":
        _append(content.reasoning, first(part.get("text"), part.get("content")))
        for name in ("summary", "content"):
            if isinstance(part.get(name), list):
                content.reasoning += read_content(part[name]).texts
    elif part.get("thought") is True:
        _append(content.reasoning, part.get("text"))
    else:
        _append(content.texts, first(part.get("text"), part.get("refusal"), kind == "text" and part.get("content")))


def _append(texts: list[str], value: Any) -> None:
    if isinstance(value, str) and value:
        texts.append(value)
    elif value not in (None, False, "") and not isinstance(value, list):
        raise RecordError("wrong_type", f"message content: expected text, got {type(value).__name__}")


def read_messages(values: Iterable[Any]) -> list[Message]:
    """Read messages with `role` and `content`, or with `parts` instead of content.

    Raises:
        RecordError: a message is no object.
    """
    messages = []
    for value in values:
        if isinstance(value, str):
            messages.append(Message("user", read_content(value)))
            continue
        message = mapping(value, "message")
        content = read_content(first(message.get("content"), message.get("parts")))
        messages.append(Message(string(message.get("role")), content))
    return messages


def conversation(messages: list[Message], system: Any = None) -> Fields:
    """Return `system`, `prompt`, `turn` and `reasoning_handle` of a request.

    The prompt is what users say after the last message of the model; a message of the model at the very end is
    the beginning of the answer. `turn` counts what users said before that: a run of messages is one turn.

    Args:
        messages: the conversation so far, as sent.
        system: content of a system prompt that stands apart from the messages.
    """
    fields: Fields = {}
    instructions = [read_content(system).text, *(m.content.text for m in messages if m.role in _SYSTEM_ROLES)]
    fields["system"] = "\n".join(text for text in instructions if text) or None
    fields["reasoning_handle"] = next((m.content.handle for m in reversed(messages) if m.content.handle), None)
    talk = [message for message in messages if message.role not in _SYSTEM_ROLES]
    while talk and talk[-1].role in _MODEL_ROLES:
        talk.pop()
    if not talk:
        return fields
    last = max((i for i, message in enumerate(talk) if message.role in _MODEL_ROLES), default=-1)
    new = [message.content.text for message in talk[last + 1 :] if message.role in _USER_ROLES]
    fields["prompt"] = "\n".join(text for text in new if text) or None
    fields["turn"] = _user_runs(talk[: last + 1])
    return fields


def _user_runs(messages: list[Message]) -> int:
    spoken = [message.role in _USER_ROLES for message in messages if message.content.text or message.content.calls]
    return sum(now and not before for before, now in zip([False, *spoken], spoken, strict=False))
