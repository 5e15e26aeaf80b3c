import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.enforcement.degrade import Stream, bare, bare_answer, shrink, smaller_request
from stillwatch.enforcement.model import Degrade

ALL = Degrade(max_tokens=1024, n=1, strip=("logprobs", "reasoning"))
CHAT = "/v1/chat/completions"


def smaller(path: str, **document: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    made = smaller_request(json.dumps(document).encode(), path, ALL)
    assert made is not None
    return json.loads(made[0]), made[1]


def test_bounds_are_lowered_and_never_raised() -> None:
    document, removed = smaller(CHAT, model="m", max_tokens=8000, n=4, best_of=4, logprobs=True, top_logprobs=5)
    assert document == {"model": "m", "max_tokens": 1024, "n": 1, "best_of": 1}
    assert removed == ("max_tokens 8000>1024", "n 4>1", "best_of 4>1", "logprobs", "top_logprobs")
    assert smaller(CHAT, max_completion_tokens=10, n=1) == ({"max_completion_tokens": 10, "n": 1}, ())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (CHAT, "max_completion_tokens"),
        ("/v1/completions?x=1", "max_tokens"),
        ("/v1/responses", "max_output_tokens"),
        ("/v1/messages", "max_tokens"),
    ],
)
def test_a_request_without_a_bound_gets_the_one_of_its_api(path: str, name: str) -> None:
    assert smaller(path, model="m") == ({"model": "m", name: 1024}, (f"{name} unbounded>1024",))


def test_embeddings_have_no_bound() -> None:
    assert smaller("/v1/embeddings", model="m", input="hi") == ({"model": "m", "input": "hi"}, ())


@pytest.mark.parametrize(("most", "left"), [(2048, {"type": "enabled", "budget_tokens": 2047}), (1024, None)])
def test_thinking_stays_below_the_bound_or_goes(most: int, left: object) -> None:
    document = {"max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 8000}}
    removed = shrink(document, "/v1/messages", Degrade(max_tokens=most))
    assert document.get("thinking") == left
    assert removed[1].startswith("thinking")


def test_what_shows_reasoning_and_probabilities_is_not_asked_for() -> None:
    include = ["reasoning.encrypted_content", "file_search_call.results", "message.output_text.logprobs"]
    asked = {"max_output_tokens": 5, "reasoning": {"effort": "high", "summary": "auto"}, "include": include}
    document, removed = smaller("/v1/responses", **asked, include_reasoning=True)
    assert document["reasoning"] == {"effort": "high"}
    assert document["include"] == ["file_search_call.results"]
    assert document["include_reasoning"] is False
    assert set(removed) == {include[0], include[2], "reasoning.summary", "include_reasoning"}


@pytest.mark.parametrize("body", [b"[1]", b"{", b"\xff", '{"max_tokens": 9}'.encode("utf-16"), b'{"n": NaN}'])
def test_a_body_that_others_may_read_is_never_passed_unchanged(body: bytes) -> None:
    assert smaller_request(body, CHAT, ALL) is None


def test_of_a_name_given_twice_what_was_bounded_is_left() -> None:
    assert smaller_request(b'{"max_tokens": 9000, "max_tokens": 5}', CHAT, ALL) == (b'{"max_tokens":5}', ())


def test_no_body_has_nothing_to_take() -> None:
    assert smaller_request(b"", "/v1/models", ALL) == (b"", ())


ANSWERS = [
    (
        {"choices": [{"message": {"content": "4", "reasoning_content": "2+2"}, "logprobs": {"content": []}}]},
        {"choices": [{"message": {"content": "4", "reasoning_content": None}, "logprobs": None}]},
    ),
    (
        {"choices": [{"delta": {"reasoning": "2+", "reasoning_details": [{"text": "2"}]}}]},
        {"choices": [{"delta": {"reasoning": None, "reasoning_details": []}}]},
    ),
    (
        {"content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "4"}]},
        {"content": [{"type": "thinking", "thinking": "", "signature": "s"}, {"type": "text", "text": "4"}]},
    ),
    (
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": ""}},
    ),
    (
        {"output": [{"type": "reasoning", "summary": [1], "encrypted_content": "x"}, {"content": [{"logprobs": [1]}]}]},
        {"output": [{"type": "reasoning", "summary": [], "encrypted_content": None}, {"content": [{"logprobs": []}]}]},
    ),
    (
        {"type": "response.output_text.delta", "delta": "4", "logprobs": [1]},
        {"type": "response.output_text.delta", "delta": "4", "logprobs": []},
    ),
    (
        {"type": "response.reasoning_summary_text.delta", "delta": "hm"},
        {"type": "response.reasoning_summary_text.delta", "delta": ""},
    ),
    (
        {"type": "response.content_part.done", "part": {"type": "reasoning_text", "text": "hm"}},
        {"type": "response.content_part.done", "part": {"type": "reasoning_text", "text": ""}},
    ),
    (
        {"type": "response.completed", "response": {"output": [{"type": "reasoning", "summary": [1]}]}},
        {"type": "response.completed", "response": {"output": [{"type": "reasoning", "summary": []}]}},
    ),
]


@pytest.mark.parametrize(("answer", "left"), ANSWERS)
def test_answers_lose_probabilities_and_reasoning_alone(answer: dict[str, Any], left: dict[str, Any]) -> None:
    body, removed = bare_answer(json.dumps(answer).encode(), ALL)
    assert json.loads(body) == left
    assert removed
    assert bare_answer(body, ALL) == (body, ())
    assert bare_answer(json.dumps(answer).encode(), Degrade()) == (json.dumps(answer).encode(), ())


def test_what_a_tool_is_given_is_not_touched() -> None:
    used = {"type": "tool_use", "input": {"reasoning": "r", "logprobs": [1], "thinking": "t"}}
    assert bare({"content": [used]}, ALL) == ()


@given(cuts=st.lists(st.integers(1, 30), min_size=1, max_size=30), end=st.sampled_from([b"\n", b"\r\n"]))
def test_a_stream_is_the_same_wherever_it_is_cut(cuts: list[int], end: bytes) -> None:
    lines = [
        b"event: x",
        *(b"data: " + json.dumps(answer).encode() for answer, _ in ANSWERS),
        b"",
        b"data: [DONE]",
        b"",
    ]
    whole = end.join(lines)
    stream, out, at = Stream(ALL), b"", 0
    for cut in cuts:
        out += stream.feed(whole[at : at + cut])
        at += cut
    out += stream.feed(whole[at:]) + stream.close()
    events = [line[6:].strip() for line in out.split(b"\n") if line.startswith(b"data: {")]
    assert [json.loads(event) for event in events] == [left for _, left in ANSWERS]
    assert out.replace(end, b"\n").endswith(b"\n\ndata: [DONE]\n")
    assert set(stream.removed) == {"logprobs", "reasoning"}


def test_a_stream_with_nothing_to_take_is_passed_as_it_is() -> None:
    stream = Stream(ALL)
    sent = b'data:{"choices":[ {"delta":{"content":"a"}} ]}\n\n: ping\ndata: [DONE]\n\n'
    assert stream.feed(sent) + stream.close() == sent
