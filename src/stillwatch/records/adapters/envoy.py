"""Envoy access logs in JSON, with the names of Envoy's defaults or of Envoy AI Gateway."""

from collections.abc import Iterator, Mapping
from typing import Any

from stillwatch.errors import RecordError
from stillwatch.records.adapters.access import (
    FIELDS,
    client_ip,
    key_of,
    operation_of,
    present,
    with_account,
)
from stillwatch.records.adapters.values import derived_id, extra_of, first, milliseconds, whole

_NAMES: dict[str, tuple[str, ...]] = {
    "ts": ("start_time", "timestamp"),
    "request_id": ("x-request-id", "x_request_id", "request_id"),
    "account_id": ("account_id", "x-account-id"),
    "org_id": ("org_id", "x-org-id", "x-organization-id"),
    "key_id": ("key_id", "x-api-key-id"),
    "session_id": ("session_id", "x-session-id"),
    "model": ("genai_model_name", "gen_ai.request.model", "x-ai-eg-model"),
    "path": ("x-envoy-origin-path", "x-envoy-original-path", "path", ":path"),
    "peer": ("downstream_remote_address", "downstream_direct_remote_address"),
    "forwarded": ("x-forwarded-for", "x_forwarded_for"),
    "user_agent": ("user-agent", "user_agent"),
    "tls_fingerprint": ("tls_fingerprint", "ja4", "tls_ja4_fingerprint", "tls_ja3_fingerprint"),
    "status": ("response_code", "status"),
    "duration": ("duration", "duration_ms"),
    "first_byte": ("response_duration",),
    "input_tokens": ("genai_tokens_input", "gen_ai.usage.input_tokens", "llm_input_token"),
    "output_tokens": ("genai_tokens_output", "gen_ai.usage.output_tokens", "llm_output_token"),
    "authorization": ("authorization", "x-api-key", "api-key"),
}


class Envoy:
    """Reads JSON access logs; alone they name no account as a rule, so they serve in `--join`."""

    name = "envoy"
    fills = FIELDS

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Tell by `start_time` beside `response_code`."""
        return "start_time" in record and "response_code" in record

    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the request of one line."""
        if not self.recognises(record):
            raise RecordError("unknown_format", "the record is no Envoy access log entry")
        found = {field: first(*(present(record.get(name)) for name in names)) for field, names in _NAMES.items()}
        extra = extra_of(record, {name for names in _NAMES.values() for name in names})
        yield with_account(
            {
                "exchange_id": first(found["request_id"], derived_id(record)),
                "ts": found["ts"],
                "account_id": found["account_id"],
                "org_id": found["org_id"],
                "key_id": first(found["key_id"], key_of(found["authorization"])),
                "session_id": found["session_id"],
                "model": found["model"],
                "operation": operation_of(found["path"]),
                "client_ip": client_ip(found["peer"], found["forwarded"]),
                "user_agent": found["user_agent"],
                "tls_fingerprint": found["tls_fingerprint"],
                "status": whole(found["status"], "response_code"),
                "latency_ms": milliseconds(found["duration"], "duration"),
                "ttft_ms": milliseconds(found["first_byte"], "response_duration"),
                "input_tokens": whole(found["input_tokens"], "input tokens"),
                "output_tokens": whole(found["output_tokens"], "output tokens"),
                "extra": extra | extra_of({"request_id": found["request_id"], "path": found["path"]}, ()),
            }
        )
