"""nginx access logs: the combined format, with `name=value` pairs behind it if any, and JSON."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
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
from stillwatch.records.adapters.values import (
    derived_id,
    extra_of,
    first,
    from_epoch,
    milliseconds,
    whole,
)
from stillwatch.records.row import to_timestamp

_COMBINED = re.compile(
    r'(?P<remote_addr>\S+) \S+ (?P<remote_user>\S+) \[(?P<time_local>[^\]]+)\] "(?P<request>(?:[^"\\]|\\.)*)" '
    r"(?P<status>\d{3}) (?P<body_bytes_sent>\d+|-)"
    r'(?: "(?P<http_referer>(?:[^"\\]|\\.)*)" "(?P<http_user_agent>(?:[^"\\]|\\.)*)")?(?P<rest>.*)'
)
_PAIR = re.compile(r'(\w+)="?([^"\s]*)"?')
_USED = frozenset(
    {
        "remote_addr", "remote_user", "time_local", "time_iso8601", "msec", "request", "request_method", "request_uri",
        "uri", "status", "http_user_agent", "http_x_forwarded_for", "http_authorization", "http_x_api_key",
        "request_id", "http_x_request_id", "request_time", "upstream_header_time", "account_id", "org_id", "key_id",
        "session_id", "model", "ssl_ja4", "ja4", "tls_fingerprint", "rest",
    }
)  # fmt: skip


class Nginx:
    """Reads the combined format and JSON with nginx's variable names; the account is `$remote_user` or a key."""

    name = "nginx"
    fills = FIELDS
    reads_text = True

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Tell by the shape of the line, or by `remote_addr` beside `status`."""
        line = record.get("message")
        if isinstance(line, str) and len(record) == 1:
            return _COMBINED.fullmatch(line) is not None
        return "remote_addr" in record and "status" in record

    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the request of one line."""
        values = _values(record)
        path = first(values.get("request_uri"), values.get("uri"), _path(values.get("request")))
        request_id = first(present(values.get("request_id")), present(values.get("http_x_request_id")))
        latency = milliseconds(values.get("request_time"), "request_time", per_unit=1000.0)
        extra = extra_of(values, _USED) | extra_of({"request_id": request_id, "path": path}, ())
        yield with_account(
            {
                "exchange_id": first(request_id, derived_id(record)),
                "ts": _arrived(_moment(values), latency),
                "account_id": first(present(values.get("account_id")), present(values.get("remote_user"))),
                "org_id": present(values.get("org_id")),
                "key_id": first(
                    present(values.get("key_id")),
                    key_of(values.get("http_authorization"), values.get("http_x_api_key")),
                ),
                "session_id": present(values.get("session_id")),
                "model": present(values.get("model")),
                "operation": operation_of(path),
                "client_ip": client_ip(values.get("remote_addr"), values.get("http_x_forwarded_for")),
                "user_agent": present(values.get("http_user_agent")),
                "tls_fingerprint": first(values.get("tls_fingerprint"), values.get("ssl_ja4"), values.get("ja4")),
                "status": whole(values.get("status"), "status"),
                "latency_ms": latency,
                "ttft_ms": milliseconds(values.get("upstream_header_time"), "upstream_header_time", per_unit=1000.0),
                "extra": extra,
            }
        )


def _values(record: Mapping[str, Any]) -> Mapping[str, Any]:
    if "message" not in record or "remote_addr" in record:
        if "remote_addr" not in record:
            raise RecordError("unknown_format", "the record is no nginx access log entry")
        return record
    line = record["message"]
    found = _COMBINED.fullmatch(line) if isinstance(line, str) else None
    if found is None:
        raise RecordError("invalid_line", "the line is not in nginx's combined format")
    return found.groupdict() | dict(_PAIR.findall(found["rest"]))


def _path(request: Any) -> str | None:
    parts = request.split(" ") if isinstance(request, str) else []
    return parts[1] if len(parts) > 1 else None


def _arrived(logged: Any, latency_ms: int | None) -> Any:
    """Return when the request arrived: nginx writes its line when the request has ended."""
    if latency_ms is None or logged is None:
        return logged
    try:
        return to_timestamp(logged) - timedelta(milliseconds=latency_ms)
    except OverflowError as error:
        raise RecordError("timestamp_invalid", f"request_time: {latency_ms} ms") from error


def _moment(values: Mapping[str, Any]) -> Any:
    local = values.get("time_local")
    if isinstance(local, str):
        try:
            return datetime.strptime(local, "%d/%b/%Y:%H:%M:%S %z")
        except ValueError as error:
            raise RecordError("timestamp_invalid", f"{local[:40]!r} is not nginx's $time_local") from error
    if values.get("msec") is not None and "time_iso8601" not in values:
        try:
            return from_epoch(float(values["msec"]), "msec")
        except (TypeError, ValueError) as error:
            raise RecordError("timestamp_invalid", f"msec: {values['msec']!r:.40}") from error
    return first(values.get("time_iso8601"), values.get("time"), values.get("timestamp"))
