from collections.abc import Mapping
from typing import Any

import pytest

from stillwatch.records.adapters.bedrock import Bedrock
from stillwatch.testing import check_adapter


def invocation(operation: str, model: str, sent: Any, answer: Any, **changes: Any) -> dict[str, Any]:
    return {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": "2026-05-01T10:00:00Z",
        "accountId": "123456789012",
        "identity": {"arn": "arn:aws:sts::123456789012:assumed-role/Caller/session-1"},
        "region": "eu-west-1",
        "requestId": "req-1",
        "operation": operation,
        "modelId": model,
        "input": {
            "inputContentType": "application/json",
            "inputBodyJson": sent,
            "inputTokenCount": 9,
            "cacheReadInputTokenCount": 2,
        },
        "output": {"outputContentType": "application/json", "outputBodyJson": answer, "outputTokenCount": 4},
    } | changes


CONVERSE_SENT = {
    "system": [{"text": "Brief."}],
    "messages": [
        {"role": "user", "content": [{"text": "First"}]},
        {"role": "assistant", "content": [{"toolUse": {"name": "f", "input": {}}}]},
        {"role": "user", "content": [{"toolResult": {"content": [{"text": "r"}]}}, {"text": "Second"}]},
    ],
    "inferenceConfig": {"temperature": 0.5, "topP": 0.9, "maxTokens": 99},
    "toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]},
}
CONVERSE = invocation(
    "Converse",
    "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.vendor.model-v1:0",
    CONVERSE_SENT,
    {
        "output": {
            "message": {
                "role": "assistant",
                "content": [{"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"text": "Done."}],
            }
        },
        "stopReason": "end_turn",
        "metrics": {"latencyMs": 750},
        "usage": {"inputTokens": 9, "outputTokens": 4},
    },
)
CONVERSE_STREAM = invocation(
    "ConverseStream",
    "vendor.model-v1:0",
    CONVERSE_SENT,
    [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "Do"}, "contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"text": "ne."}, "contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": {"inputTokens": 9}, "metrics": {"latencyMs": 750}}},
    ],
)
INVOKE_SENT = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 99,
    "temperature": 1,
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Second"}]}],
}
INVOKE_STREAM = invocation(
    "InvokeModelWithResponseStream",
    "anthropic.some-model-v1:0",
    INVOKE_SENT,
    [
        {"type": "message_start", "message": {"usage": {"input_tokens": 9}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Done."}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    ],
)
LLAMA = invocation(
    "InvokeModel", "meta.some-model", {"prompt": "Second", "max_gen_len": 99},
    {"generation": "Done.", "stop_reason": "stop"},
)  # fmt: skip
LLAMA_STREAM = invocation(
    "InvokeModelWithResponseStream", "meta.some-model", {"prompt": "Second"},
    [{"generation": "Do"}, {"generation": "ne.", "stop_reason": "stop"}],
)  # fmt: skip
TITAN = invocation(
    "InvokeModel", "amazon.some-model", {"inputText": "Second", "textGenerationConfig": {"maxTokenCount": 99}},
    {"results": [{"outputText": "Done."}]},
)  # fmt: skip
THROTTLED = invocation("Converse", "vendor.model", CONVERSE_SENT, None, errorCode="ThrottlingException")
ANSWERED = [CONVERSE, CONVERSE_STREAM, INVOKE_STREAM, LLAMA, LLAMA_STREAM, TITAN]


def read(record: Mapping[str, Any]) -> dict[str, Any]:
    [exchange] = Bedrock().convert(record)
    return exchange


def test_conforms() -> None:
    check_adapter(Bedrock(), [*ANSWERED, THROTTLED])


@pytest.mark.parametrize("record", ANSWERED)
def test_every_shape_gives_prompt_answer_and_tokens(record: Mapping[str, Any]) -> None:
    exchange = read(record)
    assert (exchange["prompt"], exchange["response"]) == ("Second", "Done.")
    assert (exchange["input_tokens"], exchange["cached_tokens"], exchange["output_tokens"]) == (11, 2, 4)


def test_converse() -> None:
    exchange = read(CONVERSE)
    expected = {
        "model": "eu.vendor.model-v1:0", "operation": "chat", "stream": False, "system": "Brief.", "turn": 1,
        "reasoning": "hm", "finish_reason": "end_turn", "temperature": 0.5, "top_p": 0.9, "max_tokens": 99,
        "tool_names": ["f"], "latency_ms": 750, "org_id": "123456789012",
    }  # fmt: skip
    assert {name: exchange[name] for name in expected} == expected


def test_the_session_of_a_role_is_not_another_account() -> None:
    exchange = read(CONVERSE)
    assert exchange["account_id"] == "arn:aws:sts::123456789012:assumed-role/Caller"
    assert exchange["key_id"].endswith("/session-1")


def test_error_and_a_body_that_lies_elsewhere() -> None:
    assert read(THROTTLED)["error_code"] == "ThrottlingException"
    moved = CONVERSE | {"input": {"inputBodyS3Path": "s3://bucket/key"}}
    assert read(moved)["prompt" if "prompt" in read(moved) else "system"] is None
    assert read(moved)["extra"]["input.inputBodyS3Path"] == "s3://bucket/key"
