"""The shipped nginx snippets on a real nginx, in front of a real decision service and a model that streams."""

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.deploy.peers import ACTIONS, EVENTS, Gate, free_port, model, wait_for
from tests.enforcement.serving.process import serving

SNIPPETS = Path(__file__).parents[2] / "deploy" / "nginx"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="NO NGINX: install nginx to test deploy/nginx")


@contextlib.contextmanager
def nginx(directory: Path, service: int, upstream: int) -> Iterator[int]:
    """Yield the port of an nginx with the shipped files, only addresses and deadlines changed."""
    port = free_port()
    (directory / "logs").mkdir(parents=True)
    for file in SNIPPETS.glob("*.conf"):
        text = file.read_text().replace("127.0.0.1:8377", f"127.0.0.1:{service}")
        text = text.replace("127.0.0.1:9000", f"127.0.0.1:{upstream}").replace("127.0.0.1:8080", f"127.0.0.1:{port}")
        text = text.replace("20ms", "500ms")  # a busy test machine must not turn a refusal into a pass
        text = text.replace("/var/cache/nginx/stillwatch", str(directory / "cache"))
        text = text.replace(
            'map $request_uri $stillwatch_account {\n    default "";',
            "map $http_x_account $stillwatch_account {\n    default $http_x_account;",
        )
        (directory / file.name).write_text(text)
    settings = (
        f"pid {directory}/pid; daemon off; user root;"
        if Path("/root").owner() == "root"
        else f"pid {directory}/pid; daemon off;"
    )
    command = [NGINX, "-p", directory, "-c", directory / "example.conf", "-e", directory / "error.log", "-g", settings]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            wait_for(port)
            yield port
        finally:
            process.terminate()


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
