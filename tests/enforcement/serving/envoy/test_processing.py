import asyncio
import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.enforcement.service import Service
from stillwatch.enforcement.serving.envoy.headers import MOST_BUFFERED, MessageError, read
from stillwatch.enforcement.serving.envoy.headers_pb2 import Header, HeaderMap
from stillwatch.enforcement.serving.envoy.processing import Conversation
from stillwatch.enforcement.serving.envoy.processing_pb2 import (
    HttpBody,
    HttpHeaders,
    ProcessingMode,
    ProcessingRequest,
    ProcessingResponse,
    Trailers,
)
from stillwatch.enforcement.serving.front import Front

CHAT = "/v1/chat/completions"
ASKED = b'{"model":"m","max_tokens":9000,"n":4,"logprobs":true}'
JSON = {"content-type": "application/json", "content-length": "9"}


def map_of(headers: Mapping[str, str], *, end: bool) -> HttpHeaders:
    pairs = [Header(key=name.encode(), raw_value=value.encode("latin-1")) for name, value in headers.items()]
    return HttpHeaders(headers=HeaderMap(headers=pairs), end_of_stream=end)


def begin(account: str, path: str = CHAT, *, end: bool = False, **headers: str) -> ProcessingRequest:
    sent = {":path": path, "x-sw-account-id": account, "x-sw-odd": "forged", "accept-encoding": "gzip"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return ProcessingRequest(request_headers=map_of(sent, end=end))


def body(data: bytes, *, end: bool = True) -> ProcessingRequest:
    return ProcessingRequest(request_body=HttpBody(body=data, end_of_stream=end))


def answer_head(headers: Mapping[str, str], *, end: bool = False) -> ProcessingRequest:
    return ProcessingRequest(response_headers=map_of(headers, end=end))


def answer_body(data: bytes, *, end: bool) -> ProcessingRequest:
    return ProcessingRequest(response_body=HttpBody(body=data, end_of_stream=end))


def held(service: Service, *requests: ProcessingRequest) -> tuple[Conversation, list[Any]]:
    """Return a conversation after some messages, and what was answered to each."""
    conversation = Conversation(Front(service, 0.0))

    async def hold() -> list[ProcessingResponse | None]:
        return [await conversation.reply(request.SerializeToString()) for request in requests]

    return conversation, asyncio.run(hold())


def set_headers(answer: Any) -> dict[str, str]:
    return read(one.header for one in answer.response.header_mutation.set_headers)


@pytest.mark.parametrize(("action", "status"), [("throttle", 429), ("challenge", 403), ("block", 403)])
def test_a_refusal_ends_it(service: Service, action: str, status: int) -> None:
    for requests in ([begin(action, end=True)], [begin(action, content_length="53"), body(ASKED)]):
        conversation, answers = held(service, *requests)
        shown = answers[-1].immediate_response
        assert shown.status.code == status
        said = read(one.header for one in shown.headers.set_headers)["x-sw-decision-id"]
        assert said in json.loads(shown.body)["error"]["message"]
        assert shown.details == f"stillwatch_{action}"
        assert answers[-1].dynamic_metadata["stillwatch"]["ttl_s"] == 3600
        assert conversation.over


@pytest.mark.parametrize("action", ["allow", "watch"])
def test_a_pass_ends_it_before_the_answer(service: Service, action: str) -> None:
    conversation, [first, second] = held(service, begin(action, content_length="53"), body(ASKED))
    assert first.request_headers.response.ByteSize() == 0
    assert first.mode_override.request_body_mode == ProcessingMode.BUFFERED
    assert set_headers(second.request_body)["x-sw-action"] == action
    mutation = second.request_body.response.header_mutation
    assert set(mutation.remove_headers) == {b"x-sw-account-id", b"x-sw-odd"}
    assert not second.request_body.response.HasField("body_mutation")
    assert conversation.over


def test_a_degraded_request_is_made_smaller_and_its_answer_asked_for(service: Service) -> None:
    conversation, [_, second] = held(service, begin("degrade", content_length="53"), body(ASKED))
    smaller = second.request_body.response.body_mutation.body
    assert json.loads(smaller) == {"model": "m", "max_tokens": 1024, "n": 1}
    assert set_headers(second.request_body)["content-length"] == str(len(smaller))
    assert b"accept-encoding" in second.request_body.response.header_mutation.remove_headers
    assert not conversation.over


def test_of_a_body_without_a_length_what_can_be_held_is_asked_for(service: Service) -> None:
    _, [first, second] = held(service, begin("degrade"), body(ASKED))
    assert first.mode_override.request_body_mode == ProcessingMode.BUFFERED_PARTIAL
    assert "content-length" not in set_headers(second.request_body)
    _, [_, second] = held(service, begin("degrade"), body(ASKED, end=False))
    assert second.immediate_response.status.code == 413
    _, [_, second] = held(service, begin("allow"), body(ASKED[:9], end=False))
    assert set_headers(second.request_body)["x-sw-action"] == "allow"


@pytest.mark.parametrize("more", [{"content_length": str(MOST_BUFFERED + 1)}, {"upgrade": "websocket"}])
def test_what_cannot_be_read_is_decided_on_unread(service: Service, more: dict[str, str]) -> None:
    conversation, [first] = held(service, begin("allow", **more))
    assert set_headers(first.request_headers)["x-sw-action"] == "allow"
    assert conversation.over
    assert held(service, begin("block", **more))[1][0].immediate_response.status.code == 403
    assert held(service, begin("degrade", **more))[1][0].immediate_response.status.code == 413


@pytest.mark.parametrize("sent", [b"[1]", b"\xff", b"{", b"[" * 100_000])
def test_a_degraded_body_that_is_no_object_is_refused(service: Service, sent: bytes) -> None:
    conversation, [_, second] = held(service, begin("degrade", "/v1/messages", content_length="9"), body(sent))
    assert second.immediate_response.status.code == 400
    assert json.loads(second.immediate_response.body)["error"]["type"] == "invalid_request_error"
    assert conversation.over


def test_an_event_stream_goes_on_line_by_line(service: Service) -> None:
    event = b'data: {"choices":[{"delta":{"content":"x","reasoning":"r"},"logprobs":{}}]}\n\n'
    requests = [begin("degrade", content_length="53"), body(ASKED), answer_head({"content-type": "text/event-stream"})]
    parts = [event[:20], event[20:] + event, b"data: [DONE]\n\ndata: end"]
    requests += [answer_body(part, end=part is parts[-1]) for part in parts]
    conversation, [*_, head, first, second, third] = held(service, *requests)
    assert head.mode_override.response_body_mode == ProcessingMode.STREAMED
    sent = [one.response_body.response.body_mutation for one in (first, second, third)]
    assert [one.WhichOneof("mutation") for one in sent] == ["body"] * 3  # also where nothing is sent on yet
    assert sent[0].body == b""
    assert sent[1].body.count(b'"reasoning":null') == 2
    assert sent[2].body == parts[2]
    assert conversation.over


@pytest.mark.parametrize("sized", [True, False])
def test_a_json_answer_is_held_whole(service: Service, sized: bool) -> None:  # noqa: FBT001 - a parameter of this test
    whole = b'{"choices":[{"message":{"content":"x","reasoning":"r"}}]}'
    head = {"content-type": "application/json; charset=utf-8"} | ({"content-length": str(len(whole))} if sized else {})
    requests = [begin("degrade", end=True), answer_head(head), answer_body(whole, end=True)]
    conversation, [_, second, third] = held(service, *requests)
    assert second.mode_override.response_body_mode == ProcessingMode.BUFFERED
    shown = third.response_body.response.body_mutation.body
    assert json.loads(shown)["choices"][0]["message"] == {"content": "x", "reasoning": None}
    length = set_headers(third.response_body).get("content-length")
    assert length == (str(len(shown)) if sized else None)
    assert conversation.over


def test_an_answer_with_nothing_to_take_is_left_alone(service: Service) -> None:
    requests = [begin("degrade", end=True), answer_head(JSON), answer_body(b'{"a":1}', end=True)]
    assert held(service, *requests)[1][-1].response_body.response.ByteSize() == 0


@pytest.mark.parametrize(
    ("head", "end"),
    [({"content-type": "image/png"}, False), ({}, False), ({"content-type": "text/event-stream"}, True)],
)
def test_other_answers_pass(service: Service, head: dict[str, str], end: bool) -> None:  # noqa: FBT001 - a parameter
    conversation, [_, second] = held(service, begin("degrade", end=True), answer_head(head, end=end))
    assert second.mode_override.response_body_mode == ProcessingMode.NONE
    assert conversation.over


@pytest.mark.parametrize(
    "head",
    [
        {**JSON, "content-encoding": "gzip"},
        {"content-type": "text/event-stream", "content-encoding": "br"},
        {**JSON, "content-length": str(MOST_BUFFERED + 1)},
    ],
)
def test_an_answer_that_cannot_be_read_does_not_pass(service: Service, head: dict[str, str]) -> None:
    conversation, [_, second] = held(service, begin("degrade", end=True), answer_head(head))
    assert second.immediate_response.status.code == 502
    assert json.loads(second.immediate_response.body)["error"]["type"] == "api_error"
    assert conversation.over


def test_the_answer_to_embeddings_is_never_held(service: Service) -> None:
    conversation, _ = held(service, begin("degrade", "/v1/embeddings", content_length="53"), body(ASKED))
    assert conversation.over


def test_where_envoy_sends_no_body_it_is_decided_late(service: Service) -> None:
    for action, status in (("allow", None), ("block", 403)):
        conversation, [_, second] = held(service, begin(action), answer_head(JSON))
        assert conversation.over
        assert (second.immediate_response.status.code or None) == status
    _, [_, second] = held(service, begin("degrade"), answer_head(JSON))
    assert second.mode_override.response_body_mode == ProcessingMode.BUFFERED


def test_who_only_watches_is_told_nothing(service: Service) -> None:
    request = begin("block")
    request.observability_mode = True
    conversation, answers = held(service, request)
    assert answers == [None]
    assert conversation.over


def test_trailers_change_nothing(service: Service) -> None:
    request, response = ProcessingRequest(request_trailers=Trailers()), ProcessingRequest(response_trailers=Trailers())
    requests = [begin("degrade", content_length="9"), request, body(b"{}"), answer_head(JSON), response]
    conversation, answers = held(service, *requests)
    assert answers[1].HasField("request_trailers")
    assert answers[-1].HasField("response_trailers")
    assert conversation.over


@pytest.mark.parametrize(
    "requests",
    [
        [ProcessingRequest()],
        [body(b"{}")],
        [answer_head({})],
        [answer_body(b"", end=True)],
        [ProcessingRequest(request_trailers=Trailers())],
        [begin("allow"), begin("allow")],
        [begin("degrade"), body(b"{}"), body(b"{}")],
        [begin("degrade", end=True), answer_body(b"", end=True)],
        [begin("degrade", end=True), answer_head(JSON), answer_head(JSON)],
        [begin("degrade", end=True), ProcessingRequest()],
    ],
)
def test_a_message_out_of_turn_is_an_error(service: Service, requests: list[ProcessingRequest]) -> None:
    held(service, *requests[:-1])
    with pytest.raises(MessageError):
        held(service, *requests)


PIECES = st.one_of(
    st.builds(begin, st.sampled_from(["allow", "degrade", "block"]), end=st.booleans()),
    st.builds(body, st.binary(max_size=20), end=st.booleans()),
    st.builds(answer_head, st.sampled_from([JSON, {"content-type": "text/event-stream"}]), end=st.booleans()),
    st.builds(answer_body, st.binary(max_size=20), end=st.booleans()),
    st.just(ProcessingRequest(request_trailers=Trailers())),
    st.just(ProcessingRequest(response_trailers=Trailers())),
)


@given(st.lists(PIECES.map(ProcessingRequest.SerializeToString) | st.binary(max_size=60), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_order_and_no_bytes_are_too_odd(service: Service, messages: Iterable[bytes]) -> None:
    conversation = Conversation(Front(service, 0.0))

    async def hold() -> None:
        for message in messages:
            answer = await conversation.reply(message)
            assert answer is None or answer.WhichOneof("response")
            if conversation.over:
                return

    with contextlib.suppress(MessageError):
        asyncio.run(hold())
