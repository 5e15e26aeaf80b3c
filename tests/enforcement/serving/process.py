"""A real `stillwatch serve`, and a client for it."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.processes import STILLWATCH, Reply, request, started


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


@contextlib.contextmanager
def serving(data: Path, *options: str) -> Iterator[Served]:
    """Yield a service on a free port, in mode enforce; it is gone afterwards."""
    where = ("--data-dir", data, "--port", "0", "--spop-port", "0", "--grpc-port", "0")
    with started(STILLWATCH, "serve", *where, "--mode", "enforce", "--json", *options) as (process, told):
        yield Served(process, told["port"], told["spop_port"], told["grpc_port"], data)
