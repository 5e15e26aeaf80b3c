"""The hook by itself; on a real proxy it is tested in tests/deploy/test_litellm.py."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.enforcement.gateways.fakes import Service, client, decision

from stillwatch.enforcement.ask import key_hash
from stillwatch.enforcement.gateways import litellm
from stillwatch.enforcement.gateways.litellm import Hook, handler
from stillwatch.enforcement.model import Degrade
from stillwatch.enforcement.refusals import Refusal

ASKED = {"model": "m", "max_tokens": 9000, "messages": [{"role": "user", "content": "hi"}]}
THOUGHT = {"message": {"content": "4", "reasoning_content": "2+2"}, "logprobs": {"content": [1]}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "n", "x"]), inner),
    max_leaves=8,
)


def user(account: str | None, **more: Any) -> Any:
    return SimpleNamespace(**{"user_id": account, "api_key": None, "org_id": None, **more})


def before(account: str, data: dict[str, Any], call_type: str = "acompletion", service: Service | None = None) -> Any:
    return asyncio.run(Hook(client(service or Service())).before(user(account), data, call_type))


def after(account: str, answer: Any) -> Any:
    """Return what comes back to an account, after its request was decided on in the same context."""

    async def both() -> Any:
        hook = Hook(client(Service()))
        await hook.before(user(account), dict(ASKED), "acompletion")
        return hook.after(answer)

    return asyncio.run(both())


@pytest.mark.parametrize(("action", "status"), [("throttle", 429), ("challenge", 403), ("block", 403)])
@pytest.mark.parametrize("call_type", ["acompletion", "anthropic_messages", "call_mcp_tool", "aimage_generation"])
def test_a_refusal(action: str, status: int, call_type: str) -> None:
    refused = before(action, dict(ASKED), call_type)
    assert refused.status == status
    assert (json.loads(refused.body).get("type") == "error") == (call_type == "anthropic_messages")


@pytest.mark.parametrize("action", ["allow", "watch"])
def test_a_pass_is_untouched(action: str) -> None:
    data = dict(ASKED)
    assert before(action, data) is None
    assert data == ASKED
    assert after(action, {"choices": [THOUGHT]}) is None


@pytest.mark.parametrize(
    ("call_type", "bound"),
    [
        ("acompletion", "max_completion_tokens"),
        ("text_completion", "max_tokens"),
        ("anthropic_messages", "max_tokens"),
        ("aresponses", "max_output_tokens"),
        ("aembedding", None),
        ("aimage_generation", None),
    ],
)
def test_a_degraded_request_is_bounded_as_its_api_does_it(call_type: str, bound: str | None) -> None:
    data = {"model": "m"}
    assert before("degrade", data, call_type) is None
    assert data == ({"model": "m"} if bound is None else {"model": "m", bound: 1024})


def test_what_a_client_lays_over_its_request_is_told_and_bounded_too() -> None:
    service = Service()
    laid_over = {"max_tokens": 7, "n": 5, "logprobs": True, "prompt": "the real one", "seed": 1}
    data = {**ASKED, "fallbacks": [{"model": "x", "max_tokens": 9000}], "extra_body": dict(laid_over)}
    assert before("degrade", data, service=service) is None
    assert data == {**ASKED, "max_tokens": 7, "n": 1, "extra_body": {"prompt": "the real one", "seed": 1}}
    assert service.asked[0].max_tokens == 7


def test_who_asks_is_what_litellm_says() -> None:
    service = Service()
    hook = Hook(client(service))
    data = {
        **ASKED,
        "metadata": {"requester_ip_address": "203.0.113.7"},
        "proxy_server_request": {"headers": {"user-agent": "sdk", "x-sw-account-id": "forged"}},
    }
    for one in (user("kim", org_id="o"), user(None, api_key="hash"), user(None, api_key="sk-1"), user(None)):
        assert asyncio.run(hook.before(one, dict(data), "acompletion")) is None
    assert [asked.account_id for asked in service.asked] == ["kim", "hash", key_hash("sk-1"), None]
    first = service.asked[0]
    assert (first.org_id, first.client_ip, first.user_agent) == ("o", "203.0.113.7", "sdk")
    assert (first.prompt, first.model, first.max_tokens, first.operation) == ("hi", "m", 9000, "chat")


@given(
    st.dictionaries(
        st.sampled_from(
            ["messages", "metadata", "litellm_metadata", "extra_body", "max_tokens", "proxy_server_request", "n"]
        ),
        JSON,
        max_size=4,
    )
)
def test_no_request_is_too_odd_to_be_refused(data: dict[str, Any]) -> None:
    refused = before("block", data)
    assert isinstance(refused, Refusal)


def test_a_bug_lets_the_request_pass_and_is_counted() -> None:
    one = client(Service())
    assert asyncio.run(Hook(one).before(object(), dict(ASKED), "acompletion")) is None
    assert one.missed == 1


def test_a_degraded_answer_loses_what_it_must_in_litellms_own_places_too() -> None:
    thoughts = [{"type": "thinking", "thinking": "2+2"}]
    choice = {
        **THOUGHT,
        "message": {
            **THOUGHT["message"],
            "thinking_blocks": thoughts,
            "provider_specific_fields": {"thinking_blocks": thoughts, "citations": [1]},
        },
    }
    answer = {"choices": [choice, "odd"], "provider_specific_fields": {"reasoning": "2+2"}}
    left = after("degrade", answer)
    assert "2+2" not in json.dumps(left)
    assert left["choices"][0]["message"]["content"] == "4"
    assert left["choices"][0]["message"]["provider_specific_fields"]["citations"] == [1]
    assert left["choices"][0]["logprobs"] is None


class Event:
    """What LiteLLM's answers are, as far as it matters: models of pydantic."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def __iter__(self) -> Any:
        return iter(self.fields.items())

    def model_dump(self, mode: str) -> dict[str, Any]:
        assert mode == "json"
        return json.loads(json.dumps(self.fields))  # type: ignore[no-any-return]

    def model_copy(self, update: dict[str, Any]) -> "Event":
        return Event(**{**self.fields, **update})


def test_answers_that_are_models_are_made_anew_where_something_is_taken() -> None:
    changed, same = Event(choices=[THOUGHT], id="1"), Event(choices=[], id="2")
    assert after("degrade", changed).fields["id"] == "1"
    assert "2+2" not in str(after("degrade", changed).fields)
    assert after("degrade", same) is same


def test_an_answer_that_cannot_be_read_passes_and_is_counted() -> None:
    odd = object()
    assert after("degrade", odd) is odd


def streamed(account: str, parts: list[Any], degrade: Degrade | None = None) -> list[Any]:
    async def source() -> AsyncIterator[Any]:
        for part in parts:
            yield part

    async def both() -> list[Any]:
        service = Service()
        if degrade is not None:
            service.answers[account] = decision("degrade", degrade=degrade)
        hook, stream = Hook(client(service)), source()
        await hook.before(user(account), dict(ASKED), "acompletion")
        passed = hook.stream(stream)
        assert (passed is stream) == (account == "allow" or degrade is not None)
        return [part async for part in passed]

    return asyncio.run(both())


def test_a_degraded_stream_loses_the_same_event_by_event_and_no_other_is_touched() -> None:
    event = b"data: " + json.dumps({"choices": [{"delta": {"reasoning": "2+2"}}]}).encode()
    parts = [event + b"\n\n", event[:9], event[9:], {"choices": [THOUGHT]}, Event(choices=[THOUGHT])]
    left = streamed("degrade", parts)
    assert b"2+2" not in b"".join(part for part in left if isinstance(part, bytes))
    assert b"".join(part for part in left if isinstance(part, bytes)).count(b"data: ") == 2
    assert "2+2" not in f"{left[1]}{left[2].fields}"
    assert streamed("degrade", [b"data: [DONE]"]) == [b"data: [DONE]"]
    assert streamed("allow", [event, event]) == [event, event]
    assert streamed("kim", [event], Degrade(max_tokens=5)) == [event]


class RefusedError(Exception):
    """Stands in for LiteLLM's exceptions."""


@pytest.fixture
def beside_litellm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for what a LiteLLM proxy brings along."""

    class HTTPException(RefusedError):  # noqa: N818 - FastAPI's name
        def __init__(self, status: int, detail: str, headers: dict[str, str]) -> None:
            super().__init__(status, detail, headers)

    class ProxyException(RefusedError):  # noqa: N818 - LiteLLM's name
        def __init__(self, message: str, kind: str, param: None, code: int, headers: dict[str, str]) -> None:
            super().__init__(code, message, headers)
            assert (kind, param) == ("permission_error", None)

    modules = {
        "fastapi": {"HTTPException": HTTPException},
        "litellm": {},
        "litellm.integrations": {},
        "litellm.integrations.custom_logger": {"CustomLogger": object},
        "litellm.proxy": {},
        "litellm.proxy._types": {"ProxyException": ProxyException},
    }
    for name, held in modules.items():
        module = ModuleType(name)
        module.__dict__.update(held)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize(
    ("call_type", "raised"), [("acompletion", "HTTPException"), ("anthropic_messages", "ProxyException")]
)
@pytest.mark.usefixtures("beside_litellm")
def test_the_handler_refuses_as_litellm_wants_it(call_type: str, raised: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    monkeypatch.setattr(litellm, "Client", lambda *_, **__: client(service))
    made = handler()
    with pytest.raises(RefusedError) as refused:
        asyncio.run(made.async_pre_call_hook(user("block"), None, dict(ASKED), call_type))
    status, said, headers = refused.value.args
    assert type(refused.value).__name__ == raised
    assert (status, set(headers)) == (403, {"x-sw-decision-id"})
    assert headers["x-sw-decision-id"] in said
    assert asyncio.run(made.async_pre_call_hook(user("allow"), None, dict(ASKED), call_type)) is None


@pytest.mark.usefixtures("beside_litellm")
def test_the_handler_takes_off_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "Client", lambda *_, **__: client(Service()))
    made = handler()

    async def source() -> AsyncIterator[Any]:
        yield {"choices": [THOUGHT]}

    async def through(account: str) -> Any:
        await made.async_pre_call_hook(user(account), None, dict(ASKED), "acompletion")
        whole = await made.async_post_call_success_hook(None, None, {"choices": [THOUGHT]})
        stream = made.async_post_call_streaming_iterator_hook(None, source(), None)
        return whole, [part async for part in stream]

    bare = {"choices": [{"message": {"content": "4", "reasoning_content": None}, "logprobs": None}]}
    assert asyncio.run(through("degrade")) == (bare, [bare])
    assert asyncio.run(through("allow")) == (None, [{"choices": [THOUGHT]}])
