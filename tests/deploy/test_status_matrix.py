"""What a client sees for each status that a decision service could answer with, at each gateway and its fail policies.

A fake service answers with the status that the path asks for. The tables are what the dialects rest on: nginx lets a
429 pass where it is told to fail open, so its dialect answers 200 and 403 alone.
"""

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.deploy.gateways import DEPLOY, ENVOY, HAPROXY, NGINX, haproxy, running
from tests.deploy.peers import free_port, model, wait_for
from tests.processes import Reply, request

SAID = ("200", "401", "403", "429", "302", "500", "503", "hangs", "dead")
"""What the service answers, or does instead."""
NGINX_PLAIN = (200, 401, 403, 500, 500, 500, 500, 500, 500)
NGINX_OPEN = (200, 401, 429, 200, 200, 200, 200, 200, 200)
ENVOY_CLOSED = (200, 401, 403, 429, 302, 403, 403, 403, 403)
ENVOY_OPEN = (200, 401, 403, 429, 302, 200, 200, 200, 200)
ENVOY_503 = (200, 401, 403, 429, 302, 503, 503, 503, 503)

NGINX_FILE = """
events {}
http {
    server {
        listen 127.0.0.1:PORT;
        auth_request /_auth;
        RECIPE
        location / { proxy_pass http://127.0.0.1:MODEL; }
        location = /_auth {
            internal;
            proxy_pass http://127.0.0.1:SERVICE$request_uri;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_read_timeout 500ms;
        }
        location @open { auth_request off; proxy_pass http://127.0.0.1:MODEL; }
        location @deny { return 429 '{"error":{}}'; }
    }
}
"""
USUAL_RECIPE = "error_page 403 = @deny; error_page 500 502 504 = @open;"


class Service(http.server.BaseHTTPRequestHandler):
    """Answers with the status that ends the path; healthy in between."""

    protocol_version = "HTTP/1.1"
    leaves = threading.Event()

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = self.path.rpartition("/")[2]
        if said == "hangs":
            self.leaves.wait(20)
            self.close_connection = True
            return
        self.send_response(int(said) if said.isdigit() else 200)
        self.send_header("Retry-After", "7")
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def fake_service() -> Iterator[int]:
    Service.leaves.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    answering = threading.Thread(target=server.serve_forever)
    answering.start()
    try:
        yield server.server_address[1]
    finally:
        Service.leaves.set()
        server.shutdown()
        server.server_close()
        answering.join()


@contextlib.contextmanager
def plain_nginx(directory: Path, service: int, upstream: int, recipe: str) -> Iterator[int]:
    port = free_port()
    directory.mkdir()
    (directory / "logs").mkdir()
    text = NGINX_FILE.replace("PORT", str(port)).replace("MODEL", str(upstream)).replace("SERVICE", str(service))
    (directory / "nginx.conf").write_text(text.replace("RECIPE", recipe))
    settings = f"pid {directory}/pid; daemon off; master_process off;"
    with running([NGINX, "-p", directory, "-c", "nginx.conf", "-e", "error.log", "-g", settings], directory):
        wait_for(port)
        yield port


@contextlib.contextmanager
def plain_envoy(directory: Path, service: int, upstream: int, policy: str) -> Iterator[int]:
    """The shipped file with another fail policy, and without what stands in for a lost service."""
    port = free_port()
    directory.mkdir()
    text = (DEPLOY / "envoy" / "ext-authz-http.yaml").read_text()
    for shipped, taken in {"8377": service, "9000": upstream, "8080": port, "9901": 0}.items():
        text = text.replace(f"port_value: {shipped}", f"port_value: {taken}")
    text = text.replace(" 0.02s", " 0.5s").replace("failure_mode_allow: true", policy)
    head, _, rest = text.partition("                  - name: envoy.filters.http.lua\n")
    text = head + rest[rest.index("                  - name: envoy.filters.http.router") :]
    (directory / "envoy.yaml").write_text(text)
    with running([ENVOY, "-c", "envoy.yaml", "--concurrency", "1", "--use-dynamic-base-id"], directory):
        wait_for(port)
        yield port


def seen(gateway: contextlib.AbstractContextManager[int], said: tuple[str, ...]) -> dict[str, Reply]:
    with gateway as port:
        return {one: request(port, "POST", f"/v1/{one}", {"model": "m"}) for one in said}


@pytest.mark.skipif(NGINX is None, reason="NO NGINX: install nginx to see what it makes of each status")
@pytest.mark.parametrize(("recipe", "expected"), [("", NGINX_PLAIN), (USUAL_RECIPE, NGINX_OPEN)])
def test_nginx(tmp_path: Path, recipe: str, expected: tuple[int, ...]) -> None:
    with model() as upstream:
        with fake_service() as service:
            found = seen(plain_nginx(tmp_path / "alive", service, upstream, recipe), SAID[:-1])
        found |= seen(plain_nginx(tmp_path / "dead", free_port(), upstream, recipe), SAID[-1:])
    assert {said: answer.status for said, answer in found.items()} == dict(zip(SAID, expected, strict=True))


@pytest.mark.skipif(not ENVOY.exists(), reason="NO ENVOY: make peers, to see what it makes of each status")
@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("failure_mode_allow: false", ENVOY_CLOSED),
        ("failure_mode_allow: true", ENVOY_OPEN),
        ("status_on_error: { code: 503 }", ENVOY_503),
    ],
)
def test_envoy(tmp_path: Path, policy: str, expected: tuple[int, ...]) -> None:
    with model() as upstream:
        with fake_service() as service:
            found = seen(plain_envoy(tmp_path / "alive", service, upstream, policy), SAID[:-1])
        found |= seen(plain_envoy(tmp_path / "dead", free_port(), upstream, policy), SAID[-1:])
    assert {said: answer.status for said, answer in found.items()} == dict(zip(SAID, expected, strict=True))
    assert found["429"].headers["retry-after"] == "7"


@pytest.mark.skipif(HAPROXY is None, reason="NO HAPROXY: install haproxy to see what it makes of a lost agent")
@pytest.mark.parametrize("said", ["hangs", "dead"])
def test_haproxy(tmp_path: Path, said: str) -> None:
    with model() as upstream, http.server.HTTPServer(("127.0.0.1", 0), Service) as hung:  # listens, and never reads
        agent = hung.server_address[1] if said == "hangs" else free_port()
        with haproxy(tmp_path / "haproxy", int(agent), upstream) as port:
            assert request(port, "POST", "/v1/x", {"model": "m"}).status == 200
