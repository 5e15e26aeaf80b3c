"""What stands around a gateway under test: a model that streams, and a client that calls through."""

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.deploy import answers
from tests.enforcement.serving.process import Served
from tests.processes import Reply, request

ACTIONS = {"allow": 200, "watch": 200, "degrade": 200, "throttle": 429, "challenge": 403, "block": 403}
"""The status that a client sees for each action."""
EVENTS = 5
PAUSE_S = 0.02


class Model(http.server.BaseHTTPRequestHandler):
    """Answers in the shape of the API that is called, as events where asked so, and keeps what reached it.

    A call without a conversation gets five numbered events. Headers tell which headers reached it.
    """

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        raw = self._body()
        asked: dict[str, Any] = json.loads(raw) if raw else {}
        self.server.seen.append(asked)  # type: ignore[attr-defined]
        path = self.path.partition("?")[0]
        if "messages" not in asked and "input" not in asked:
            self._stream(numbered())
        elif asked.get("stream"):
            self._stream([as_event(event) for event in answers.events(path)])
        else:
            self._whole(json.dumps(answers.whole(path, asked)).encode())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _whole(self, body: bytes) -> None:
        self._begin("application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, parts: list[bytes]) -> None:
        self._begin("text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            self.wfile.flush()
            time.sleep(PAUSE_S)
        self.wfile.write(b"0\r\n\r\n")

    def _begin(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("X-Seen-Account", self.headers.get("X-SW-Account-Id", ""))
        self.send_header("X-Seen-Degrade", self.headers.get("X-SW-Degrade", ""))
        self.send_header("X-Seen-Names", " ".join(sorted(name.lower() for name in self.headers)))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def numbered() -> list[bytes]:
    return [f"data: {number}\n\n".encode() for number in range(EVENTS)]


def as_event(event: answers.Event) -> bytes:
    """Return an event as it goes over the wire."""
    name, data = event
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {'[DONE]' if data is None else json.dumps(data)}\n\n".encode()


class Gate(NamedTuple):
    """A gateway, the service behind it, and how a client calls through."""

    served: Served
    port: int

    def call(self, account: str, path: str = "/v1/chat/completions") -> Reply:
        return request(self.port, "POST", path, {"model": "m"}, {"X-Account": account, "X-SW-Account-Id": "forged"})


class Upstream(NamedTuple):
    """A running model: its port, and the bodies that reached it."""

    port: int
    seen: list[dict[str, Any]]


@contextlib.contextmanager
def watched_model() -> Iterator[Upstream]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.daemon_threads = True
    server.seen = []  # type: ignore[attr-defined]
    running = threading.Thread(target=server.serve_forever)
    running.start()
    try:
        yield Upstream(server.server_address[1], server.seen)  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        running.join()


@contextlib.contextmanager
def model() -> Iterator[int]:
    with watched_model() as upstream:
        yield upstream.port


def free_port() -> int:
    with http.server.HTTPServer(("127.0.0.1", 0), Model) as taken:
        return int(taken.server_address[1])


def until(holds: Callable[[], bool]) -> None:
    """Return when something holds.

    Raises:
        TimeoutError: it does not come to hold.
    """
    for _ in range(2000):
        if holds():
            return
        time.sleep(0.05)
    raise TimeoutError


def wait_for(port: int) -> None:
    """Return when something answers on a port."""

    def answers_there() -> bool:
        with contextlib.suppress(OSError):
            request(port, "GET", "/")
            return True
        return False

    until(answers_there)
