import json
from typing import Any

import pytest

from stillwatch.records.adapters.openai import OpenAIPairs
from stillwatch.records.secrets import hash_secret
from stillwatch.testing import check_adapter


def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
    return "data: " + json.dumps({"id": "c-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


CHAT = {
    "ts": "2026-05-01T10:00:00Z",
    "request_id": "req-1",
    "client_ip": "192.0.2.7",
    "org_id": "org-1",
    "request": {
        "method": "POST",
        "path": "/v1/chat/completions?x=1",
        "headers": {"Authorization": "Bearer sk-secret-secret", "User-Agent": "SDK/1", "X-Trace": "t"},
        "body": {
            "model": "small",
            "user": "their-user",
            "max_completion_tokens": 50,
            "logprobs": True,
            "top_logprobs": 5,
            "reasoning_effort": "low",
            "response_format": {"type": "json_object"},
            "stop": ["END"],
            "messages": [{"role": "developer", "content": "Brief."}, {"role": "user", "content": "What is 6*7?"}],
        },
    },
    "response": {
        "status": 200,
        "headers": {},
        "body": {
            "id": "c-1",
            "choices": [
                {"finish_reason": "stop", "message": {"content": "42", "reasoning_content": "six times seven"}}
            ],
            "usage": {
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
        },
    },
}
STREAM = {
    "ts": "2026-05-01T10:00:01Z",
    "account_id": "ann",
    "request": {"path": "/v1/chat/completions", "body": json.dumps({"model": "small", "stream": True,
                "messages": [{"role": "user", "content": "Weather?"}]})},
    "response": {"status": 200, "body": "\n\n".join([
        chunk({"role": "assistant", "content": "One "}),
        chunk({"content": "moment."}),
        chunk({"tool_calls": [{"index": 0, "function": {"name": "weather", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"Rome"}'}}]}, "tool_calls"),
        'data: {"id":"c-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}',
        "data: [DONE]",
    ])},
}  # fmt: skip
RESPONSES = {
    "ts": "2026-05-01T10:00:02Z",
    "account_id": "ann",
    "request": {
        "path": "/v1/responses",
        "body": {
            "model": "large",
            "instructions": "Brief.",
            "reasoning": {"effort": "high"},
            "text": {"format": {"type": "json_schema"}},
            "tools": [{"type": "web_search"}],
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "First"}]},
                {"type": "reasoning", "encrypted_content": "opaque", "summary": []},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Answer"}]},
                {"role": "user", "content": "Second"},
            ],
        },
    },
    "response": {
        "status": 200,
        "body": {
            "id": "resp-1",
            "status": "completed",
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Thought."}]},
                {"type": "message", "content": [{"type": "output_text", "text": "Done."}]},
                {"type": "function_call", "name": "f", "arguments": "{}"},
            ],
            "usage": {"input_tokens": 8, "output_tokens": 6, "output_tokens_details": {"reasoning_tokens": 1}},
        },
    },
}
RESPONSES_STREAM = RESPONSES | {
    "response": [
        {"type": "response.output_text.delta", "delta": "Do"},
        {"type": "response.output_text.delta", "delta": "ne."},
        {"type": "response.completed", "response": RESPONSES["response"]["body"]},  # type: ignore[index]
    ]
}
COMPLETION = {
    "timestamp": "2026-05-01T10:00:03Z",
    "account_id": "ann",
    "request": {"model": "old", "prompt": ["Once upon"], "logprobs": 3},
    "response": {"object": "text_completion", "choices": [{"text": " a time", "finish_reason": "length"}]},
}
EMBEDDINGS = {
    "ts": "2026-05-01T10:00:04Z",
    "account_id": "ann",
    "request": {"path": "/v1/embeddings", "body": {"model": "embed", "input": ["a", "b"]}},
    "response": {"status": 200, "body": {"data": [], "usage": {"prompt_tokens": 2}}},
}
ERROR = {
    "ts": "2026-05-01T10:00:05Z",
    "account_id": "ann",
    "request": {"path": "/v1/chat/completions", "body": {"model": "small", "messages": []}},
    "response": {"status": 429, "body": {"error": {"type": "requests", "code": "rate_limit_exceeded"}}},
}
ALL = [CHAT, STREAM, RESPONSES, RESPONSES_STREAM, COMPLETION, EMBEDDINGS, ERROR]


def read(record: dict[str, Any]) -> dict[str, Any]:
    [exchange] = OpenAIPairs().convert(record)
    return exchange


def test_conforms() -> None:
    assert len(check_adapter(OpenAIPairs(), ALL)) == len(ALL)


def test_chat() -> None:
    exchange = read(CHAT)
    expected = {
        "exchange_id": "req-1", "operation": "chat", "model": "small", "org_id": "org-1", "end_user_id": "their-user",
        "key_id": hash_secret("sk-secret-secret"), "user_agent": "SDK/1", "max_tokens": 50, "logprobs": True,
        "top_logprobs": 5, "reasoning_effort": "low", "response_format": "json_object", "system": "Brief.",
        "prompt": "What is 6*7?", "turn": 0, "response": "42", "reasoning": "six times seven", "status": 200,
        "input_tokens": 9, "cached_tokens": 2, "output_tokens": 4, "reasoning_tokens": 3,
    }  # fmt: skip
    assert {name: exchange[name] for name in expected} == expected


def test_the_key_stands_for_the_account_only_where_nobody_else_is_known() -> None:
    assert read(CHAT)["account_id"] == hash_secret("sk-secret-secret")
    assert read(CHAT | {"account_id": "ann"})["account_id"] == "ann"


def test_extra_keeps_the_rest_but_no_secret_and_no_content() -> None:
    extra = read(CHAT)["extra"]
    assert extra["request.header.x-trace"] == "t"
    assert extra["request.body.stop"] == '["END"]'
    assert "sk-secret" not in str(extra)
    assert "6*7" not in str(extra)


def test_stream_of_chunks_is_assembled() -> None:
    exchange = read(STREAM)
    assert exchange["response"] == 'One moment.\n{"name":"weather","arguments":{"city":"Rome"}}'
    assert (exchange["finish_reason"], exchange["input_tokens"], exchange["stream"]) == ("tool_calls", 3, True)


@pytest.mark.parametrize("record", [RESPONSES, RESPONSES_STREAM])
def test_responses(record: dict[str, Any]) -> None:
    exchange = read(record)
    assert (exchange["system"], exchange["prompt"], exchange["turn"]) == ("Brief.", "Second", 1)
    assert exchange["response"] == 'Done.\n{"name":"f","arguments":{}}'
    assert exchange["reasoning"] == "Thought."
    assert exchange["reasoning_handle"] is not None
    assert (exchange["response_format"], exchange["tool_names"]) == ("json_schema", ["web_search"])


def test_a_stream_cut_off_gives_what_was_said() -> None:
    events = [{"type": "response.output_text.delta", "delta": "Hal"}]
    assert read(RESPONSES | {"response": events})["response"] == "Hal"


def test_completion_and_embeddings() -> None:
    assert read(COMPLETION)["prompt"] == "Once upon"
    assert read(COMPLETION)["response"] == " a time"
    assert (read(COMPLETION)["top_logprobs"], read(COMPLETION)["logprobs"]) == (3, True)
    assert (read(EMBEDDINGS)["operation"], read(EMBEDDINGS)["prompt"]) == ("embeddings", "a\nb")


def test_error() -> None:
    assert (read(ERROR)["status"], read(ERROR)["error_code"]) == (429, "rate_limit_exceeded")


def test_an_envelope_without_an_id_gets_one_from_its_content() -> None:
    assert read(STREAM)["exchange_id"] == read(dict(STREAM))["exchange_id"]
    assert read(STREAM)["exchange_id"] != read(STREAM | {"account_id": "bob"})["exchange_id"]
