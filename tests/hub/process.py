"""A real `stillwatch hub serve`, and what its members ask of it."""

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.hub.site import SHARED, TAXII
from tests.processes import STILLWATCH, Reply, request, started

HUB = (STILLWATCH, "hub")


class Served(NamedTuple):
    """A running hub."""

    process: subprocess.Popen[str]
    port: int

    def ask(
        self, token: str, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        sent = {"Authorization": f"Bearer {token}", "Accept": TAXII, "Content-Type": TAXII, **(headers or {})}
        return request(self.port, method, path, body, sent)

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
    command = [*HUB, "serve", "--data-dir", data, "--port", "0", "--json", *options]
    with started(*command) as (process, told):
        yield Served(process, told["port"])
