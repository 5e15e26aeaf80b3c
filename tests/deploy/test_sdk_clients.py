"""The official clients of both APIs, through each gateway that files are shipped for, as their users would use them."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import anthropic
import openai
import pytest
from tests.deploy.answers import THOUGHT, WORDS
from tests.deploy.gateways import ENVOY, HAPROXY, LITELLM, NGINX, asgi, dev_gateway, envoy, haproxy, litellm, nginx
from tests.deploy.peers import ACTIONS, model, until
from tests.enforcement.serving.process import Served, serving

Start = Callable[[Path, Served, int], contextlib.AbstractContextManager[int]]


class Gateway(NamedTuple):
    """How a gateway is started, what it needs that may be absent, and what it can.

    Attributes:
        degrades: whether it changes answers.
        pace_s: the shortest `Retry-After` that is enough.
    """

    start: Start
    absent: str = ""
    degrades: bool = True
    pace_s: int = 1


NO_ENVOY = "NO ENVOY: run `make peers`"
GATEWAYS = {
    "nginx": Gateway(  # a refusal is kept for a second at least
        lambda at, to, up: nginx(at, to.port, up), "" if NGINX else "NO NGINX", degrades=False, pace_s=2
    ),
    "haproxy": Gateway(
        lambda at, to, up: haproxy(at, to.spop_port, up), "" if HAPROXY else "NO HAPROXY", degrades=False
    ),
    "envoy-http": Gateway(
        lambda at, to, up: envoy(at, to, up, "ext-authz-http.yaml"), "" if ENVOY.exists() else NO_ENVOY, degrades=False
    ),
    "envoy-grpc": Gateway(
        lambda at, to, up: envoy(at, to, up, "ext-authz-grpc.yaml"), "" if ENVOY.exists() else NO_ENVOY, degrades=False
    ),
    "envoy-ext-proc": Gateway(
        lambda at, to, up: envoy(at, to, up, "ext-proc.yaml"), "" if ENVOY.exists() else NO_ENVOY
    ),
    "dev-gateway": Gateway(lambda at, to, up: dev_gateway(at, to.port, up)),
    "asgi": Gateway(lambda at, to, up: asgi(at, to.port, up)),
    "litellm": Gateway(
        lambda at, to, up: litellm(at, to.port, up), "" if LITELLM.exists() else "NO LITELLM: run `make peers`"
    ),
}
"""One line a gateway; its account is the header `X-Account`."""
HI: Any = [{"role": "user", "content": "hi"}]


class Clients(NamedTuple):
    """Clients through one gateway."""

    gateway: Gateway
    served: Served
    port: int

    def openai(self, account: str, max_retries: int = 0) -> openai.OpenAI:
        return openai.OpenAI(
            api_key="sk-1",
            base_url=f"http://127.0.0.1:{self.port}/v1",
            max_retries=max_retries,
            default_headers={"X-Account": account},
        )

    def refuses(self, account: str) -> bool:
        with self.openai(account) as client:
            try:
                client.chat.completions.create(model="m", messages=HI)
            except openai.PermissionDeniedError:
                return True
            return False

    def anthropic(self, account: str, max_retries: int = 0) -> anthropic.Anthropic:
        return anthropic.Anthropic(
            api_key="sk-1",
            base_url=f"http://127.0.0.1:{self.port}",
            max_retries=max_retries,
            default_headers={"X-Account": account},
        )


@pytest.fixture(scope="module", params=GATEWAYS)
def clients(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    gateway = GATEWAYS[request.param]
    if gateway.absent:
        pytest.skip(gateway.absent)
    directory = tmp_path_factory.mktemp(request.param)
    with (
        model() as upstream,
        serving(directory / "data") as served,
        gateway.start(directory / "gateway", served, upstream) as port,
    ):
        for action in ACTIONS:
            if action != "allow":
                served.set(action, action)
        through = Clients(gateway, served, port)
        until(lambda: through.refuses("block"))  # the gateway has found the service
        yield through


PASSED = [action for action, status in ACTIONS.items() if status == 200]
REFUSED = {action: status for action, status in ACTIONS.items() if status != 200}
OPENAI: dict[int, type[openai.APIStatusError]] = {429: openai.RateLimitError, 403: openai.PermissionDeniedError}
ANTHROPIC: dict[int, type[anthropic.APIStatusError]] = {
    429: anthropic.RateLimitError,
    403: anthropic.PermissionDeniedError,
}


@pytest.mark.parametrize("action", PASSED)
def test_an_openai_answer_and_stream_come_whole(clients: Clients, action: str) -> None:
    with clients.openai(action) as client:
        answer = client.chat.completions.create(model="m", messages=HI)
        chunks = list(client.chat.completions.create(model="m", messages=HI, stream=True))
        response = client.responses.create(model="m", input="hi")
        events = list(client.responses.create(model="m", input="hi", stream=True))
    assert answer.choices[0].message.content == response.output_text == "".join(WORDS)
    assert [delta for chunk in chunks if (delta := chunk.choices[0].delta.content)] == list(WORDS)
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert [event.delta for event in events if event.type == "response.output_text.delta"] == list(WORDS)
    assert events[-1].type == "response.completed"
    told = f"{answer}{chunks}{response}{events}"
    assert (THOUGHT in told) == (action != "degrade" or not clients.gateway.degrades)


@pytest.mark.parametrize("action", PASSED)
def test_an_anthropic_answer_and_stream_come_whole(clients: Clients, action: str) -> None:
    with clients.anthropic(action) as client:
        answer = client.messages.create(model="a", max_tokens=9, messages=HI)
        with client.messages.stream(model="a", max_tokens=9, messages=HI) as stream:
            kinds = [event.type for event in stream]
            last = stream.get_final_message()
    for message in (answer, last):
        assert [block.text for block in message.content if block.type == "text"] == ["".join(WORDS)]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert kinds.count("text") == len(WORDS)
    assert (THOUGHT in f"{answer}{last}") == (action != "degrade" or not clients.gateway.degrades)


@pytest.mark.parametrize(("action", "status"), REFUSED.items())
def test_a_refused_openai_client_gets_the_error_of_its_status(clients: Clients, action: str, status: int) -> None:
    clients.served.set(f"o-{action}", action)
    with clients.openai(f"o-{action}") as client, pytest.raises(OPENAI[status]) as refused:
        client.chat.completions.create(model="m", messages=HI)
    _names_its_decision(refused.value, status)


@pytest.mark.parametrize(("action", "status"), REFUSED.items())
def test_a_refused_anthropic_client_gets_the_error_of_its_status(clients: Clients, action: str, status: int) -> None:
    clients.served.set(f"a-{action}", action)
    with clients.anthropic(f"a-{action}") as client, pytest.raises(ANTHROPIC[status]) as refused:
        client.messages.create(model="a", max_tokens=9, messages=HI)
    _names_its_decision(refused.value, status)
    body: Any = refused.value.body
    assert body["type"] == "error"


def _names_its_decision(error: openai.APIStatusError | anthropic.APIStatusError, status: int) -> None:
    decision = error.response.headers["x-sw-decision-id"]
    assert decision in error.message
    assert error.status_code == status
    assert ("retry-after" in error.response.headers) == (status == 429)


def test_who_obeys_retry_after_gets_through(clients: Clients) -> None:
    for account in ("o-paced", "a-paced"):
        clients.served.set(account, "throttle", retry_after_s=clients.gateway.pace_s)
    with clients.openai("o-paced", max_retries=1) as client:
        assert client.chat.completions.create(model="m", messages=HI).choices[0].message.content == "".join(WORDS)
    with clients.anthropic("a-paced", max_retries=1) as client:
        assert client.messages.create(model="a", max_tokens=9, messages=HI).stop_reason == "end_turn"
