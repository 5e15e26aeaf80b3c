import asyncio
import contextlib
import json
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.enforcement.service import Service
from stillwatch.enforcement.serving.envoy.authorization import check
from stillwatch.enforcement.serving.envoy.authorization_pb2 import CheckRequest, CheckResponse
from stillwatch.enforcement.serving.envoy.headers import MessageError, read
from stillwatch.enforcement.serving.front import Front

CHAT = "/v1/chat/completions"


def asked(headers: Mapping[str, str], path: str = CHAT, body: bytes = b"", **extensions: str) -> bytes:
    """Return the question that Envoy asks about a request."""
    request = CheckRequest()
    http = request.attributes.request.http
    for name, value in headers.items():
        http.headers.add(key=name.encode(), value=value.encode("latin-1"))
    http.path, http.raw_body = path.encode(), body
    for name, value in extensions.items():
        request.attributes.context_extensions.add(key=name.encode(), value=value.encode())
    return request.SerializeToString()


def answered(service: Service, message: bytes) -> CheckResponse:
    return asyncio.run(check(Front(service, 0.0), message))


@pytest.mark.parametrize("path", [CHAT, "/v1/messages?beta=true"])
@pytest.mark.parametrize(("action", "status"), [("throttle", 429), ("challenge", 403), ("block", 403)])
def test_a_refusal_is_in_the_style_of_the_api(service: Service, action: str, status: int, path: str) -> None:
    answer = answered(service, asked({"x-sw-account-id": action}, path))
    assert answer.status.code != 0
    assert answer.denied_response.status.code == status
    headers = read(one.header for one in answer.denied_response.headers)
    body = json.loads(answer.denied_response.body)
    assert headers["x-sw-decision-id"] in body["error"]["message"]
    assert ("retry-after" in headers) == (status == 429)
    assert (body.get("type") == "error") == path.startswith("/v1/messages")
    assert answer.dynamic_metadata["action"] == action
    assert answer.dynamic_metadata["ttl_s"] == 3600
    assert "cmp-1" not in str(answer)


@pytest.mark.parametrize("action", ["allow", "watch", "degrade"])
def test_a_pass_tells_the_model_and_nothing_that_a_client_claims(service: Service, action: str) -> None:
    answer = answered(service, asked({"x-sw-account-id": action, "x-sw-degrade": "forged", "x-sw-odd": "forged"}))
    assert answer.status.code == 0
    headers = read(one.header for one in answer.ok_response.headers)
    assert headers["x-sw-action"] == action
    removed = set(answer.ok_response.headers_to_remove)
    assert {b"x-sw-account-id", b"x-sw-odd"} <= removed
    assert (b"x-sw-degrade" in removed) == ("x-sw-degrade" not in headers) == (action != "degrade")
    assert "ttl_s" not in answer.dynamic_metadata


def test_a_route_may_name_the_account(service: Service) -> None:
    message = asked({"x-sw-account-id": "allow"}, account_id="block", other="x")
    assert answered(service, message).denied_response.status.code == 403


def test_raw_headers_and_either_body_are_read(service: Service) -> None:
    request = CheckRequest()
    http = request.attributes.request.http
    http.header_map.headers.add(key=b"x-sw-account-id", raw_value=b"degrade")
    http.body = b'{"model":"m"}'
    assert answered(service, request.SerializeToString()).ok_response.headers
    http.raw_body = b"\xff"
    http.header_map.headers.add(key=b"x-odd", raw_value=b"\xff\xfe")
    assert answered(service, request.SerializeToString()).ok_response.headers


def test_shadow_lets_pass(service: Service) -> None:
    service.decider.mode = "shadow"
    answer = answered(service, asked({"x-sw-account-id": "block"}))
    assert answer.status.code == 0
    assert answer.dynamic_metadata["mode"] == "shadow"


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_are_too_odd(service: Service, message: bytes) -> None:
    with contextlib.suppress(MessageError):
        assert answered(service, message).WhichOneof("http_response")


@given(
    st.dictionaries(st.text("abx-sw", min_size=1), st.text(st.characters(max_codepoint=255))), st.text(), st.binary()
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_a_client_sends_frees_a_blocked_account(
    service: Service, headers: dict[str, str], path: str, body: bytes
) -> None:
    message = asked({**headers, "x-sw-account-id": "block"}, path, body)
    assert answered(service, message).denied_response.status.code == 403


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_message_that_ends_early_is_none_or_asks_less(service: Service, data: st.DataObject) -> None:
    message = asked({"x-sw-account-id": "allow", "user-agent": "u"}, body=b'{"model":"m"}')
    cut = message[: data.draw(st.integers(0, len(message) - 1))]
    with contextlib.suppress(MessageError):
        assert answered(service, cut).WhichOneof("http_response") == "ok_response"
