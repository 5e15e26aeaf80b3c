from datetime import UTC, datetime
from typing import Any

import pytest

from stillwatch.errors import RecordError
from stillwatch.records.adapters.access import client_ip, operation_of
from stillwatch.records.adapters.envoy import Envoy
from stillwatch.records.adapters.haproxy import HAProxy
from stillwatch.records.adapters.nginx import Nginx
from stillwatch.records.row import to_row
from stillwatch.records.secrets import hash_secret
from stillwatch.testing import check_adapter

ENVOY: dict[str, Any] = {
    "start_time": "2026-05-01T10:00:00.250Z",
    "response_code": 200,
    "duration": 1526,
    "genai_model_name": "small",
    "genai_tokens_input": 15,
    "genai_tokens_output": "7",
    "downstream_remote_address": "10.0.0.3:64484",
    "x-forwarded-for": "203.0.113.9, 198.51.100.7",
    "user-agent": "SDK/1",
    "x-request-id": "req-1",
    "x-envoy-origin-path": "/v1/chat/completions",
    "x-account-id": "ann",
    "authorization": "Bearer sk-secret-secret",
    "upstream_host": "192.0.2.1:443",
    "requested_server_name": None,
}
COMBINED = (
    '198.51.100.7 - ann [01/May/2026:12:00:01 +0200] "POST /v1/messages?x=1 HTTP/1.1" 200 2326 "-" "SDK/1"'
    " request_id=req-1 request_time=1.500 model=small"
)
NGINX_JSON: dict[str, Any] = {
    "time_iso8601": "2026-05-01T10:00:01+00:00",
    "remote_addr": "198.51.100.7",
    "remote_user": "-",
    "request_uri": "/v1/responses",
    "status": "429",
    "http_user_agent": "SDK/1",
    "http_authorization": "Bearer sk-secret-secret",
    "request_time": "0.010",
    "upstream_header_time": "-",
    "body_bytes_sent": 12,
}
HAPROXY = (
    "May  1 10:00:02 lb haproxy[12]: 198.51.100.7:33317 [01/May/2026:10:00:00.250] api~ models/m1 "
    '1/0/30/69/1250 200 2750 - - ---- 1/1/1/1/0 0/0 {SDK/1} {} "POST /v1/chat/completions HTTP/1.1" req-1'
)


def read(adapter: Any, record: dict[str, Any]) -> dict[str, Any]:
    [exchange] = adapter.convert(record)
    return dict(exchange)


def test_envoy_conforms() -> None:
    check_adapter(Envoy(), [ENVOY])


def test_nginx_conforms() -> None:
    check_adapter(Nginx(), [NGINX_JSON])
    check_adapter(Nginx(), [{"message": COMBINED}], keeps_unknown=False)


def test_envoy() -> None:
    exchange = read(Envoy(), ENVOY)
    expected = {
        "exchange_id": "req-1", "account_id": "ann", "model": "small", "operation": "chat", "status": 200,
        "key_id": hash_secret("sk-secret-secret"), "client_ip": "198.51.100.7", "user_agent": "SDK/1",
        "latency_ms": 1526, "input_tokens": 15, "output_tokens": 7,
    }  # fmt: skip
    assert {name: exchange[name] for name in expected} == expected
    assert exchange["extra"]["upstream_host"] == "192.0.2.1:443"
    assert "sk-secret" not in str(exchange)


def test_nginx_combined_tells_when_the_request_arrived() -> None:
    exchange = read(Nginx(), {"message": COMBINED})
    assert exchange["ts"] == datetime(2026, 5, 1, 9, 59, 59, 500000, UTC)
    expected = {
        "exchange_id": "req-1", "account_id": "ann", "operation": "messages", "status": 200, "latency_ms": 1500,
        "user_agent": "SDK/1", "client_ip": "198.51.100.7", "model": "small",
    }  # fmt: skip
    assert {name: exchange[name] for name in expected} == expected


def test_nginx_json() -> None:
    exchange = read(Nginx(), NGINX_JSON)
    key = hash_secret("sk-secret-secret")
    assert (exchange["key_id"], exchange["account_id"], exchange["status"]) == (key, key, 429)
    assert exchange["ts"] == datetime(2026, 5, 1, 10, 0, 0, 990000, UTC)
    by_seconds = {"msec": "1777629601.250", "remote_addr": "192.0.2.1", "status": 200}
    assert read(Nginx(), by_seconds)["ts"] == datetime(2026, 5, 1, 10, 0, 1, 250000, UTC)


def test_haproxy_line_has_no_zone_of_its_own() -> None:
    assert HAProxy().recognises({"message": HAPROXY})
    exchange = read(HAProxy(), {"message": HAPROXY})
    assert (exchange["exchange_id"], exchange["latency_ms"], exchange["ttft_ms"]) == ("req-1", 1250, 69)
    with pytest.raises(RecordError, match="no time zone"):
        to_row(exchange | {"account_id": "a", "model": "m"})
    row = to_row(exchange | {"account_id": "a", "model": "m"}, UTC)
    assert row.ts == datetime(2026, 5, 1, 10, 0, 0, 250000, UTC)


def test_haproxy_without_prefix_with_zone_and_aborted() -> None:
    line = HAPROXY.partition("haproxy[12]: ")[2].replace("10:00:00.250]", "10:00:00 +0000]")
    check_adapter(HAProxy(), [{"message": line}], keeps_unknown=False)
    aborted = read(HAProxy(), {"message": line.replace("1/0/30/69/1250 200", "1/-1/-1/-1/1250 -1")})
    assert (aborted["status"], aborted["ttft_ms"], aborted["latency_ms"]) == (None, None, 1250)


@pytest.mark.parametrize("adapter", [Nginx(), HAProxy()])
def test_another_line_is_invalid(adapter: Any) -> None:
    with pytest.raises(RecordError) as caught:
        list(adapter.convert({"message": "Segmentation fault"}))
    assert caught.value.reason == "invalid_line"


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.7:443", "203.0.113.9", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 192.0.2.4", "192.0.2.4"),
        ("127.0.0.1", "not an address", "127.0.0.1"),
        ("10.0.0.1", "-", "10.0.0.1"),
        ("[2001:4860::1]:443", None, "2001:4860::1"),
        ("unix:", None, "unix:"),
        (None, None, None),
    ],
)
def test_client_ip(peer: Any, forwarded: Any, expected: Any) -> None:
    assert client_ip(peer, forwarded) == expected


@pytest.mark.parametrize(
    ("adapter", "record"),
    [
        (Nginx(), {"message": COMBINED.replace("01/May", "01/Nay")}),
        (Nginx(), {"remote_addr": "a", "status": 200, "msec": "soon"}),
        (HAProxy(), {"message": HAPROXY.replace("01/May", "41/May")}),
    ],
)
def test_a_broken_time_is_told(adapter: Any, record: dict[str, Any]) -> None:
    with pytest.raises(RecordError) as caught:
        list(adapter.convert(record))
    assert caught.value.reason == "timestamp_invalid"


def test_operation_of() -> None:
    assert operation_of("/v1beta/models/m:generateContent") == "generate_content"
    assert operation_of("/healthz") is None
    assert operation_of(None) is None
