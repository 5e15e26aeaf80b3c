"""A PostgreSQL of the tests' own, that may be killed."""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

_NAMES = itertools.count()


def find_binaries() -> Path | None:
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda one: int(one.parent.name))


class Postgres:
    """One server with its data below a directory; fsync is on, so that a kill tells the truth."""

    def __init__(self, binaries: Path, directory: Path) -> None:
        self._binaries, self._directory = binaries, directory
        self._user = "postgres" if os.geteuid() == 0 else None  # initdb refuses root
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        if self._user:
            shutil.chown(directory, self._user)
        self._run("initdb", "-D", str(directory / "data"), "-U", "hub", "-A", "trust", "--no-sync")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / program, *arguments],
            check=True,
            capture_output=True,
            user=self._user,
            cwd=self._directory,
        )

    def start(self) -> None:
        command = [self._binaries / "postgres", "-D", "data", "-p", str(self._port), "-k", str(self._directory)]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self._directory,
                start_new_session=True,
            )
        for _ in range(600):
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.url("postgres")).close()
                return
            time.sleep(0.05)
        raise TimeoutError

    def kill(self) -> None:
        """End it as a loss of power does: all its processes at once."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        (self._directory / "data" / "postmaster.pid").unlink(missing_ok=True)

    def url(self, database: str) -> str:
        return f"postgresql://hub@127.0.0.1:{self._port}/{database}"

    def new_database(self) -> str:
        """Return the URL of an empty database."""
        name = f"hub{next(_NAMES)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
        return self.url(name)


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Yield a running server, or skip the test where PostgreSQL is not installed."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql, which CI does")
    with tempfile.TemporaryDirectory(prefix="hub-pg-") as directory:
        Path(directory).chmod(0o755)
        server = Postgres(binaries, Path(directory))
        server.start()
        try:
            yield server
        finally:
            server.kill()  # nothing in it is wanted any more, and to stop it in order takes long
