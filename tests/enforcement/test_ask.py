import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.enforcement.ask import ask, by_name, key_hash

CHAT = {
    "model": "m",
    "max_tokens": 5,
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": "Yes"},
        {"role": "user", "content": [{"type": "text", "text": "Second"}, {"type": "image_url"}]},
    ],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["role", "content", "text", "x"]), inner)
    ),
    max_leaves=12,
)


def test_a_chat_call() -> None:
    asked = ask({"x-sw-account-id": "a", "user-agent": "u"}, "/v1/chat/completions?x=1", json.dumps(CHAT).encode())
    assert (asked.account_id, asked.operation, asked.model, asked.max_tokens) == ("a", "chat", "m", 5)
    assert (asked.prompt, asked.system, asked.user_agent) == ("Second", "Be brief.", "u")


@pytest.mark.parametrize(
    ("body", "prompt", "system", "most"),
    [
        ({"system": [{"type": "text", "text": "S"}], "messages": [{"role": "user", "content": "P"}]}, "P", "S", None),
        ({"input": "P", "instructions": "S", "max_output_tokens": 7}, "P", "S", 7),
        ({"input": [{"role": "developer", "content": "S"}, {"role": "user", "content": "P"}]}, "P", "S", None),
        ({"prompt": "P", "max_tokens": True}, "P", None, None),
        ({"messages": [1, "x", {"role": "user", "content": 5}]}, None, None, None),
        ({"messages": [{"role": []}, {"role": {}}]}, None, None, None),
        ({"max_completion_tokens": 3, "max_tokens": 9}, None, None, 3),
    ],
)
def test_other_calls(body: object, prompt: str | None, system: str | None, most: int | None) -> None:
    asked = ask({}, "/v1/x", json.dumps(body).encode())
    assert (asked.prompt, asked.system, asked.max_tokens) == (prompt, system, most)


def test_of_a_header_that_comes_twice_one_counts() -> None:
    sent = [(b"X-Api-Key", b"first"), (b"x-api-key", b"second"), (b"X-SW-Account-Id", b"forged"), (b"x-odd", b"\xff")]
    found = by_name([*sent, (b"x-sw-account-id", b"named")])
    assert found == {"x-api-key": "first", "x-sw-account-id": "named", "x-odd": "\xff"}


@pytest.mark.parametrize(("path", "real"), [("/v1/messages", "x-api-key"), ("/v1/chat/completions", "authorization")])
def test_a_key_that_the_api_does_not_look_at_hides_none(path: str, real: str) -> None:
    headers = {"authorization": "Bearer junk", "x-api-key": "junk"}
    headers[real] = "Bearer sk-1" if real == "authorization" else "sk-1"
    assert ask(headers, path).key_id == key_hash("sk-1")
    assert ask({"authorization": "Basic x", "x-api-key": "sk-1"}, path).key_id == key_hash("sk-1")
    assert ask({"authorization": "Bearer sk-1"}, path).key_id == key_hash("sk-1")


def test_keys_addresses_and_names() -> None:
    assert ask({"authorization": "Bearer sk-1"}, "/").key_id == key_hash("sk-1")
    assert ask({"x-api-key": "sk-2"}, "/").key_id == key_hash("sk-2")
    assert ask({"authorization": "Basic x"}, "/").key_id is None
    assert ask({"authorization": "Bearer sk-1,Bearer sk-3"}, "/").key_id == key_hash("sk-1")
    assert ask({"x-api-key": "sk-2, sk-3"}, "/").key_id == key_hash("sk-2")
    assert ask({"authorization": "Bearer ", "x-api-key": ","}, "/").key_id is None
    assert ask({"x-forwarded-for": "203.0.113.7, 10.0.0.1"}, "/").client_ip == "203.0.113.7"
    assert ask({"x-real-ip": "203.0.113.8"}, "/").client_ip == "203.0.113.8"
    assert ask({"x-sw-account-id": "a" * 500}, "/").account_id == "a" * 256


@given(st.dictionaries(st.sampled_from(["model", "messages", "input", "prompt", "max_tokens", "system"]), JSON) | JSON)
def test_no_body_is_too_odd(body: object) -> None:
    assert ask({}, "/v1/chat/completions", json.dumps(body).encode()).operation == "chat"


@given(st.binary())
def test_no_bytes_are_too_odd(body: bytes) -> None:
    ask({}, "/v1/chat/completions", body)
