"""Requests and answers in the shape of the Anthropic messages API, also as Amazon Bedrock carries it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from stillwatch.records.adapters.chat import conversation, read_content, read_messages
from stillwatch.records.adapters.openai_wire import error_code, tool_names
from stillwatch.records.adapters.values import Fields, first, mapping, sequence, string

REQUEST_FIELDS = frozenset(
    {
        "model", "end_user_id", "temperature", "top_p", "max_tokens", "stream", "tool_count", "tool_names",
        "reasoning_effort", "response_format", "system", "prompt", "turn", "reasoning_handle",
    }
)  # fmt: skip
ANSWER_FIELDS = frozenset(
    {"response", "reasoning", "finish_reason", "error_code", "input_tokens", "cached_tokens", "output_tokens"}
)
REQUEST_KEYS = frozenset(
    {
        "model", "temperature", "top_p", "max_tokens", "max_tokens_to_sample", "stream", "tools", "system",
        "messages", "prompt", "output_config",
    }
)  # fmt: skip
"""Keys of a request that the fields above say, or that are its content."""


def request_fields(body: Mapping[str, Any]) -> Fields:
    """Return the fields of a request body."""
    names = tool_names(sequence(body.get("tools"), "tools"))
    output = mapping(body.get("output_config"), "output_config")
    messages = read_messages(sequence(body.get("messages"), "messages"))
    said = conversation(messages, body.get("system"))
    if "messages" not in body and "prompt" in body:
        said |= {"prompt": read_content(body["prompt"]).text, "turn": None}
    return {
        "model": first(body.get("model")),
        "end_user_id": first(mapping(body.get("metadata"), "metadata").get("user_id")),
        "temperature": body.get("temperature"),
        "top_p": body.get("top_p"),
        "max_tokens": first(body.get("max_tokens"), body.get("max_tokens_to_sample")),
        "stream": body.get("stream"),
        "tool_count": len(names) or None,
        "tool_names": names or None,
        "reasoning_effort": output.get("effort"),
        "response_format": mapping(output.get("format"), "format").get("type"),
        **said,
    }


def answer_fields(body: Mapping[str, Any]) -> Fields:
    """Return the fields of an answer body; input tokens include those read from and written to the cache."""
    content = read_content(first(body.get("content"), body.get("completion")))
    usage = mapping(body.get("usage"), "usage")
    read = usage.get("cache_read_input_tokens")
    parts = [usage.get("input_tokens"), read, usage.get("cache_creation_input_tokens")]
    counted = [part for part in parts if isinstance(part, int) and not isinstance(part, bool)]
    return {
        "response": content.answer,
        "reasoning": "\n".join(content.reasoning) or None,
        "finish_reason": first(body.get("stop_reason")),
        "input_tokens": sum(counted) if counted else usage.get("input_tokens"),
        "cached_tokens": read,
        "output_tokens": usage.get("output_tokens"),
        "error_code": error_code({"type": mapping(body.get("error"), "error").get("type")}),
    }


def assemble(events: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the answer body that a stream's events add up to."""
    body: dict[str, Any] = {}
    usage: dict[str, Any] = {}
    blocks: dict[Any, dict[str, Any]] = {}
    for event in events:
        kind = event.get("type")
        if kind == "message_start":
            body |= mapping(event.get("message"), "message")
            usage |= mapping(body.get("usage"), "usage")
        elif kind == "content_block_start":
            blocks[string(event.get("index"))] = dict(mapping(event.get("content_block"), "content_block"))
        elif kind == "content_block_delta":
            _add_delta(blocks.setdefault(string(event.get("index")), {}), mapping(event.get("delta"), "delta"))
        elif kind == "message_delta":
            body |= mapping(event.get("delta"), "delta")
            usage |= mapping(event.get("usage"), "usage")
        elif kind == "error":
            body["error"] = event.get("error")
        elif "completion" in event:  # the text completions that preceded messages
            body["completion"] = str(body.get("completion", "")) + str(event["completion"])
            body["stop_reason"] = event.get("stop_reason")
    if blocks:
        body["content"] = [_finished(block) for block in blocks.values()]
    return body | {"usage": usage}


def _add_delta(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    block.setdefault("type", "text")
    for key in ("text", "thinking", "signature", "partial_json"):
        if isinstance(delta.get(key), str):
            block[key] = string(block.get(key)) + delta[key]


def _finished(block: dict[str, Any]) -> dict[str, Any]:
    written = block.pop("partial_json", None)
    if written is not None:
        try:
            block["input"] = msgspec.json.decode(written)
        except (msgspec.MsgspecError, RecursionError):
            block["input"] = written  # an answer may be cut off inside the arguments
    return block
