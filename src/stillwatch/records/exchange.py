"""The exchange: one request to a model API and its answer (contract: records.md)."""

import pyarrow as pa

SKETCH_TYPE = pa.struct(
    [
        ("version", pa.int8()),
        ("content_hash", pa.int64()),
        ("system_hash", pa.int64()),
        ("head_hash", pa.int64()),
        ("tail_hash", pa.int64()),
        ("words", pa.int32()),
        ("chars", pa.int32()),
        ("cues", pa.int32()),
        ("minhash", pa.binary(256)),
        ("vocabulary", pa.binary(128)),
    ]
)
"""What `stillwatch sketch` leaves of an exchange's text; the meaning of each field is in features/sketch.py."""

EXCHANGE_SCHEMA = pa.schema(
    [
        pa.field("exchange_id", pa.string(), nullable=False),
        pa.field("ts", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        ("org_id", pa.string()),
        ("key_id", pa.string()),
        ("end_user_id", pa.string()),
        ("session_id", pa.string()),
        ("turn", pa.int64()),
        ("channel", pa.string()),
        ("operation", pa.string()),
        ("client_ip", pa.string()),
        ("asn", pa.int64()),
        ("country", pa.string()),
        ("user_agent", pa.string()),
        ("tls_fingerprint", pa.string()),
        ("device_id", pa.string()),
        ("temperature", pa.float64()),
        ("top_p", pa.float64()),
        ("max_tokens", pa.int64()),
        ("n", pa.int64()),
        ("seed", pa.int64()),
        ("top_logprobs", pa.int64()),
        ("tool_count", pa.int64()),
        ("logprobs", pa.bool_()),
        ("stream", pa.bool_()),
        ("reasoning_effort", pa.string()),
        ("response_format", pa.string()),
        ("system", pa.string()),
        ("prompt", pa.string()),
        ("response", pa.string()),
        ("reasoning", pa.string()),
        ("tool_names", pa.list_(pa.string())),
        ("finish_reason", pa.string()),
        ("status", pa.int64()),
        ("error_code", pa.string()),
        ("input_tokens", pa.int64()),
        ("cached_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("reasoning_tokens", pa.int64()),
        ("latency_ms", pa.int64()),
        ("ttft_ms", pa.int64()),
        ("reasoning_handle", pa.string()),
        ("reasoning_handle_account", pa.string()),
        ("sketch", SKETCH_TYPE),
        ("extra", pa.map_(pa.string(), pa.string())),
    ]
)
"""Parquet schema of exchanges. Only the first four fields are required; missing values are null, never guessed."""

REQUIRED_FIELDS = ("exchange_id", "ts", "account_id", "model")
TEXT_FIELDS = ("system", "prompt", "response", "reasoning")

ACCOUNT_SCHEMA = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        ("org_id", pa.string()),
        ("created_at", pa.timestamp("us", tz="UTC")),
        ("email_hash", pa.string()),
        ("email_domain", pa.string()),
        ("payment_id", pa.string()),
        ("phone_hash", pa.string()),
        ("plan", pa.string()),
        ("programme", pa.string()),
        ("verification", pa.string()),
        ("country", pa.string()),
        ("status", pa.string()),
        ("parent_org_id", pa.string()),
    ]
)
"""Schema of account records: what the provider knows of an account."""
