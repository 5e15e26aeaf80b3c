import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stillwatch.records.adapters.otel import OpenTelemetry
from stillwatch.testing import check_adapter

CORPORA = Path(os.environ.get("STILLWATCH_CORPORA", Path(__file__).parents[4] / "shared/data"))
NEW = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "some-provider",
    "gen_ai.request.model": "small",
    "gen_ai.request.temperature": 0.5,
    "gen_ai.request.max_tokens": 99,
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 9,
    "gen_ai.usage.output_tokens": 4,
    "gen_ai.conversation.id": "conv-1",
    "gen_ai.response.time_to_first_chunk": 0.25,
    "gen_ai.system_instructions": [{"type": "text", "content": "Brief."}],
    "gen_ai.input.messages": [
        {"role": "user", "parts": [{"type": "text", "content": "First"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "name": "f", "arguments": {}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "response": "r"}]},
        {"role": "user", "parts": [{"type": "text", "content": "Second"}]},
    ],
    "gen_ai.output.messages": [
        {
            "role": "assistant",
            "parts": [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "Done."}],
            "finish_reason": "stop",
        }
    ],
    "enduser.id": "ann",
}


def flat(attributes: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "name": "chat small",
        "context": {"trace_id": "0xaa", "span_id": "0xbb"},
        "start_time": "2026-05-01T10:00:00.500000Z",
        "end_time": "2026-05-01T10:00:02.000000Z",
        "status": {"status_code": "UNSET"},
        "attributes": dict(attributes),
        "events": [],
        "resource": {"attributes": {"service.name": "gateway"}},
    } | changes


def any_value(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {"kvlistValue": {"values": pairs(value)}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}


def pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in attributes.items()]


def export(*spans: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": pairs({"service.name": "gateway"})},
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": "aa",
                                "spanId": f"b{number}",
                                "startTimeUnixNano": "1777629600500000000",
                                "endTimeUnixNano": "1777629602000000000",
                                "status": {},
                                "attributes": pairs(attributes),
                            }
                            for number, attributes in enumerate(spans)
                        ]
                    }
                ],
            }
        ]
    }


OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "small-2026",
    "llm.invocation_parameters": '{"model": "small", "temperature": 0.7, "user": "their-user"}',
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "Brief.",
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.contents.0.message_content.text": "Weather?",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "weather",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"city":"Rome"}',
    "llm.tools.0.tool.json_schema": '{"type":"function","function":{"name":"weather"}}',
    "llm.token_count.prompt": 5,
    "llm.token_count.completion": 3,
    "llm.token_count.prompt_details.cache_read": 0,
    "user.id": "ann",
}
RAW_BODIES = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "small",
    "input.value": '{"model":"small","messages":[{"role":"user","content":"Hi"}]}',
    "output.value": '{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}',
    "user.id": "ann",
}
OLD = {
    "gen_ai.system": "some-provider",
    "gen_ai.request.model": "small",
    "gen_ai.usage.prompt_tokens": 4,
    "gen_ai.usage.completion_tokens": 2,
    "gen_ai.prompt.0.role": "user",
    "gen_ai.prompt.0.content": "Hi",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "Hello",
    "user.id": "ann",
}
EVENTS = flat(
    {"gen_ai.request.model": "small", "user.id": "ann"},
    events=[
        {"name": "gen_ai.user.message", "attributes": {"content": "Hi"}},
        {"name": "gen_ai.choice", "attributes": {"message": {"content": "Hello"}, "finish_reason": "stop"}},
    ],
)
FAILED = flat(
    {"gen_ai.request.model": "small", "user.id": "ann"},
    status={"status_code": "ERROR"},
    events=[{"name": "exception", "attributes": {"exception.type": "RateLimitError"}}],
)


def with_unknown_attribute(record: Mapping[str, Any], value: str) -> Mapping[str, Any]:
    if "attributes" in record:
        return {**record, "attributes": {**record["attributes"], "unknown.attribute": value}}
    return export(NEW | {"unknown.attribute": value})


def read(record: Mapping[str, Any]) -> dict[str, Any]:
    [exchange] = OpenTelemetry().convert(record)
    return exchange


def test_conforms() -> None:
    records = [flat(NEW), flat(OPENINFERENCE), flat(RAW_BODIES), flat(OLD), EVENTS, FAILED, export(NEW)]
    check_adapter(OpenTelemetry(), records, with_unknown=with_unknown_attribute)


@pytest.mark.parametrize("record", [flat(NEW), export(NEW)], ids=["flat", "otlp"])
def test_new_names(record: Mapping[str, Any]) -> None:
    exchange = read(record)
    expected = {
        "account_id": "ann", "model": "small", "operation": "chat", "temperature": 0.5, "max_tokens": 99,
        "system": "Brief.", "prompt": "Second", "turn": 1, "response": "Done.", "reasoning": "hm",
        "finish_reason": "stop", "input_tokens": 9, "output_tokens": 4, "session_id": "conv-1", "latency_ms": 1500,
        "ttft_ms": 250,
    }  # fmt: skip
    assert {name: exchange[name] for name in expected} == expected
    assert exchange["exchange_id"].startswith("aa:b")
    assert exchange["extra"]["resource.service.name"] == "gateway"
    assert "Second" not in str(exchange["extra"])


def test_content_may_be_json_text_or_an_event() -> None:
    said = {key: json.dumps(value) for key, value in NEW.items() if isinstance(value, list)}
    assert read(flat(NEW | said))["prompt"] == "Second"
    bare = {key: value for key, value in NEW.items() if not isinstance(value, list)}
    event = {"name": "gen_ai.client.inference.operation.details", "attributes": said}
    assert read(flat(bare, events=[event]))["response"] == "Done."


@pytest.mark.parametrize("record", [flat(OLD), EVENTS, flat(RAW_BODIES)], ids=["old", "events", "raw bodies"])
def test_older_ways_to_carry_content(record: Mapping[str, Any]) -> None:
    exchange = read(record)
    assert (exchange["prompt"], exchange["response"], exchange["turn"]) == ("Hi", "Hello", 0)


def test_openinference() -> None:
    exchange = read(flat(OPENINFERENCE))
    expected = {
        "model": "small", "end_user_id": "their-user", "temperature": 0.7, "system": "Brief.", "prompt": "Weather?",
        "response": '{"name":"weather","arguments":{"city":"Rome"}}', "tool_names": ["weather"], "tool_count": 1,
        "input_tokens": 5, "cached_tokens": 0,
    }  # fmt: skip
    assert {name: exchange[name] for name in expected} == expected


def test_the_service_stands_for_the_account_where_nothing_else_is_named() -> None:
    named = {"service.namespace": "shop", "service.name": "assistant"}
    nobody = {name: value for name, value in OPENINFERENCE.items() if name != "user.id"}
    span = flat(nobody) | {"resource": {"attributes": named}}
    assert read(span)["account_id"] is None
    assert read(span)["emitter"] == "shop/assistant"


def test_spans_around_a_call_are_passed_over() -> None:
    database = {"db.system": "postgresql"}
    agent = NEW | {"gen_ai.operation.name": "invoke_agent"}
    chain = {"openinference.span.kind": "CHAIN"}
    assert len(list(OpenTelemetry().convert(export(database, agent, chain, NEW)))) == 1


def test_failed_call() -> None:
    assert read(FAILED)["error_code"] == "RateLimitError"


@pytest.mark.corpora
@pytest.mark.parametrize(
    ("name", "prompts"), [("otel_spans.jsonl", 0), ("openinference_spans.jsonl", 4)], ids=["otel", "openinference"]
)
def test_shared_samples(name: str, prompts: int) -> None:
    sample = CORPORA / "logs" / name
    if not sample.exists():
        pytest.skip("the shared log samples are not here")
    records = [json.loads(line) for line in sample.read_text().splitlines()]
    exchanges = [read(record) for record in records]
    assert all(exchange["model"] == "gpt-4o-mini" for exchange in exchanges[:3])
    assert sum(exchange.get("prompt") is not None for exchange in exchanges) == prompts
    assert [exchange["error_code"] is None for exchange in exchanges] == [True, True, True, False]
