import json
from typing import Any

import pytest

from stillwatch.records.adapters.anthropic import AnthropicPairs
from stillwatch.records.adapters.openai import OpenAIPairs
from stillwatch.testing import check_adapter

BODY = {
    "id": "msg-1",
    "type": "message",
    "role": "assistant",
    "content": [
        {"type": "thinking", "thinking": "Six sevens.", "signature": "abc"},
        {"type": "text", "text": "42"},
        {"type": "tool_use", "id": "t", "name": "check", "input": {"n": 42}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 1, "output_tokens": 7},
}
EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "msg-1", "type": "message", "content": [], "usage": {
        "input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 1, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Six "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "sevens."}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "abc"}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "4"}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "2"}},
    {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "name": "check", "input": {}}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"n":'}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": " 42}"}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
]  # fmt: skip
PAIR: dict[str, Any] = {
    "ts": "2026-05-01T10:00:00Z",
    "account_id": "ann",
    "request": {
        "path": "/v1/messages",
        "headers": {"x-api-key": "key-of-ann", "anthropic-version": "2023-06-01"},
        "body": {
            "model": "large",
            "max_tokens": 100,
            "system": [{"type": "text", "text": "Brief."}],
            "metadata": {"user_id": "their-user"},
            "tools": [{"name": "check", "input_schema": {}}],
            "messages": [
                {"role": "user", "content": "First"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "handle-1"},
                    {"type": "tool_use", "name": "check", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": "a result, nobody's words"},
                    {"type": "text", "text": "Second"},
                ]},
            ],
        },
    },
    "response": {"status": 200, "headers": {"request-id": "req-7"}, "body": BODY},
}  # fmt: skip
SSE = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in EVENTS)


def with_answer(body: Any) -> dict[str, Any]:
    return PAIR | {"response": PAIR["response"] | {"body": body}}


def read(record: dict[str, Any]) -> dict[str, Any]:
    [exchange] = AnthropicPairs().convert(record)
    return exchange


def test_conforms() -> None:
    check_adapter(AnthropicPairs(), [PAIR, with_answer(SSE), with_answer(EVENTS)])


@pytest.mark.parametrize("body", [BODY, json.dumps(BODY), SSE, EVENTS], ids=["object", "text", "sse", "events"])
def test_answer_is_the_same_however_it_was_captured(body: Any) -> None:
    exchange = read(with_answer(body))
    expected = {
        "exchange_id": "req-7", "operation": "messages", "response": '42\n{"name":"check","arguments":{"n":42}}',
        "reasoning": "Six sevens.", "finish_reason": "tool_use", "input_tokens": 16, "cached_tokens": 5,
        "output_tokens": 7, "end_user_id": "their-user", "system": "Brief.", "tool_names": ["check"],
    }  # fmt: skip
    assert {name: exchange[name] for name in expected} == expected


def test_prompt_is_what_the_user_says_now() -> None:
    exchange = read(PAIR)
    assert (exchange["prompt"], exchange["turn"]) == ("Second", 1)
    assert exchange["reasoning_handle"] is not None
    assert "handle-1" not in str(exchange)


def test_an_agent_step_without_new_words_has_no_prompt() -> None:
    body = PAIR["request"]["body"]
    messages = [*body["messages"][:2], {"role": "user", "content": [{"type": "tool_result", "content": "r"}]}]
    step = PAIR | {"request": PAIR["request"] | {"body": body | {"messages": messages}}}
    assert read(step)["prompt"] is None


def test_the_beginning_of_an_answer_is_not_a_turn() -> None:
    body = PAIR["request"]["body"] | {
        "messages": [{"role": "user", "content": "Say A"}, {"role": "assistant", "content": "A"}]
    }
    exchange = read(PAIR | {"request": PAIR["request"] | {"body": body}})
    assert (exchange["prompt"], exchange["turn"]) == ("Say A", 0)


def test_a_cut_off_tool_call_keeps_what_was_written() -> None:
    assert '"{\\"n\\":"' in read(with_answer(EVENTS[:11]))["response"]


def test_error() -> None:
    exchange = read(with_answer({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}))
    assert exchange["error_code"] == "overloaded_error"


def test_the_completions_that_preceded_messages() -> None:
    request = {"path": "/v1/complete", "body": {"model": "old", "prompt": "Say A", "max_tokens_to_sample": 5}}
    events = [{"completion": "A", "stop_reason": None}, {"completion": "!", "stop_reason": "stop_sequence"}]
    exchange = read(PAIR | {"request": request, "response": {"status": 200, "body": events}})
    assert (exchange["prompt"], exchange["response"], exchange["max_tokens"]) == ("Say A", "A!", 5)


def test_an_error_in_mid_stream() -> None:
    events = [*EVENTS[:7], {"type": "error", "error": {"type": "overloaded_error"}}]
    exchange = read(with_answer(events))
    assert (exchange["response"], exchange["error_code"]) == ("4", "overloaded_error")


def test_is_told_from_openai() -> None:
    bodies = {"request": PAIR["request"]["body"], "ts": "x"}
    by_header = PAIR | {"request": {"headers": {"Anthropic-Version": "1"}, "body": {}}, "response": {}}
    shapes = [bodies | {"response": answer} for answer in (BODY, {"body": EVENTS}, {"body": SSE})]
    for record in (PAIR, by_header, *shapes):
        assert AnthropicPairs().recognises(record)
        assert not OpenAIPairs().recognises(record)
