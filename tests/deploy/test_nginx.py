"""The shipped nginx snippets on a real nginx, in front of a real decision service and a model that streams."""

import signal
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.deploy.gateways import NGINX, nginx
from tests.deploy.peers import ACTIONS, EVENTS, Gate, Model, free_port, model, watched_model
from tests.enforcement.serving.process import serving
from tests.processes import request

pytestmark = pytest.mark.skipif(NGINX is None, reason="NO NGINX: install nginx to test deploy/nginx")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with (
        model() as upstream,
        serving(tmp_path / "data") as served,
        nginx(tmp_path / "nginx", served.port, upstream) as port,
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
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-sw-decision-id"] in answer.json["error"]["message"]
        assert ("retry-after" in answer.headers) == (status == 429)


def test_a_lifted_refusal_is_not_remembered(gate: Gate) -> None:
    assert gate.call("block").status == 403
    lift = {"reason": "r", "author": "k"}
    assert gate.served.admin("DELETE", "/v1/verdicts/block", lift).status == 200
    time.sleep(2.1)  # what nginx remembers is stale now
    assert gate.call("block").status == 200
    gate.served.process.kill()
    time.sleep(2.1)
    assert gate.call("block").status == 200
    assert gate.call("challenge").status == 200  # was never seen


def test_what_a_client_claims_about_itself_is_not_heard(tmp_path: Path) -> None:
    exempt = '[[exemption]]\nid = "e"\nreason = "r"\norg_ids = ["friends"]\nmost = "allow"'
    block = '[[rule]]\nid = "b"\naction = "block"\nmode = "enforce"\nlongest_s = 600\nwhen.verdict = ["block"]'
    (tmp_path / "policy.toml").write_text(f'id = "p"\nversion = "1"\n{exempt}\n{block}\n')
    claimed = {"X-SW-Org-Id": "friends", "X-SW-Account-Id": "allow", "X-SW-Model": "m", "X-Account": "block"}
    with (
        model() as upstream,
        serving(tmp_path / "data", "--policy", str(tmp_path / "policy.toml")) as served,
        nginx(tmp_path / "nginx", served.port, upstream) as port,
    ):
        served.set("block", "block")
        assert request(port, "POST", "/v1/chat/completions", {"model": "m"}, claimed).status == 403
        direct = {**claimed, "X-SW-Account-Id": "block"}
        assert request(served.port, "GET", "/nginx", None, direct).status == 200  # the header would have counted


def test_another_api_has_its_own_style(gate: Gate) -> None:
    assert gate.call("block", "/v1/messages").json["type"] == "error"


@pytest.mark.parametrize("loss", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_service_frees_nobody_who_was_refused_and_stops_nobody_else(gate: Gate, loss: signal.Signals) -> None:
    assert gate.call("block").status == 403
    assert gate.call("throttle").status == 429
    time.sleep(1.2)  # what nginx remembers is stale now
    gate.served.process.send_signal(loss)
    try:
        assert gate.call("allow").status == 200
        assert gate.call("never-seen").status == 200
        assert gate.call("block").status == 403
        assert gate.call("throttle").status == 429
    finally:
        if loss == signal.SIGSTOP:
            gate.served.process.send_signal(signal.SIGCONT)


def test_a_service_that_hangs_is_not_asked_for_some_seconds(tmp_path: Path) -> None:
    asked: list[object] = []

    class Hung(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            asked.append(self.request.recv(1))
            while self.request.recv(65_536):
                pass

    with model() as upstream, socketserver.ThreadingTCPServer(("127.0.0.1", 0), Hung) as server:
        server.daemon_threads = True
        listening = threading.Thread(target=server.serve_forever)
        listening.start()
        try:
            with nginx(tmp_path / "nginx", server.server_address[1], upstream) as port:
                for _ in range(3):
                    assert request(port, "POST", "/v1/x", {"model": "m"}).status == 200
                before = len(asked)
                for _ in range(5):
                    assert request(port, "POST", "/v1/x", {"model": "m"}).status == 200
                assert len(asked) == before >= 3
        finally:
            server.shutdown()
            listening.join()


@pytest.mark.parametrize("loss", [signal.SIGKILL, signal.SIGSTOP])
def test_refused_accounts_stay_so_while_the_service_is_not_asked(gate: Gate, loss: signal.Signals) -> None:
    assert gate.call("block").status == 403
    time.sleep(1.2)  # what nginx remembers is stale now
    gate.served.process.send_signal(loss)
    try:
        for account, status in [("never-seen", 200), ("block", 403)] * 4:
            assert gate.call(account).status == status
    finally:
        if loss == signal.SIGSTOP:
            gate.served.process.send_signal(signal.SIGCONT)


def test_where_the_service_is_lost_the_model_sees_the_request_once_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Asked(Model):
        def do_GET(self) -> None:  # noqa: N802 - the name that the library calls
            seen.append(self.path)
            self.send_error(403)

    monkeypatch.setattr("tests.deploy.peers.Model", Asked)
    with watched_model() as upstream, nginx(tmp_path / "nginx", free_port(), upstream.port) as port:
        seen.clear()
        assert request(port, "POST", "/v1/x", {"model": "m"}).status == 200
    assert (upstream.seen, seen) == ([{"model": "m"}], [])
