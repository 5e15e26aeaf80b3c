"""Amazon Bedrock model invocation logs: Converse and InvokeModel, streamed or not."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from stillwatch.errors import RecordError
from stillwatch.records.adapters import anthropic_wire
from stillwatch.records.adapters.chat import conversation, read_content, read_messages
from stillwatch.records.adapters.values import Fields, derived_id, extra_of, first, mapping, sequence, string

_USED = frozenset(
    {
        "schemaType", "schemaVersion", "timestamp", "accountId", "identity", "requestId", "operation", "modelId",
        "input", "output", "errorCode",
    }
)  # fmt: skip
_SIDE = frozenset(
    {
        "inputBodyJson", "outputBodyJson", "inputContentType", "outputContentType", "inputTokenCount",
        "outputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount",
    }
)  # fmt: skip
_OPERATIONS = {
    "Converse": "chat", "ConverseStream": "chat", "InvokeModel": "invoke", "InvokeModelWithResponseStream": "invoke",
}  # fmt: skip
_SESSION = re.compile(r"(:assumed-role/[^/]+)/.*")


class Bedrock:
    """Reads model invocation logs as they lie in S3 or CloudWatch, one JSON object per line.

    The account is the calling identity, a role without the name of its session; the AWS account is the
    organisation.
    """

    name = "bedrock"
    fills = (
        anthropic_wire.REQUEST_FIELDS
        | anthropic_wire.ANSWER_FIELDS
        | {"exchange_id", "ts", "account_id", "org_id", "key_id", "operation", "stream", "latency_ms"}
    )

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Tell by the schema's name."""
        return record.get("schemaType") == "ModelInvocationLog"

    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the exchange of one invocation."""
        if not self.recognises(record):
            raise RecordError("unknown_format", "the record is no ModelInvocationLog")
        given, made = mapping(record.get("input"), "input"), mapping(record.get("output"), "output")
        sent, answer = mapping(given.get("inputBodyJson"), "inputBodyJson"), made.get("outputBodyJson")
        operation = first(record.get("operation"))
        converse = str(operation).startswith("Converse")
        if isinstance(answer, list):
            events = [mapping(event, "event") for event in answer]
            answer = _assemble_converse(events) if converse else _assemble(events)
        answer = mapping(answer, "outputBodyJson")
        said = _converse(sent, answer) if converse else _invocation(sent, answer)
        counted = {name: value for name, value in _tokens(given, made).items() if value is not None}
        yield said | counted | _identity(record) | {
            "model": _model_name(first(record.get("modelId"))),
            "operation": _OPERATIONS.get(str(operation), operation),
            "stream": str(operation).endswith("Stream") if operation is not None else None,
            "error_code": first(record.get("errorCode"), said.get("error_code")),
            "extra": extra_of(record, _USED) | extra_of(given, _SIDE, "input.") | extra_of(made, _SIDE, "output."),
        }  # fmt: skip


def _identity(record: Mapping[str, Any]) -> Fields:
    arn = first(mapping(record.get("identity"), "identity").get("arn"))
    role = _SESSION.sub(r"\1", arn) if isinstance(arn, str) else arn
    return {
        "exchange_id": first(record.get("requestId"), derived_id(record)),
        "ts": record.get("timestamp"),
        "account_id": first(role, record.get("accountId")),
        "org_id": first(record.get("accountId")),
        "key_id": arn,
    }


def _model_name(model: Any) -> Any:
    """Return the model's own name where the id is the ARN of a model or inference profile."""
    return model.rpartition("/")[2] if isinstance(model, str) and model.startswith("arn:") else model


def _tokens(given: Mapping[str, Any], made: Mapping[str, Any]) -> Fields:
    read = given.get("cacheReadInputTokenCount")
    parts = [given.get("inputTokenCount"), read, given.get("cacheWriteInputTokenCount")]
    counted = [part for part in parts if isinstance(part, int) and not isinstance(part, bool)]
    return {
        "input_tokens": sum(counted) if counted else parts[0],
        "cached_tokens": read,
        "output_tokens": made.get("outputTokenCount"),
    }


def _converse(sent: Mapping[str, Any], answer: Mapping[str, Any]) -> Fields:
    config = mapping(sent.get("inferenceConfig"), "inferenceConfig")
    tools = sequence(mapping(sent.get("toolConfig"), "toolConfig").get("tools"), "tools")
    names = [str(mapping(mapping(tool, "tool").get("toolSpec"), "toolSpec").get("name")) for tool in tools]
    message = mapping(mapping(answer.get("output"), "output").get("message"), "message")
    content = read_content(message.get("content"))
    usage = mapping(answer.get("usage"), "usage")
    return {
        "temperature": config.get("temperature"),
        "top_p": config.get("topP"),
        "max_tokens": config.get("maxTokens"),
        "tool_names": names or None,
        "tool_count": len(names) or None,
        **conversation(read_messages(sequence(sent.get("messages"), "messages")), sent.get("system")),
        "response": content.answer,
        "reasoning": "\n".join(content.reasoning) or None,
        "finish_reason": first(answer.get("stopReason")),
        "input_tokens": usage.get("inputTokens"),
        "cached_tokens": usage.get("cacheReadInputTokens"),
        "output_tokens": usage.get("outputTokens"),
        "latency_ms": mapping(answer.get("metrics"), "metrics").get("latencyMs"),
    }


def _assemble_converse(events: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    body: dict[str, Any] = {}
    texts: list[str] = []
    for event in events:
        delta = mapping(mapping(event.get("contentBlockDelta"), "contentBlockDelta").get("delta"), "delta")
        texts.append(string(delta.get("text")))
        body |= mapping(event.get("messageStop"), "messageStop")
        body |= mapping(event.get("metadata"), "metadata")
    return body | {"output": {"message": {"content": ["".join(texts)]}}}


def _invocation(sent: Mapping[str, Any], answer: Mapping[str, Any]) -> Fields:
    """Read a body in the model's own shape: that of Anthropic models, or the simple ones of others."""
    if "messages" in sent or "anthropic_version" in sent or "completion" in answer:
        return anthropic_wire.request_fields(sent) | anthropic_wire.answer_fields(answer)
    config = mapping(sent.get("textGenerationConfig"), "textGenerationConfig") or sent
    results = sequence(first(answer.get("results"), answer.get("outputs")), "results")
    texts = [first(mapping(r, "result").get("outputText"), mapping(r, "result").get("text")) for r in results]
    return {
        "temperature": config.get("temperature"),
        "top_p": first(config.get("top_p"), config.get("topP")),
        "max_tokens": first(config.get("max_gen_len"), config.get("max_tokens"), config.get("maxTokenCount")),
        "prompt": first(sent.get("prompt"), sent.get("inputText")),
        "response": first(answer.get("generation"), *texts),
        "finish_reason": first(answer.get("stop_reason")),
    }


def _assemble(events: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    if any("generation" in event for event in events):
        texts = "".join(string(event.get("generation")) for event in events)
        return {**events[-1], "generation": texts}
    return anthropic_wire.assemble(events)
