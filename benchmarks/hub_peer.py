"""OpenTAXII on PostgreSQL, the server that a hub would else run, under gunicorn as its documentation has it."""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_WORKERS = 2
_USER, _PASSWORD = "bench", "bench"
_CONFIGURATION = """
domain: "127.0.0.1:PORT"
support_basic_auth: yes
return_server_error_details: no
auth_api:
  class: opentaxii.auth.sqldb.SQLDatabaseAPI
  parameters: {db_connection: "URL", create_tables: yes, secret: "as long as the benchmark", token_ttl_secs: 3600}
taxii1:
taxii2:
  persistence_api:
    class: opentaxii.persistence.sqldb.Taxii2SQLDatabaseAPI
    parameters: {db_connection: "URL", create_tables: yes}
  title: peer
  public_discovery: true
  max_content_length: 209715200
logging: {opentaxii: error, root: error}
"""


class Peer(NamedTuple):
    """A running peer: where its objects are, who may ask, and the processes that answer."""

    port: int
    pids: tuple[int, ...]
    objects: str
    token: str
    basic: tuple[str, str] = (_USER, _PASSWORD)


@contextlib.contextmanager
def serving_peer(environment: Path, url: str) -> Iterator[Peer]:
    """Yield the peer with one collection and one account; it is gone afterwards.

    Args:
        environment: a virtual environment with what requirements/peer-opentaxii.lock names.
        url: an empty PostgreSQL database.
    """
    port, root = _free_port(), str(uuid.uuid4())
    commands = environment / "bin"
    with tempfile.TemporaryDirectory() as work:
        file = Path(work) / "opentaxii.yml"
        file.write_text(_CONFIGURATION.replace("PORT", str(port)).replace("URL", url))
        known = {**os.environ, "OPENTAXII_CONFIG": str(file)}

        def run(name: str, *options: str) -> str:
            return subprocess.check_output([commands / f"opentaxii-{name}", *options], env=known, text=True)

        run("add-api-root", "--title", "peer", "--default", "--id", root)
        run("add-collection", "--rootid", root, "--title", "shared", "--alias", "shared")
        said = run("create-account", "--username", _USER, "--password", _PASSWORD, "--admin")
        token = next(line.partition(": ")[2] for line in said.splitlines() if line.startswith("token: "))
        command = [commands / "gunicorn", "opentaxii.http:app", "--bind", f"127.0.0.1:{port}", "--workers", _WORKERS]
        with subprocess.Popen(list(map(str, command)), env=known, stderr=subprocess.DEVNULL) as process:
            try:
                pids = (process.pid, *_workers(process.pid))
                yield Peer(port, pids, f"/taxii2/{root}/collections/shared/objects/", token.strip())
            finally:
                process.terminate()


def _workers(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    for _ in range(100):
        found = [int(one) for one in children.read_text().split()]
        if len(found) == _WORKERS:
            time.sleep(2)  # until they have read their application
            return found
        time.sleep(0.1)
    raise SystemExit("the peer does not start")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
