"""The shipped HAProxy files on a real HAProxy, in front of a real decision service and a model that streams."""

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.deploy.peers import ACTIONS, EVENTS, Gate, free_port, model, wait_for
from tests.enforcement.serving.process import serving

FILES = Path(__file__).parents[2] / "deploy" / "haproxy"
HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
pytestmark = pytest.mark.skipif(HAPROXY is None, reason="NO HAPROXY: install haproxy to test deploy/haproxy")


@contextlib.contextmanager
def haproxy(directory: Path, agent: int, upstream: int) -> Iterator[int]:
    """Yield the port of a HAProxy with the shipped files, only addresses, account and deadlines changed."""
    port = free_port()
    directory.mkdir()
    for file in FILES.glob("*.cfg"):
        text = file.read_text().replace("127.0.0.1:8379", f"127.0.0.1:{agent}")
        text = text.replace("127.0.0.1:9000", f"127.0.0.1:{upstream}").replace("127.0.0.1:8080", f"127.0.0.1:{port}")
        text = text.replace('set-var(txn.account) str("")', "set-var(txn.account) req.hdr(x-account)")
        text = text.replace("processing 20ms", "processing 500ms")  # a busy test machine must not pass a refusal
        (directory / file.name).write_text(text)
    command = [HAPROXY, "-db", "-f", "example.cfg"]
    with subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port)
            yield port
        finally:
            process.kill()


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
