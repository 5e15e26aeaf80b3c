"""A real `stillwatch hub serve`, and what its members ask of it."""

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.hub.site import SHARED, TAXII

HUB = [str(Path(sys.executable).with_name("stillwatch")), "hub"]


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Served(NamedTuple):
    """A running hub."""

    process: subprocess.Popen[str]
    port: int

    def ask(
        self, token: str, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            sent = {"Authorization": f"Bearer {token}", "Accept": TAXII, "Content-Type": TAXII, **(headers or {})}
            data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def post(self, token: str, objects: list[Any]) -> Reply:
        return self.ask(token, "POST", f"{SHARED}/objects/", {"objects": objects})

    def all_objects(self, token: str) -> list[dict[str, Any]]:
        """Return all objects, by `next`."""
        found: list[dict[str, Any]] = []
        query = ""
        while True:
            page = self.ask(token, "GET", f"{SHARED}/objects/?limit=500{query}").json
            found += page.get("objects", [])
            if not page["more"]:
                return found
            query = f"&next={page['next']}"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*HUB, *map(str, arguments)], capture_output=True, text=True, check=False)


def add_member(data: Path, name: str, *options: str) -> str:
    """Return the token of a new member."""
    made = run("member", "add", name, "--data-dir", data, "--json", *options)
    assert made.returncode == 0, made.stderr
    token: str = json.loads(made.stdout)["token"]
    return token


@contextlib.contextmanager
def serving(data: Path, *options: str) -> Iterator[Served]:
    """Yield a hub on a free port; it is gone afterwards."""
    command = [*HUB, "serve", "--data-dir", str(data), "--port", "0", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                assert process.stderr is not None
                raise AssertionError(process.stderr.read())
            yield Served(process, json.loads(line)["port"])
        finally:
            process.kill()
