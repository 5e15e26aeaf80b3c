"""The processes that a live replay needs: a service that enforces, gateways in front of a model, the model itself."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

STILLWATCH = Path(sys.executable).with_name("stillwatch")
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
DEADLINE_MS = 500
"""Longer than what is shipped (20 ms), so that a busy machine changes no outcome."""
STALE_S = 1.1
"""After this time nginx asks again about an account that it has seen refused."""

_SNIPPETS = Path(__file__).parents[1] / "deploy" / "nginx"
_ANSWER = (
    '{"id":"r","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Yes."}}]}'
)
_OPEN = """
worker_processes auto;
events {}
http {
    client_body_buffer_size 1m;
    upstream model { server 127.0.0.1:MODEL; keepalive 32; }
    server {
        listen 127.0.0.1:PLAIN;
        location / {
            proxy_pass http://model;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }
    }
    server {
        listen 127.0.0.1:MODEL;
        access_log off;
        location / { default_type application/json; return 200 'ANSWER'; }
    }
}
"""


class Service(NamedTuple):
    """A running decision service, and where its data is."""

    port: int
    data: Path

    @property
    def token(self) -> str:
        """What writing routes ask for."""
        return (self.data / "admin-token").read_text().strip()


class Open(NamedTuple):
    """Ports of the model, and of an nginx in front of it that asks nobody."""

    model: int
    plain: int


@contextlib.contextmanager
def serving(data: Path, verdicts: Path, window: Path) -> Iterator[Service]:
    """Run a service that enforces what a file of verdicts says, and knows a window's accounts and registry."""
    options = ["--verdicts", verdicts, "--accounts", window / "accounts.jsonl", "--registry", window / "registry.toml"]
    ports = ["--port", "0", "--spop-port", "0", "--grpc-port", "0"]
    with _told("serve", "--data-dir", data, *ports, "--mode", "enforce", *options) as told:
        yield Service(told["port"], data)


@contextlib.contextmanager
def model(directory: Path) -> Iterator[Open]:
    """Run an nginx that is both the model, of one answer, and the plain peer in front of it."""
    taken = Open(_free_port(), _free_port())
    text = _OPEN.replace("MODEL", str(taken.model)).replace("PLAIN", str(taken.plain)).replace("ANSWER", _ANSWER)
    directory.mkdir(parents=True)
    (directory / "open.conf").write_text(text)
    with _nginx(directory, "open.conf", taken.plain):
        yield taken


@contextlib.contextmanager
def nginx(directory: Path, service: Service, upstream: int) -> Iterator[int]:
    """Run an nginx with the shipped files: other addresses, a longer deadline, and accounts named by a header."""
    port = _free_port()
    directory.mkdir(parents=True)
    changes = {
        "127.0.0.1:8377": f"127.0.0.1:{service.port}",
        "127.0.0.1:9000": f"127.0.0.1:{upstream}",
        "127.0.0.1:8080": f"127.0.0.1:{port}",
        "http {\n": "http {\n    client_body_buffer_size 1m;\n",  # from a file, some bodies wait 40 ms for an ACK
        "20ms": f"{DEADLINE_MS}ms",
        "/var/cache/nginx/stillwatch": str(directory / "cache"),
        'map $request_uri $stillwatch_account {\n    default "";': (
            "map $http_x_account $stillwatch_account {\n    default $http_x_account;"
        ),
    }
    for file in _SNIPPETS.glob("*.conf"):
        text = file.read_text()
        for old, new in changes.items():
            text = text.replace(old, new)
        (directory / file.name).write_text(text)
    with _nginx(directory, "example.conf", port):
        yield port


@contextlib.contextmanager
def dev_gateway(service: Service, upstream: int) -> Iterator[int]:
    """Run the gateway for trials, which reads texts."""
    addresses = ["--upstream", f"http://127.0.0.1:{upstream}", "--service", f"http://127.0.0.1:{service.port}"]
    options = ["--port", "0", "--account-header", "x-account", "--deadline-ms", str(DEADLINE_MS)]
    with _told("dev-gateway", *addresses, *options) as told:
        yield told["port"]


@contextlib.contextmanager
def _told(*command: str | Path) -> Iterator[dict[str, Any]]:
    """Run a verb, and yield what it says as JSON once it has started."""
    with subprocess.Popen([STILLWATCH, *command, "--json"], stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout is not None else ""
            if not line:
                raise RuntimeError(f"{command[0]} did not start")
            yield json.loads(line)
        finally:
            _end(process)


@contextlib.contextmanager
def _nginx(directory: Path, config: str, port: int) -> Iterator[None]:
    (directory / "logs").mkdir()
    user = " user root;" if os.geteuid() == 0 else ""
    settings = f"pid {directory}/pid; daemon off;{user}"
    command: Sequence[str | Path] = [
        str(NGINX), "-p", directory, "-c", directory / config, "-e", directory / "error.log", "-g", settings
    ]  # fmt: skip
    with subprocess.Popen(command) as process:
        try:
            _wait_for(port)
            yield
        finally:
            _end(process)


def _end(process: "subprocess.Popen[Any]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(port)
