"""The shipped Envoy configurations on a real Envoy, in front of a real decision service and a model that streams."""

import contextlib
import http.client
import http.server
import json
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.deploy.answers import THOUGHT, WORDS
from tests.deploy.gateways import ENVOY, envoy
from tests.deploy.peers import ACTIONS, EVENTS, Upstream, until, watched_model
from tests.enforcement.serving.process import Served, serving
from tests.processes import Reply, request

from stillwatch.enforcement.ask import key_hash

pytestmark = pytest.mark.skipif(not ENVOY.exists(), reason="NO ENVOY: make peers, to test deploy/envoy")

FILES = {"ext-authz-http.yaml": "envoy-http", "ext-authz-grpc.yaml": "envoy-grpc", "ext-proc.yaml": "envoy-ext-proc"}
"""The shipped configurations, and what the record calls the way that each asks."""
MISSING = {
    "ext-authz-http.yaml": "cluster.model.ext_authz.stillwatch.failure_mode_allowed",
    "ext-authz-grpc.yaml": "cluster.model.ext_authz.stillwatch.failure_mode_allowed",
    "ext-proc.yaml": "http.api.ext_proc.stillwatch.failure_mode_allowed",
}
FORGED = {"X-SW-Account-Id": "allow", "X-SW-Action": "allow", "X-SW-Degrade": "forged", "X-SW-Other": "forged"}
CHAT = "/v1/chat/completions"
LONG = b'{"messages":[],"x":"' + b"x" * 2**21 + b'"}'


class Gate(NamedTuple):
    """A running Envoy, and what stands on both sides of it."""

    file: str
    directory: Path
    port: int
    served: Served
    upstream: Upstream

    def call(self, account: str, path: str = CHAT, body: object = None, **headers: str) -> Reply:
        sent = {"model": "m"} if body is None else body
        return request(self.port, "POST", path, sent, {**FORGED, "X-Account": account, **headers})

    def admin(self, path: str) -> bytes:
        host, _, port = (self.directory / "admin").read_text().partition(":")
        assert host == "127.0.0.1"
        return request(int(port), "GET", path).body

    def counted(self, name: str) -> int:
        found = dict(line.split(": ") for line in self.admin(f"/stats?filter=^{name}$").decode().splitlines())
        return int(found.get(name, 0))

    def healthy(self) -> bool:
        clusters = json.loads(self.admin("/clusters?format=json"))["cluster_statuses"]
        [host] = next(one["host_statuses"] for one in clusters if one["name"] == "stillwatch")
        return set(host["health_status"]) == {"eds_health_status"}


def opened(file: str, directory: Path, *edits: tuple[str, str]) -> Iterator[Gate]:
    with (
        watched_model() as upstream,
        serving(directory / "data") as served,
        envoy(directory / "envoy", served, upstream.port, file, *edits) as port,
    ):
        for action in ACTIONS:
            if action != "allow":
                served.set(action, action)
        yield Gate(file, directory / "envoy", port, served, upstream)


@pytest.fixture(scope="module", params=FILES)
def gate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    yield from opened(request.param, tmp_path_factory.mktemp("gate"))


@pytest.fixture(scope="module")
def processing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    yield from opened("ext-proc.yaml", tmp_path_factory.mktemp("processing"))


@pytest.fixture(params=FILES)
def frail(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gate]:
    """A gate whose service may be lost."""
    yield from opened(request.param, tmp_path)


@pytest.mark.parametrize(("action", "status"), ACTIONS.items())
def test_the_client_sees_what_was_decided(gate: Gate, action: str, status: int) -> None:
    answer = gate.call(action)
    assert answer.status == status
    if status == 200:
        assert answer.body.count(b"data: ") == EVENTS
        assert answer.headers["x-seen-account"] == ""
        assert answer.headers["x-seen-degrade"].startswith('{"max_tokens"' if action == "degrade" else "")
        assert "forged" not in answer.headers["x-seen-degrade"]
        ours = {name for name in answer.headers["x-seen-names"].split() if name.startswith("x-sw-")}
        assert ours - {"x-sw-degrade"} == {"x-sw-action", "x-sw-mode", "x-sw-decision-id", "x-sw-reason"}
        assert not any(name.startswith("x-sw-") for name in answer.headers)
    else:
        error = answer.json["error"]
        assert error["type"] == ("rate_limit_error" if status == 429 else "permission_error")
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-sw-decision-id"] in error["message"]
        assert ("retry-after" in answer.headers) == (status == 429)
        assert {name for name in answer.headers if name.startswith("x-sw-")} == {"x-sw-decision-id"}
        entry = request(gate.served.port, "GET", f"/v1/decisions/{answer.headers['x-sw-decision-id']}").json
        assert (entry["account_id"], entry["action"], entry["transport"]) == (action, action, FILES[gate.file])


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages?beta=true"])
def test_another_api_has_its_own_style(gate: Gate, path: str) -> None:
    assert gate.call("block", path).json["type"] == "error"


def test_a_request_without_a_body_is_decided_on(gate: Gate) -> None:
    assert request(gate.port, "GET", "/v1/models", headers={"X-Account": "block"}).status == 403
    assert request(gate.port, "GET", "/v1/models", headers={"X-Account": "allow"}).status == 501  # the model's own


def test_a_long_body_is_decided_on_unread(gate: Gate) -> None:
    assert gate.call("block", body=LONG).status == 403
    assert gate.call("allow", body=LONG).status == 200
    assert len(gate.upstream.seen[-1]["x"]) == 2**21


def test_the_access_log_names_the_decision(gate: Gate) -> None:
    answer = gate.call("challenge")
    said = answer.headers["x-sw-decision-id"]
    log = gate.directory / "log"
    until(lambda: said in log.read_text())
    told = json.loads(next(line for line in log.read_text().splitlines() if said in line))
    assert (told["account"], told["status"], told["decision_id"]) == ("challenge", 403, said)
    assert told["action"] == (None if gate.file == "ext-authz-http.yaml" else "challenge")


@pytest.mark.parametrize("odd", [b"x-odd: \xff\xfe", b"x-sw-account-id: \xff", b"user-agent: " + b"u" * 50_000])
def test_no_header_is_odd_enough_to_get_past(gate: Gate, odd: bytes) -> None:
    name, _, value = odd.partition(b": ")
    assert gate.call("block", **{name.decode(): value.decode("latin-1")}).status == 403


def test_many_headers_get_nobody_past(gate: Gate) -> None:
    many = {f"X-{number}": "1" for number in range(85)}
    assert gate.call("block", **many).status == 403
    assert gate.call("degrade", **many).status in {200, 500}  # Envoy takes no more than a hundred, ours among them


@pytest.mark.parametrize("file", FILES)
def test_an_account_that_envoy_does_not_know_is_found_by_its_key(tmp_path: Path, file: str) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({key_hash("sk-known"): "block"}))
    unnamed = ("%REQ(x-account)%", "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:sub)%")
    with (
        watched_model() as upstream,
        serving(tmp_path / "data", "--keys", str(tmp_path / "keys.json")) as served,
        envoy(tmp_path / "envoy", served, upstream.port, file, unnamed) as port,
    ):
        served.set("block", "block")
        for header in ({"Authorization": "Bearer sk-known"}, {"X-Api-Key": "sk-known"}):
            assert request(port, "POST", CHAT, {"model": "m"}, {**FORGED, **header}).status == 403
        assert twice(port, "x-api-key", "sk-known", "sk-other") == 403
        assert request(port, "POST", CHAT, {"model": "m"}, {"Authorization": "Bearer sk-other"}).status == 200


@pytest.mark.parametrize("loss", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_service_frees_nobody_who_was_refused_and_stops_nobody_else(frail: Gate, loss: signal.Signals) -> None:
    refused = {action: status for action, status in ACTIONS.items() if status != 200}
    for action, status in refused.items():
        assert frail.call(action).status == status
    quoted = frail.call("block").headers["x-sw-decision-id"]
    frail.served.set("lifted", "block")
    assert frail.call("lifted").status == 403
    frail.served.admin("DELETE", "/v1/verdicts/lifted", {"reason": "r", "author": "a"})
    assert frail.call("lifted").status == 200
    frail.served.process.send_signal(loss)
    try:
        for account in ("allow", "never-seen", "lifted"):
            answer = frail.call(account)
            assert answer.status == 200
            assert answer.headers["x-seen-account"] == ""
        for action, status in refused.items():
            answer = frail.call(action)
            assert answer.status == status
            assert answer.json["error"]["type"] == ("rate_limit_error" if status == 429 else "permission_error")
            assert ("retry-after" in answer.headers) == (status == 429)
        answer = frail.call("block", "/v1/messages")
        assert answer.json["type"] == "error"
        assert answer.headers["x-sw-decision-id"] == answer.json["request_id"] == quoted
        assert quoted in answer.json["error"]["message"]
        assert frail.counted(MISSING[frail.file]) >= 7
    finally:
        if loss == signal.SIGSTOP:
            frail.served.process.send_signal(signal.SIGCONT)


def test_a_refusal_is_remembered_no_longer_than_its_verdict_holds(frail: Gate) -> None:
    frail.served.set("soon", "block", ttl_s=2)
    assert frail.call("soon").status == 403
    frail.served.process.send_signal(signal.SIGKILL)
    assert frail.call("soon").status == 403
    until(lambda: frail.call("soon").status == 200)


def test_the_memory_is_bounded_and_forgets_what_is_oldest(tmp_path: Path) -> None:
    for gate in opened("ext-authz-http.yaml", tmp_path, ("MOST = 50000", "MOST = 2")):
        for account in "abcde":
            gate.served.set(account, "block")
            assert gate.call(account).status == 403
        gate.served.process.send_signal(signal.SIGKILL)
        assert [gate.call(account).status for account in "abcde"] == [200, 200, 403, 403, 403]


def test_a_throttled_account_that_had_its_turn_stays_throttled(frail: Gate) -> None:
    frail.served.set("slow", "throttle", retry_after_s=1)
    until(lambda: frail.call("slow").status == 429)
    until(lambda: frail.call("slow").status == 200)
    frail.served.process.send_signal(signal.SIGKILL)
    assert frail.call("slow").status == 429


def test_a_service_that_hangs_is_not_asked_until_it_answers_again(frail: Gate) -> None:
    assert frail.call("block").status == 403
    assert frail.healthy()
    frail.served.process.send_signal(signal.SIGSTOP)
    try:
        until(lambda: not frail.healthy())
        asked = frail.counted("cluster.stillwatch.upstream_rq_total")
        for _ in range(5):
            assert frail.call("never-seen").status == 200
            assert frail.call("block").status == 403
        assert frail.counted("cluster.stillwatch.upstream_rq_total") == asked
    finally:
        frail.served.process.send_signal(signal.SIGCONT)
    until(frail.healthy)
    until(lambda: "x-sw-action" in frail.call("never-seen").headers["x-seen-names"])


class Gated(http.server.BaseHTTPRequestHandler):
    """Sends an event in two parts, and the rest when the client has seen it."""

    protocol_version = "HTTP/1.1"
    seen = threading.Event()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        first = event("first")
        for part in (first[:30], first[30:]):
            self._send(part)
        self._send(event("in time" if self.seen.wait(10) else "too late"))
        self._send(b"")

    def _send(self, part: bytes) -> None:
        self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def event(text: str) -> bytes:
    delta = {"content": text, "reasoning": THOUGHT}
    return b"data: " + json.dumps({"choices": [{"delta": delta, "logprobs": {"content": []}}]}).encode() + b"\n\n"


@pytest.mark.parametrize("account", ["allow", "degrade"])
@pytest.mark.parametrize("file", FILES)
def test_events_arrive_one_by_one(tmp_path: Path, file: str, account: str) -> None:
    Gated.seen.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gated)
    running = threading.Thread(target=server.serve_forever)
    running.start()
    try:
        with (
            serving(tmp_path / "data") as served,
            envoy(tmp_path / "envoy", served, server.server_address[1], file) as port,
        ):
            served.set("degrade", "degrade")
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("POST", CHAT, b'{"stream":true}', {"X-Account": account})
            answer = connection.getresponse()
            first = answer.readline() + answer.readline()
            Gated.seen.set()
            rest = answer.read()
            connection.close()
    finally:
        server.shutdown()
        server.server_close()
        running.join()
    assert b"first" in first
    assert b"in time" in rest
    bare = file == "ext-proc.yaml" and account == "degrade"
    assert ((first + rest).count(THOUGHT.encode()) == 0) == bare
    if not bare:
        assert first + rest == event("first") + event("in time")


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses"])
def test_a_degraded_request_reaches_the_model_made_smaller(processing: Gate, path: str) -> None:
    bound = {CHAT: "max_tokens", "/v1/messages": "max_tokens", "/v1/responses": "max_output_tokens"}[path]
    for account in ("degrade", "allow"):
        asked: dict[str, Any] = {"model": "m", "messages": [], bound: 9000, "n": 5, "logprobs": True, "top_logprobs": 3}
        assert processing.call(account, path, asked).status == 200
        reached = processing.upstream.seen[-1]
        assert reached == ({"model": "m", "messages": [], bound: 1024, "n": 1} if account == "degrade" else asked)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses"])
def test_the_answer_to_a_degraded_account_is_bare_and_no_other_is_touched(
    processing: Gate,
    path: str,
    stream: bool,  # noqa: FBT001 - a parameter of this test
) -> None:
    asked = {"model": "m", "messages": [], "stream": stream}
    degraded = processing.call("degrade", path, asked, **{"Accept-Encoding": "gzip"})
    others = [processing.call(account, path, asked, **{"Accept-Encoding": "gzip"}) for account in ("allow", "watch")]
    direct = request(processing.upstream.port, "POST", path, asked)
    assert [other.body for other in others] == [direct.body] * 2
    assert THOUGHT in direct.body.decode()
    assert THOUGHT not in degraded.body.decode()
    assert all(word.strip() in degraded.body.decode() for word in WORDS)
    assert "accept-encoding" not in degraded.headers["x-seen-names"].split()
    assert "accept-encoding" in others[0].headers["x-seen-names"].split()


def test_a_degraded_request_that_cannot_be_read_does_not_pass(processing: Gate) -> None:
    reached = len(processing.upstream.seen)
    unreadable = processing.call("degrade", body=b"[1]")
    assert unreadable.status == 400
    assert unreadable.json["error"]["type"] == "invalid_request_error"
    assert processing.call("degrade", "/v1/messages", b"\x1f\x8b").json["type"] == "error"
    assert processing.call("degrade", body=LONG).status == 413
    assert len(processing.upstream.seen) == reached


def test_a_body_without_a_length_is_read_too(processing: Gate) -> None:
    def send(account: str, size: int) -> int:
        head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nX-Account: {account}\r\nTransfer-Encoding: chunked\r\n\r\n"
        body = b'{"messages":[],"max_tokens":9000,"x":"' + b"x" * size + b'"}'
        return status_of(processing.port, head.encode() + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")

    for size in (10, 2**20 + 100, 2**21):
        assert send("allow", size) == 200
        assert send("block", size) == 403
    assert send("degrade", 10) == 200
    assert processing.upstream.seen[-1]["max_tokens"] == 1024
    assert send("degrade", 2**20 + 100) in {200, 413}  # whole, if its end came before Envoy had seen enough
    assert processing.upstream.seen[-1]["max_tokens"] == 1024
    assert send("degrade", 2**21) == 413


def test_where_bodies_may_not_be_asked_for_refusals_still_reach_the_client(tmp_path: Path) -> None:
    edits = (("allow_mode_override: true", "allow_mode_override: false"), ("{ response_header_mode: SKIP }", "{}"))
    for gate in opened("ext-proc.yaml", tmp_path, *edits):
        assert gate.call("block").status == 403
        assert gate.call("allow").status == 200


def twice(port: int, name: str, *values: str) -> int:
    """Return the status of a request that has a header more than once."""
    lines = "".join(f"{name}: {value}\r\n" for value in values)
    return status_of(port, f"POST {CHAT} HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: 2\r\n\r\n{{}}".encode())


def status_of(port: int, sent: bytes) -> int:
    """Return the status of the answer to what is sent as it is; Envoy may answer before it has read all."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(sent)
        return int(connection.recv(64).split()[1])
