"""A service in a process of its own, and requests to it."""

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


def request(port: int, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, path, data, dict(headers or {}))
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


@contextlib.contextmanager
def started(*command: str | Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Yield a process and what it says on its first line, as JSON; it is killed afterwards."""
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as made:
        try:
            assert made.stdout is not None
            line = made.stdout.readline()
            if not line:
                assert made.stderr is not None
                raise AssertionError(made.stderr.read())
            yield made, json.loads(line)
        finally:
            made.kill()
