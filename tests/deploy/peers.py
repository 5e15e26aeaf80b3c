"""What stands around a gateway under test: a model that streams, and a client that calls through."""

import contextlib
import http.server
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from tests.enforcement.serving.process import Reply, Served, request

ACTIONS = {"allow": 200, "watch": 200, "degrade": 200, "throttle": 429, "challenge": 403, "block": 403}
"""The status that a client sees for each action."""
EVENTS = 5


class Model(http.server.BaseHTTPRequestHandler):
    """Streams five events and tells which headers reached it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("X-Seen-Account", self.headers.get("X-SW-Account-Id", ""))
        self.send_header("X-Seen-Degrade", self.headers.get("X-SW-Degrade", ""))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(EVENTS):
            event = f"data: {number}\n\n".encode()
            self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            self.wfile.flush()
            time.sleep(0.02)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Gate(NamedTuple):
    """A gateway, the service behind it, and how a client calls through."""

    served: Served
    port: int

    def call(self, account: str, path: str = "/v1/chat/completions") -> Reply:
        return request(self.port, "POST", path, {"model": "m"}, {"X-Account": account, "X-SW-Account-Id": "forged"})


@contextlib.contextmanager
def model() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.daemon_threads = True
    running = threading.Thread(target=server.serve_forever)
    running.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        running.join()


def free_port() -> int:
    with http.server.HTTPServer(("127.0.0.1", 0), Model) as taken:
        return int(taken.server_address[1])


def wait_for(port: int) -> None:
    """Return when something answers on a port."""
    for _ in range(200):
        with contextlib.suppress(OSError):
            request(port, "GET", "/")
            return
        time.sleep(0.05)
    raise TimeoutError(port)
