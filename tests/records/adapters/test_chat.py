from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import RecordError
from stillwatch.records.adapters.chat import conversation, read_content, read_messages


def said(*turns: tuple[str, Any]) -> dict[str, Any]:
    return conversation(read_messages([{"role": role, "content": content} for role, content in turns]))


@pytest.mark.parametrize(
    ("turns", "prompt", "turn"),
    [
        ([("user", "a")], "a", 0),
        ([("user", "a"), ("user", "b")], "a\nb", 0),
        ([("user", "a"), ("assistant", "x"), ("user", "b")], "b", 1),
        ([("user", "a"), ("user", "b"), ("assistant", "x"), ("user", "c")], "c", 1),
        ([("user", "a"), ("model", "x"), ("user", "b"), ("model", "y"), ("user", "c")], "c", 2),
        ([("user", "a"), ("assistant", "x"), ("tool", "r")], None, 1),
        ([("assistant", "greeting"), ("user", "a")], "a", 0),
    ],
)
def test_prompt_and_turn(turns: list[tuple[str, Any]], prompt: str | None, turn: int) -> None:
    fields = said(*turns)
    assert (fields["prompt"], fields["turn"]) == (prompt, turn)


def test_only_instructions() -> None:
    fields = said(("system", "a"), ("developer", "b"))
    assert fields["system"] == "a\nb"
    assert "prompt" not in fields


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ("a", "a", []),
        (["a", {"text": "b"}], "a\nb", []),
        ([{"type": "input_text", "text": "a"}, {"type": "image_url", "image_url": {}}], "a", []),
        ([{"type": "text", "content": "a"}], "a", []),
        ([{"type": "thinking", "thinking": "t"}, {"type": "text", "text": "a"}], "a", ["t"]),
        ([{"type": "reasoning", "summary": [{"text": "s"}]}], None, ["s"]),
        ([{"thought": True, "text": "t"}, {"text": "a"}], "a", ["t"]),
        ([{"type": "tool_result", "content": "r"}], None, []),
        (None, None, []),
    ],
)
def test_content(content: Any, text: str | None, reasoning: list[str]) -> None:
    read = read_content(content)
    assert (read.text, read.reasoning) == (text, reasoning)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "thinking", "thinking": "t", "signature": "s"},
        {"type": "redacted_thinking", "data": "s"},
        {"type": "reasoning", "encrypted_content": "s"},
        {"text": "t", "thoughtSignature": "s"},
        {"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}},
    ],
)
def test_a_reasoning_token_is_hashed(part: dict[str, Any]) -> None:
    handle = said(("user", "a"), ("assistant", [part]), ("user", "b"))["reasoning_handle"]
    assert handle == said(("assistant", [{"thinking": "", "signature": "s"}]), ("user", "b"))["reasoning_handle"]


@pytest.mark.parametrize("content", [5, [5], [{"type": "text", "text": 5}], True])
def test_numbers_are_no_content(content: Any) -> None:
    with pytest.raises(RecordError):
        read_content(content)


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant", "system", "tool"]), st.text("ab", min_size=1)), max_size=8)
)
def test_new_words_were_said_after_the_last_answer(turns: list[tuple[str, str]]) -> None:
    fields = said(*turns)
    talk = [turn for turn in turns if turn[0] != "system"]
    while talk and talk[-1][0] == "assistant":
        talk.pop()
    after: list[str] = []
    for role, text in talk:
        after = [] if role == "assistant" else after + [text] * (role == "user")
    assert (fields.get("prompt") or "") == "\n".join(after)
    assert fields.get("turn", 0) <= sum(role == "user" for role, _ in turns)
