"""Vertex AI request-response logs: rows that Google Cloud writes to a BigQuery table, exported as JSON."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from stillwatch.errors import RecordError
from stillwatch.records.adapters.chat import conversation, read_content, read_messages
from stillwatch.records.adapters.values import (
    Fields,
    derived_id,
    extra_of,
    first,
    mapping,
    milliseconds,
    sequence,
    string,
)

_USED = frozenset(
    {
        "logging_time", "request_id", "model", "endpoint", "api_method", "full_request", "full_response",
        "request_payload", "response_payload",
    }
)  # fmt: skip
_OPERATIONS = {"GenerateContent": "generate_content", "StreamGenerateContent": "generate_content"}
_PROJECT = re.compile(r"\bprojects/([^/]+)/")
_CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")


class Vertex:
    """Reads one row of a request-response table per line; the account is the project that was billed."""

    name = "vertex"
    fills = frozenset(
        {
            "exchange_id", "ts", "account_id", "model", "operation", "stream", "temperature", "top_p", "max_tokens",
            "n", "seed", "logprobs", "top_logprobs", "response_format", "tool_count", "tool_names", "system", "prompt",
            "turn", "response", "reasoning", "reasoning_handle", "finish_reason", "input_tokens", "cached_tokens",
            "output_tokens", "reasoning_tokens", "latency_ms",
        }
    )  # fmt: skip

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Tell by `logging_time` beside the request."""
        return "logging_time" in record and "full_request" in record

    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the exchange of one row."""
        if not self.recognises(record):
            raise RecordError("unknown_format", "the record is no row of a request-response table")
        request = _snake(mapping(record.get("full_request"), "full_request"))
        answer = _snake(mapping(record.get("full_response"), "full_response"))
        resource = string(request.get("model"), record.get("endpoint"))
        project = _PROJECT.search(resource)
        request_id = record.get("request_id")
        latency = mapping(record.get("metadata"), "metadata").get("request_latency")
        yield _asked(request) | _answered(answer) | {
            "exchange_id": str(request_id) if first(request_id) is not None else derived_id(record),
            # The log is written when the answer ends; the answer's creation is the nearer mark of the request.
            "ts": _rfc3339(first(answer.get("create_time"), record.get("logging_time"))),
            "account_id": project.group(1) if project else None,
            "model": _model_name(first(record.get("model"), resource)),
            "operation": _OPERATIONS.get(str(record.get("api_method")), record.get("api_method")),
            "stream": str(record["api_method"]).startswith("Stream") if record.get("api_method") else None,
            "latency_ms": milliseconds(latency, "request_latency"),
            "extra": extra_of(record, _USED) | extra_of({"response_id": answer.get("response_id")}, ()),
        }  # fmt: skip


def _asked(request: Mapping[str, Any]) -> Fields:
    config = mapping(request.get("generation_config"), "generation_config")
    groups = [_snake(mapping(tool, "tool")) for tool in sequence(request.get("tools"), "tools")]
    names = [
        str(mapping(function, "function").get("name"))
        for group in groups
        for function in sequence(group.get("function_declarations"), "function_declarations")
    ]
    system = mapping(request.get("system_instruction"), "system_instruction")
    messages = read_messages(_with_role(item) for item in sequence(request.get("contents"), "contents"))
    return {
        "temperature": config.get("temperature"),
        "top_p": config.get("top_p"),
        "max_tokens": config.get("max_output_tokens"),
        "n": config.get("candidate_count"),
        "seed": config.get("seed"),
        "logprobs": config.get("response_logprobs"),
        "top_logprobs": config.get("logprobs"),
        "response_format": config.get("response_mime_type"),
        "tool_count": len(names) or None,
        "tool_names": names or None,
        **conversation(messages, system.get("parts")),
    }


def _with_role(item: Any) -> Any:
    """A content without a role is the user's."""
    return {"role": "user", **item} if isinstance(item, Mapping) else item


def _answered(answer: Mapping[str, Any]) -> Fields:
    answers, thoughts, finish = [], [], None
    for item in sequence(answer.get("candidates"), "candidates"):
        candidate = _snake(mapping(item, "candidate"))
        content = read_content(mapping(candidate.get("content"), "content").get("parts"))
        answers.append(content.answer)
        thoughts += content.reasoning
        finish = first(finish, candidate.get("finish_reason"))
    usage = _snake(mapping(answer.get("usage_metadata"), "usage_metadata"))
    return {
        "response": "\n\n".join(text for text in answers if text) or None,
        "reasoning": "\n".join(thoughts) or None,
        "finish_reason": finish,
        "input_tokens": usage.get("prompt_token_count"),
        "cached_tokens": usage.get("cached_content_token_count"),
        "output_tokens": usage.get("candidates_token_count"),
        "reasoning_tokens": usage.get("thoughts_token_count"),
    }


def _snake(value: Mapping[str, Any]) -> dict[str, Any]:
    """Name the keys of an object, and of the generation config in it, in the proto's own way."""
    named = {_CAMEL.sub(r"_\1", str(key)).lower(): inner for key, inner in value.items()}
    if isinstance(named.get("generation_config"), Mapping):
        named["generation_config"] = _snake(named["generation_config"])
    return named


def _rfc3339(value: Any) -> Any:
    """Write BigQuery's `2026-05-01 10:00:00 UTC` as RFC 3339."""
    return value.removesuffix(" UTC") + "Z" if isinstance(value, str) and value.endswith(" UTC") else value


def _model_name(model: Any) -> Any:
    return first(model.rpartition("/")[2]) if isinstance(model, str) else model
