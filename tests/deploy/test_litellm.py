"""The shipped hook and guardrail in a real LiteLLM proxy, between a real decision service and a model that streams."""

import contextlib
import itertools
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.answers import THOUGHT, WORDS
from tests.deploy.gateways import LITELLM, litellm
from tests.deploy.peers import ACTIONS, Upstream, free_port, until, watched_model
from tests.enforcement.serving.process import Served, serving
from tests.processes import Reply, request

pytestmark = [
    pytest.mark.skipif(not LITELLM.exists(), reason="NO LITELLM: `make peers` installs it to test deploy/litellm"),
    pytest.mark.slow,
]
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
ASKED = {
    CHAT: {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9000, "logprobs": True},
    MESSAGES: {"model": "a", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9000},
    RESPONSES: {"model": "m", "input": "hi", "max_output_tokens": 9000},
}
TYPES = {429: "rate_limit_error", 403: "permission_error"}


@dataclass
class Proxy:
    """One LiteLLM for the module, before a service that a test may kill."""

    port: int
    upstream: Upstream
    service_port: int
    data: Path
    open_until_the_end: contextlib.ExitStack
    served: Served = field(init=False)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def start(self) -> None:
        """Start the service, and wait until the proxy has its decisions again."""
        self.served = self.open_until_the_end.enter_context(serving(self.data, "--port", str(self.service_port)))
        for action in ACTIONS:
            if action != "allow":
                self.served.set(action, action)
        self.wait()

    def wait(self) -> None:
        unheard = f"unheard-{next(self.numbers)}"
        self.served.set(unheard, "block")
        until(lambda: self.call(unheard).status == 403)

    def call(self, account: str, path: str = CHAT, **more: Any) -> Reply:
        headers = {"Authorization": "Bearer sk-1", "X-Account": account, "X-SW-Account-Id": "forged"}
        body = {**ASKED[path], **more}
        return request(self.port, "POST", path, body, {**headers, "Content-Type": "application/json"})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    directory, service_port = tmp_path_factory.mktemp("litellm"), free_port()
    with (
        watched_model() as upstream,
        litellm(directory / "proxy", service_port, upstream.port) as port,
        contextlib.ExitStack() as stack,
    ):
        proxy = Proxy(port, upstream, service_port, directory / "data", stack)
        proxy.start()
        yield proxy


@pytest.fixture
def proxy(shared: Proxy) -> Proxy:
    if shared.served.process.poll() is not None:
        shared.start()
    shared.upstream.seen.clear()
    return shared


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize(("action", "status"), ACTIONS.items())
def test_the_client_sees_what_was_decided(proxy: Proxy, path: str, action: str, status: int, *, stream: bool) -> None:
    account = f"{action}{path}{stream}".replace("/", "-")
    proxy.served.set(account, action)
    answer = proxy.call(account, path, stream=stream)
    assert answer.status == status
    assert bool(proxy.upstream.seen) == (status == 200)
    if status == 200:
        assert all(word.strip().encode() in answer.body for word in WORDS)
        assert (THOUGHT.encode() in answer.body) == (action != "degrade")
    else:
        assert answer.json["error"]["type"] == TYPES[status]
        assert answer.headers["x-sw-decision-id"] in answer.json["error"]["message"]
        assert ("retry-after" in answer.headers) == (status == 429)
        assert (answer.json.get("type") == "error") == (path == MESSAGES)


@pytest.mark.parametrize(
    ("path", "bound"), [(CHAT, "max_tokens"), (MESSAGES, "max_tokens"), (RESPONSES, "max_output_tokens")]
)
def test_a_degraded_request_reaches_the_model_smaller(proxy: Proxy, path: str, bound: str) -> None:
    proxy.call("degrade", path)
    proxy.call("allow", path)
    smaller, same = proxy.upstream.seen
    assert (smaller[bound], same[bound]) == (1024, 9000)
    assert "logprobs" not in smaller


def test_nothing_is_smuggled_past_a_bound(proxy: Proxy) -> None:
    proxy.call("degrade", extra_body={"max_tokens": 7777, "n": 8, "logprobs": True})
    [reached] = proxy.upstream.seen
    assert (reached["max_tokens"], reached.get("n", 1)) == (1024, 1)
    assert "logprobs" not in reached


@pytest.mark.parametrize(
    "odd",
    [
        {"messages": [{"role": "user", "content": "\ud800"}]},
        {"messages": 5},
        {"metadata": "x"},
        {"extra_body": [1]},
        {"max_tokens": 10**30},
    ],
)
def test_no_request_is_too_odd_to_be_refused(proxy: Proxy, odd: dict[str, Any]) -> None:
    assert proxy.call("block", **odd).status == 403


@pytest.mark.parametrize("loss", [signal.SIGSTOP, signal.SIGKILL])
def test_a_lost_service_frees_nobody_who_was_refused_and_stops_nobody_else(proxy: Proxy, loss: signal.Signals) -> None:
    for action in ("block", "throttle", "challenge", "degrade"):
        proxy.served.set(f"{action}-{loss}", action)
        proxy.call(f"{action}-{loss}")
    proxy.served.process.send_signal(loss)
    try:
        for _ in range(3):  # more calls than open the breaker
            assert proxy.call("allow").status == 200
            assert proxy.call("never-seen").status == 200
            assert proxy.call(f"block-{loss}").status == 403
            assert proxy.call(f"challenge-{loss}").status == 403
            throttled = proxy.call(f"throttle-{loss}")
            assert (throttled.status, "retry-after" in throttled.headers) == (429, True)
            proxy.upstream.seen.clear()
            assert THOUGHT.encode() not in proxy.call(f"degrade-{loss}").body
            assert proxy.upstream.seen[0]["max_tokens"] == 1024
    finally:
        if loss == signal.SIGSTOP:
            proxy.served.process.send_signal(signal.SIGCONT)
    if loss == signal.SIGSTOP:
        proxy.wait()
        told = request(proxy.service_port, "GET", "/metrics").body.decode()
        assert 'stillwatch_decisions_missing_total{adapter="litellm"}' in told


def test_a_bug_in_the_hook_passes_the_request_and_shows_nothing(proxy: Proxy) -> None:
    proxy.served.set("bug", "block")
    answer = proxy.call("bug")
    assert answer.status == 200
    assert b"nobody" not in answer.body
    assert proxy.call("block").status == 403


def test_the_guardrail_refuses_and_lets_pass_where_the_service_is_lost(tmp_path: Path) -> None:
    with (
        watched_model() as upstream,
        serving(tmp_path / "data") as served,
        litellm(tmp_path / "proxy", served.port, upstream.port, "guardrail.yaml") as port,
    ):
        proxy = Proxy(port, upstream, served.port, tmp_path / "data", contextlib.ExitStack())
        for action, status in ACTIONS.items():
            if action != "allow":
                served.set(action, action)
            answer = proxy.call(action)
            assert answer.status == (200 if status == 200 else 400)
            assert status == 200 or "Quote decision" in answer.json["error"]["message"]
        served.process.kill()
        served.process.wait()
        assert proxy.call("allow").status == 200
        assert proxy.call("block").status == 200
