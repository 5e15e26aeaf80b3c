import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest
from tests.deploy.peers import EVENTS, model
from tests.enforcement.gateways.fakes import Service, client
from tests.processes import Reply, request

from stillwatch.enforcement.gateways.dev_gateway import run
from stillwatch.enforcement.gateways.upstream import Upstream
from stillwatch.errors import UsageError
from stillwatch.listening import listen


@pytest.fixture(autouse=True)
def usual_signals() -> Iterator[None]:
    usual = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, usual)


def while_running(
    calls: Callable[[int], list[Reply]], number: signal.Signals, service: Service, header: str | None
) -> list[Reply]:
    """Run a gateway in this process until the calls are made and it is told to stop."""
    replies: list[Reply] = []

    def call_and_stop(port: int) -> None:
        try:
            replies.extend(calls(port))
        finally:
            os.kill(os.getpid(), number)

    calling: list[threading.Thread] = []

    def started(port: int) -> None:
        calling.append(threading.Thread(target=call_and_stop, args=(port,)))
        calling[0].start()

    with model() as upstream:
        run(Upstream(f"http://127.0.0.1:{upstream}"), client(service), header, 0, started)
    calling[0].join()
    return replies


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_passes_on_what_may_pass_and_stops_when_told(number: signal.Signals) -> None:
    def calls(port: int) -> list[Reply]:
        path, body = "/v1/chat/completions", {"model": "m"}
        accounts = [{"X-Account": account} for account in ("allow", "block")]
        return [request(port, "POST", path, body, headers) for headers in [*accounts, {}]]

    service = Service()
    passed, refused, unnamed = while_running(calls, number, service, "X-Account")
    assert (passed.status, passed.body.count(b"data: ")) == (200, EVENTS)
    assert (refused.status, refused.json["error"]["type"]) == (403, "permission_error")
    assert unnamed.status == 200
    assert [asked.account_id for asked in service.asked] == ["allow", "block", None]
    assert service.closed


def test_without_a_header_the_key_is_looked_up() -> None:
    def calls(port: int) -> list[Reply]:
        headers = {"X-SW-Account-Id": "block", "Authorization": "Bearer k"}
        return [request(port, "POST", "/v1/messages", {}, headers)]

    service = Service()
    [reply] = while_running(calls, signal.SIGTERM, service, None)
    assert reply.headers["x-seen-account"] == ""
    assert service.asked[0].account_id is None
    assert service.asked[0].key_id is not None


def test_a_port_that_is_taken_is_told() -> None:
    with listen(0, "--port") as taken, pytest.raises(UsageError, match="is taken"):
        run(Upstream("http://127.0.0.1:1"), client(Service()), None, taken.getsockname()[1], lambda _: None)
