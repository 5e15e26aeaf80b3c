import json
import os
from pathlib import Path
from typing import Any

import pytest

from stillwatch.records.adapters.litellm import LiteLLM
from stillwatch.testing import check_adapter

CORPORA = Path(os.environ.get("STILLWATCH_CORPORA", Path(__file__).parents[4] / "shared/data"))


def payload(**changes: Any) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": "chatcmpl-1",
        "litellm_call_id": "call-1",
        "trace_id": "trace-1",
        "session_id": "",
        "call_type": "acompletion",
        "stream": True,
        "status": "success",
        "startTime": 1777629600.0,
        "endTime": 1777629601.5,
        "completionStartTime": 1777629600.25,
        "model": "openai/small",
        "model_group": "small",
        "custom_llm_provider": "openai",
        "metadata": {
            "user_api_key_hash": "k" * 64,
            "user_api_key_user_id": "ann",
            "user_api_key_team_id": "team-1",
            "user_api_key_org_id": "org-1",
            "usage_object": {
                "completion_tokens_details": {"reasoning_tokens": 3},
                "prompt_tokens_details": {"cached_tokens": 4},
            },
            "requester_metadata": {"headers": {"authorization": "Bearer sk-secret-secret"}},
        },
        "prompt_tokens": 20,
        "completion_tokens": 9,
        "end_user": "their-user",
        "requester_ip_address": "192.0.2.7",
        "user_agent": "SDK/1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi"},
            {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
        ],
        "response": {
            "id": "chatcmpl-1",
            "choices": [
                {
                    "finish_reason": "tool_calls",
                    "message": {
                        "content": "One moment.",
                        "tool_calls": [{"function": {"name": "weather", "arguments": '{"city":"Rome"}'}}],
                    },
                }
            ],
        },
        "model_parameters": {
            "temperature": 0.7,
            "max_tokens": 64,
            "tools": [{"type": "function", "function": {"name": "weather"}}],
        },
        "error_information": {"error_code": "", "error_class": ""},
    }
    return record | changes


FAILURE = payload(
    status="failure", response={}, error_information={"error_code": "429", "error_class": "RateLimitError"}
)
SPEND = {
    "request_id": "req-9",
    "call_type": "acompletion",
    "api_key": "h" * 64,
    "startTime": "2026-05-01 10:00:00.250000",
    "endTime": "2026-05-01 10:00:01.250000",
    "completionStartTime": "",
    "model": "small",
    "user": "bob",
    "team_id": "",
    "organization_id": "",
    "metadata": '{"user_agent": "SDK/2", "usage_object": {"prompt_tokens": 5}}',
    "prompt_tokens": 5,
    "completion_tokens": 2,
    "end_user": "",
    "messages": "{}",
    "response": "{}",
    "proxy_server_request": "{}",
    "status": "success",
}


def test_conforms() -> None:
    exchanges = check_adapter(LiteLLM(), [payload(), FAILURE, SPEND])
    assert len(exchanges) == 3


def test_reads_who_what_and_how_of_a_streamed_call() -> None:
    [exchange] = LiteLLM().convert(payload())
    expected = {
        "exchange_id": "call-1", "account_id": "ann", "org_id": "org-1", "key_id": "k" * 64, "model": "small",
        "end_user_id": "their-user", "session_id": "trace-1", "operation": "chat", "client_ip": "192.0.2.7",
        "system": "Be brief.", "prompt": "Weather?", "turn": 1, "tool_names": ["weather"], "tool_count": 1,
        "response": 'One moment.\n{"name":"weather","arguments":{"city":"Rome"}}', "finish_reason": "tool_calls",
        "input_tokens": 20, "cached_tokens": 4, "reasoning_tokens": 3, "latency_ms": 1500, "ttft_ms": 250,
        "status": 200,
    }  # fmt: skip
    assert {name: exchange[name] for name in expected} == expected
    assert exchange["ts"].isoformat() == "2026-05-01T10:00:00+00:00"


def test_keeps_no_secret_and_no_conversation_in_extra() -> None:
    [exchange] = LiteLLM().convert(payload())
    kept = json.dumps(exchange["extra"])
    assert "sk-secret" not in kept
    assert "Hello" not in kept
    assert exchange["extra"]["custom_llm_provider"] == "openai"


def test_failure_has_a_status_and_no_answer() -> None:
    [exchange] = LiteLLM().convert(FAILURE)
    assert (exchange["status"], exchange["error_code"], exchange["response"]) == (429, "RateLimitError", None)


def test_spend_log_row_is_utc_and_has_no_content() -> None:
    [exchange] = LiteLLM().convert(SPEND)
    assert exchange["ts"].isoformat() == "2026-05-01T10:00:00.250000+00:00"
    assert (exchange["account_id"], exchange["user_agent"], exchange.get("prompt")) == ("bob", "SDK/2", None)
    assert exchange["latency_ms"] == 1000


def test_a_raw_key_is_hashed() -> None:
    [exchange] = LiteLLM().convert({**SPEND, "api_key": "sk-raw-key-of-someone", "user": ""})
    assert exchange["key_id"] == exchange["account_id"]
    assert "sk-raw" not in json.dumps(exchange, default=str)


@pytest.mark.corpora
def test_shared_sample() -> None:
    sample = CORPORA / "logs" / "litellm_slp.jsonl"
    if not sample.exists():
        pytest.skip("the shared log samples are not here")
    records = [json.loads(line) for line in sample.read_text().splitlines()]
    exchanges = [exchange for record in records for exchange in LiteLLM().convert(record)]
    assert [exchange["status"] for exchange in exchanges] == [200, 200, 200, 429, 200, 200]
    assert [exchange["operation"] for exchange in exchanges] == ["chat"] * 4 + ["messages"] * 2
    assert all(exchange["prompt"] and exchange["account_id"] for exchange in exchanges)
