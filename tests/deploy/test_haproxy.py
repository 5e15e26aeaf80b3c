"""The shipped HAProxy files on a real HAProxy, in front of a real decision service and a model that streams."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.deploy.gateways import HAPROXY, haproxy
from tests.deploy.peers import ACTIONS, EVENTS, Gate, model, until
from tests.enforcement.serving.process import serving

pytestmark = pytest.mark.skipif(HAPROXY is None, reason="NO HAPROXY: install haproxy to test deploy/haproxy")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with (
        model() as upstream,
        serving(tmp_path / "data") as served,
        haproxy(tmp_path / "haproxy", served.spop_port, upstream) as port,
    ):
        for action in ACTIONS:
            if action != "allow":
                served.set(action, action)
        yield Gate(served, port)


@pytest.mark.parametrize(("action", "status"), ACTIONS.items())
def test_the_client_sees_what_was_decided(gate: Gate, action: str, status: int) -> None:
    answer = gate.call(action)
    assert answer.status == status
    if status == 200:
        assert answer.body.count(b"data: ") == EVENTS
        assert answer.headers.get("x-seen-account", "") == ""
        assert bool(answer.headers["x-seen-degrade"]) == (action == "degrade")
    else:
        assert answer.json["error"]["type"] in {"rate_limit_error", "permission_error"}
        assert answer.headers["x-sw-decision-id"] in answer.json["error"]["message"]
        assert ("retry-after" in answer.headers) == (status == 429)


def test_another_api_has_its_own_style(gate: Gate) -> None:
    assert gate.call("block", "/v1/messages").json["type"] == "error"


@pytest.mark.parametrize("loss", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_service_frees_nobody_who_was_refused_and_stops_nobody_else(gate: Gate, loss: signal.Signals) -> None:
    assert gate.call("block").status == 403
    assert gate.call("throttle").status == 429
    gate.served.process.send_signal(loss)
    try:
        assert gate.call("allow").status == 200
        assert gate.call("never-seen").status == 200
        assert gate.call("block").status == 403
        assert gate.call("throttle").status == 429
    finally:
        if loss == signal.SIGSTOP:
            gate.served.process.send_signal(signal.SIGCONT)


def test_an_agent_that_hangs_is_not_asked_until_it_answers_again(gate: Gate, tmp_path: Path) -> None:
    def logged(what: str) -> int:
        return (tmp_path / "haproxy" / "log").read_text().count(what)

    assert gate.call("block").status == 403
    gate.served.process.send_signal(signal.SIGSTOP)
    try:
        until(lambda: logged("agent is DOWN") > 0)
        assert gate.call("block").status == 403  # what was asked before is written down by now
        asked = logged("SPOE:")
        for _ in range(3):
            assert gate.call("never-seen").status == 200
            assert gate.call("block").status == 403
        assert logged("SPOE:") == asked
    finally:
        gate.served.process.send_signal(signal.SIGCONT)
    until(lambda: logged("agent is UP") > 0)
    assert "Quote decision" in gate.call("block").json["error"]["message"]


def test_a_throttled_account_that_had_its_turn_stays_throttled(gate: Gate) -> None:
    gate.served.set("slow", "throttle", retry_after_s=1)
    until(lambda: gate.call("slow").status == 429)
    until(lambda: gate.call("slow").status == 200)
    gate.served.process.send_signal(signal.SIGKILL)
    assert gate.call("slow").status == 429
