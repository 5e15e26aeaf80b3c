"""What a model answers in the shapes of both APIs, whole and as events, well enough for their official clients."""

from collections.abc import Iterator
from typing import Any

WORDS = ("one ", "two ", "three")
THOUGHT = "because"
"""What a model thinks, and a degraded account does not see."""
_LOGPROBS = {"content": [{"token": WORDS[0], "logprob": -0.1, "bytes": None, "top_logprobs": []}]}
_USED = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}

Event = tuple[str | None, Any]
"""Name and data of an event; data None is the end mark of OpenAI's chat."""


def whole(path: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a call."""
    if path.endswith("/messages"):
        return _message([{"type": "thinking", "thinking": THOUGHT, "signature": "s"}, _text("".join(WORDS))])
    if path.endswith("/responses"):
        return _response()
    message = {"role": "assistant", "content": "".join(WORDS), "reasoning_content": THOUGHT, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": _LOGPROBS if asked.get("logprobs") else None}
    return {
        "id": "c1", "object": "chat.completion", "created": 1, "model": "m", "usage": _USED,
        "choices": [{**choice, "finish_reason": "stop"}],
    }  # fmt: skip


def events(path: str) -> Iterator[Event]:
    """Yield the events of a streamed answer."""
    if path.endswith("/messages"):
        return _message_events()
    return _response_events() if path.endswith("/responses") else _chat_events()


def _chat_events() -> Iterator[Event]:
    deltas = [{"role": "assistant", "content": ""}, {"reasoning_content": THOUGHT}]
    deltas += [{"content": word} for word in WORDS]
    for delta in [*deltas, {}]:
        logprobs = _LOGPROBS if delta.get("content") else None
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": None if delta else "stop"}
        yield None, {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    yield None, None


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _message(content: list[Any], stop: str | None = "end_turn") -> dict[str, Any]:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "a", "content": content, "stop_reason": stop,
        "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 3},
    }  # fmt: skip


def _message_events() -> Iterator[Event]:
    thinking = {"type": "thinking", "thinking": "", "signature": ""}
    stop = {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 3}}
    deltas: list[tuple[int, dict[str, Any]]] = [(0, {"type": "thinking_delta", "thinking": THOUGHT})]
    deltas += [(1, {"type": "text_delta", "text": word}) for word in WORDS]
    yield _named("message_start", message=_message([], None))
    for index, block in enumerate((thinking, _text(""))):
        yield _named("content_block_start", index=index, content_block=block)
        for place, delta in deltas:
            if place == index:
                yield _named("content_block_delta", index=index, delta=delta)
        yield _named("content_block_stop", index=index)
    yield _named("message_delta", **stop)
    yield _named("message_stop")


def _response() -> dict[str, Any]:
    logprobs = [{"token": WORDS[0], "logprob": -0.1, "bytes": [], "top_logprobs": []}]
    said = {"type": "output_text", "text": "".join(WORDS), "annotations": [], "logprobs": logprobs}
    thought = {"type": "reasoning", "id": "r1", "summary": [{"type": "summary_text", "text": THOUGHT}]}
    message = {"type": "message", "id": "x1", "role": "assistant", "status": "completed", "content": [said]}
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed",
        "output": [thought, message], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {},
        "temperature": 1, "top_p": 1, "error": None, "incomplete_details": None, "instructions": None,
        "usage": {
            "input_tokens": 1, "output_tokens": 3, "total_tokens": 4, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }  # fmt: skip


def _response_events() -> Iterator[Event]:
    said = {"item_id": "x1", "output_index": 1, "content_index": 0}
    begun = {**_response(), "output": [], "status": "in_progress"}
    yield _named("response.created", sequence_number=0, response=begun)
    thought = {"item_id": "r1", "output_index": 0, "summary_index": 0, "delta": THOUGHT}
    yield _named("response.reasoning_summary_text.delta", sequence_number=1, **thought)
    for number, word in enumerate(WORDS, 2):
        yield _named("response.output_text.delta", sequence_number=number, delta=word, logprobs=[], **said)
    yield _named("response.completed", sequence_number=9, response=_response())


def _named(kind: str, **data: Any) -> Event:
    return kind, {"type": kind, **data}
