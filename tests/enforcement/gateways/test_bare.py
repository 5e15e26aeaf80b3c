import asyncio
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.enforcement.gateways.fakes import DEGRADE

from stillwatch.enforcement.asgi import MOST_BYTES
from stillwatch.enforcement.gateways.bare import BareAnswer

TOLD = {"choices": [{"delta": {"content": "4", "reasoning": "2+2"}}]}
LEFT = {"choices": [{"delta": {"content": "4", "reasoning": None}}]}


def sent(kind: str, *parts: bytes, headers: tuple[tuple[bytes, bytes], ...] = (), last: bool = True) -> list[Any]:
    out: list[Any] = []

    async def send(message: Any) -> None:
        out.append(message)

    async def answer() -> None:
        bare = BareAnswer(send, DEGRADE, "/v1/chat/completions")
        start = [(b"Content-Type", kind.encode()), *headers]
        await bare({"type": "http.response.start", "status": 200, "headers": start})
        for number, part in enumerate(parts, 1):
            more = number < len(parts) or not last
            await bare({"type": "http.response.body", "body": part, "more_body": more})
        await bare({"type": "http.response.trailers", "headers": []})

    asyncio.run(answer())
    return out


def body(messages: list[Any]) -> bytes:
    return b"".join(message.get("body", b"") for message in messages)


@given(st.integers(0, len(json.dumps(TOLD))))
def test_json_is_held_until_it_is_whole(cut: int) -> None:
    whole = json.dumps(TOLD).encode()
    length = ((b"content-length", str(len(whole)).encode()),)
    start, only, _ = sent("application/json; charset=utf-8", whole[:cut], whole[cut:], headers=length)
    assert json.loads(only["body"]) == LEFT
    assert dict(start["headers"])[b"content-length"] == str(len(only["body"])).encode()


def test_events_go_out_as_they_come() -> None:
    event = b"data: " + json.dumps(TOLD).encode() + b"\n\n"
    messages = sent(
        "text/event-stream", event, event[:9], event[9:], b"data: [DONE]", headers=((b"content-length", b"9"),)
    )
    assert [message["type"] for message in messages].count("http.response.body") == 3
    assert dict(messages[0]["headers"]) == {b"Content-Type": b"text/event-stream"}
    found = [line[6:] for line in body(messages).split(b"\n") if line]
    assert [json.loads(line) for line in found[:2]] == [LEFT, LEFT]
    assert found[2] == b"[DONE]"
    assert messages[-2]["more_body"] is False


def test_other_answers_are_left_alone() -> None:
    sound = gzip.compress(b"sound")
    messages = sent("audio/mpeg", sound[:5], sound[5:], headers=((b"content-encoding", b"gzip"),))
    assert [message.get("body") for message in messages] == [None, sound[:5], sound[5:], None]


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_what_cannot_be_read_on_its_way_does_not_go_out(kind: str) -> None:
    messages = sent(kind, gzip.compress(json.dumps(TOLD).encode()), headers=((b"content-encoding", b"gzip"),))
    assert messages[0]["status"] == 502
    assert json.loads(body(messages))["error"]["type"] == "api_error"


def test_an_answer_without_end_does_not_go_out() -> None:
    messages = sent("application/json", b" " * MOST_BYTES, b" ", b" ")
    assert messages[0]["status"] == 502
    assert len(messages) == 2
