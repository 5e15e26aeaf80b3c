"""A real `stillwatch serve`, and a client for it."""

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

STILLWATCH = Path(sys.executable).with_name("stillwatch")


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Served(NamedTuple):
    """A running service: its process, its ports and where its data is."""

    process: subprocess.Popen[str]
    port: int
    spop_port: int
    grpc_port: int
    data: Path

    def admin(self, method: str, path: str, body: object) -> Reply:
        token = (self.data / "admin-token").read_text().strip()
        return request(self.port, method, path, body, {"Authorization": f"Bearer {token}"})

    def action(self, account: str) -> str:
        action: str = request(self.port, "POST", "/v1/decide", {"account_id": account}).json["action"]
        return action

    def set(self, account: str, action: str, **more: object) -> None:
        verdict = {"action": action, "reason_code": "t", "reason": "t", "author": "t", "ttl_s": 600, "campaign_id": "c"}
        assert self.admin("PUT", f"/v1/verdicts/{account}", {**verdict, **more}).status == 200


def request(port: int, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, path, data, dict(headers or {}))
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


@contextlib.contextmanager
def serving(data: Path, *options: str) -> Iterator[Served]:
    """Yield a service on a free port, in mode enforce; it is gone afterwards."""
    command = [
        STILLWATCH,
        "serve",
        "--data-dir",
        data,
        "--port",
        "0",
        "--spop-port",
        "0",
        "--grpc-port",
        "0",
        "--mode",
        "enforce",
        "--json",
        *options,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                assert process.stderr is not None
                raise AssertionError(process.stderr.read())
            told = json.loads(line)
            yield Served(process, told["port"], told["spop_port"], told["grpc_port"], data)
        finally:
            process.kill()
