"""LiteLLM's own logs: the StandardLoggingPayload of its callbacks, and rows of its SpendLogs table."""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from stillwatch.errors import RecordError
from stillwatch.records.adapters import openai_wire as wire
from stillwatch.records.adapters.values import Fields, extra_of, first, from_epoch, mapping, sequence
from stillwatch.records.secrets import hash_secret

_USED = frozenset(
    {
        "id", "litellm_call_id", "request_id", "startTime", "endTime", "completionStartTime", "response_time",
        "model", "model_group", "call_type", "stream", "status", "end_user", "requester_ip_address", "user_agent",
        "messages", "response", "model_parameters", "proxy_server_request", "prompt_tokens", "completion_tokens",
        "session_id", "user", "organization_id", "api_key", "error_information", "error_str", "request_duration_ms",
    }
)  # fmt: skip
_OPERATIONS = {
    "completion": "chat", "anthropic_messages": "messages", "responses": "responses", "text_completion": "completion",
    "embedding": "embeddings", "generate_content": "generate_content",
}  # fmt: skip


class LiteLLM:
    """Reads one StandardLoggingPayload or SpendLogs row per line; both are UTC where they name no zone."""

    name = "litellm"
    fills = (
        wire.REQUEST_FIELDS
        | wire.ANSWER_FIELDS
        | {
            "exchange_id", "ts", "account_id", "org_id", "key_id", "session_id", "operation", "client_ip",
            "user_agent", "status", "latency_ms", "ttft_ms",
        }
    )  # fmt: skip

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Tell by `call_type` and `startTime` beside an id."""
        return "call_type" in record and "startTime" in record and ("id" in record or "request_id" in record)

    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the exchange of one payload or row."""
        metadata = mapping(record.get("metadata"), "metadata")
        sent = mapping(record.get("proxy_server_request"), "proxy_server_request")
        sent = mapping(sent.get("body", sent), "proxy_server_request body")
        parameters = {**sent, **mapping(record.get("model_parameters"), "model_parameters")}
        fields = wire.request_fields({**parameters, "messages": _messages(record, sent)})
        fields |= wire.answer_fields(_response(record))
        fields |= _tokens(record, metadata)
        fields |= _identity(record, metadata)
        fields |= _course(record, metadata)
        yield fields | {"extra": _extra(record)}


def _messages(record: Mapping[str, Any], sent: Mapping[str, Any]) -> list[Any]:
    given = record.get("messages")
    if isinstance(given, str) and not given.lstrip().startswith(("[", "{")):
        return [{"role": "user", "content": given}]
    if given in ("{}", {}):  # what SpendLogs hold unless prompts are stored
        given = None
    return sequence(first(given, sent.get("messages")), "messages")


def _response(record: Mapping[str, Any]) -> Mapping[str, Any]:
    given = record.get("response")
    if isinstance(given, str) and not given.lstrip().startswith("{"):
        return {"choices": [{"text": given}]} if given else {}
    return mapping(given, "response")


def _identity(record: Mapping[str, Any], metadata: Mapping[str, Any]) -> Fields:
    key = first(metadata.get("user_api_key_hash"), metadata.get("user_api_key"), record.get("api_key"))
    if isinstance(key, str) and key.startswith("sk-"):
        key = hash_secret(key)
    team = first(metadata.get("user_api_key_team_id"), record.get("team_id"))
    user = first(metadata.get("user_api_key_user_id"), record.get("user"))
    return {
        "exchange_id": first(record.get("litellm_call_id"), record.get("request_id"), record.get("id")),
        # A key without a user is a login of its own: a service account of its team.
        "account_id": first(user, key),
        "org_id": first(metadata.get("user_api_key_org_id"), record.get("organization_id"), team),
        "key_id": key,
        "end_user_id": first(record.get("end_user"), metadata.get("user_api_key_end_user_id")),
        "session_id": first(record.get("session_id"), record.get("trace_id")),
        "client_ip": first(record.get("requester_ip_address"), metadata.get("requester_ip_address")),
        "user_agent": first(record.get("user_agent"), metadata.get("user_agent")),
        "model": first(record.get("model_group"), record.get("model")),
        "operation": _operation(record.get("call_type")),
    }


def _operation(call_type: Any) -> Any:
    if not isinstance(call_type, str):
        return call_type
    return _OPERATIONS.get(call_type) or _OPERATIONS.get(call_type.removeprefix("a"), call_type)


def _tokens(record: Mapping[str, Any], metadata: Mapping[str, Any]) -> Fields:
    usage = wire.answer_fields({"usage": metadata.get("usage_object"), "choices": []})
    counted = {
        "input_tokens": first(record.get("prompt_tokens"), usage["input_tokens"]),
        "output_tokens": first(record.get("completion_tokens"), usage["output_tokens"]),
        "cached_tokens": usage["cached_tokens"],
        "reasoning_tokens": usage["reasoning_tokens"],
    }
    return {name: value for name, value in counted.items() if value is not None}


def _course(record: Mapping[str, Any], metadata: Mapping[str, Any]) -> Fields:
    """Return when the call ran and how it ended."""
    start = _moment(record.get("startTime"), "startTime")
    end, begun = (
        None if record.get(name) in (None, "") else _moment(record[name], name)
        for name in ("endTime", "completionStartTime")
    )
    error = mapping(first(record.get("error_information"), metadata.get("error_information")), "error_information")
    code = first(error.get("error_code"))
    failed = record.get("status") == "failure"
    status = int(code) if isinstance(code, str) and code.isdecimal() else None
    streamed = record.get("stream")
    course: Fields = {
        "ts": start,
        "latency_ms": _between(start, end),
        "ttft_ms": _between(start, begun) if streamed and begun != end else None,
        "status": status if failed else 200 if record.get("status") == "success" else None,
        "error_code": first(error.get("error_class"), code) if failed else None,
    }
    if isinstance(streamed, bool):
        course["stream"] = streamed
    return course


def _between(start: datetime | None, end: datetime | None) -> int | None:
    return None if start is None or end is None else round((end - start).total_seconds() * 1000)


def _moment(value: Any, name: str) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise RecordError("timestamp_invalid", f"{name}: {value}")
        return from_epoch(value, name)
    try:
        moment = msgspec.convert(value, datetime)
    except msgspec.ValidationError as error:
        raise RecordError("timestamp_invalid", f"{name}: {error}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _extra(record: Mapping[str, Any]) -> dict[str, str]:
    extra = extra_of({**record, "metadata": mapping(record.get("metadata"), "metadata")}, _USED)
    for name, key in (("response_id", "id"), ("routed_model", "model")):
        if isinstance(record.get(key), str):
            extra[name] = record[key]
    return extra
