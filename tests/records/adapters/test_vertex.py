import json
from collections.abc import Mapping
from typing import Any

from stillwatch.records.adapters.vertex import Vertex
from stillwatch.testing import check_adapter

ROW: dict[str, Any] = {
    "endpoint": "projects/my-project/locations/eu/publishers/google/models/some-model",
    "logging_time": "2026-05-01 10:00:02.500000 UTC",
    "request_id": 5374205265901353984,
    "model": "publishers/google/models/some-model",
    "model_version": "default",
    "api_method": "StreamGenerateContent",
    "metadata": {"request_latency": 1250.4},
    "full_request": {
        "contents": [
            {"parts": [{"text": "First"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f"}}, {"text": "Second"}]},
        ],
        "system_instruction": {"parts": [{"text": "Brief."}]},
        "generation_config": {"max_output_tokens": 99, "temperature": 0, "candidate_count": 1},
        "tools": [{"function_declarations": [{"name": "f"}]}],
    },
    "full_response": {
        "candidates": [
            {
                "finish_reason": "STOP",
                "content": {"role": "model", "parts": [{"text": "hm", "thought": True}, {"text": "Done."}]},
            }
        ],
        "create_time": "2026-05-01T10:00:01.250000Z",
        "response_id": "resp-1",
        "usage_metadata": {"prompt_token_count": 9, "candidates_token_count": 4, "thoughts_token_count": 7},
    },
}
CAMEL = ROW | {
    "full_request": json.dumps(
        {
            "contents": [{"role": "user", "parts": [{"text": "Second"}]}],
            "generationConfig": {"maxOutputTokens": 99, "topP": 0.5},
        }
    ),
    "full_response": json.dumps({"candidates": [{"finishReason": "STOP", "content": {"parts": [{"text": "Done."}]}}]}),
}


def read(record: Mapping[str, Any]) -> dict[str, Any]:
    [exchange] = Vertex().convert(record)
    return exchange


def test_conforms() -> None:
    check_adapter(Vertex(), [ROW, CAMEL])


def test_row() -> None:
    exchange = read(ROW)
    expected = {
        "exchange_id": "5374205265901353984", "account_id": "my-project", "model": "some-model", "stream": True,
        "operation": "generate_content", "ts": "2026-05-01T10:00:01.250000Z", "system": "Brief.", "prompt": "Second",
        "turn": 1, "response": "Done.", "reasoning": "hm", "finish_reason": "STOP", "max_tokens": 99,
        "temperature": 0, "n": 1, "tool_names": ["f"], "input_tokens": 9, "output_tokens": 4, "reasoning_tokens": 7,
        "latency_ms": 1250,
    }  # fmt: skip
    assert {name: exchange[name] for name in expected} == expected


def test_bodies_may_be_json_text_with_camel_case_names() -> None:
    exchange = read(CAMEL)
    assert (exchange["prompt"], exchange["response"], exchange["finish_reason"]) == ("Second", "Done.", "STOP")
    assert (exchange["max_tokens"], exchange["top_p"]) == (99, 0.5)
    assert exchange["ts"] == "2026-05-01 10:00:02.500000Z"


def test_without_a_project_there_is_no_account() -> None:
    assert read(ROW | {"endpoint": None})["account_id"] is None
