"""A Redis (or Valkey) of one test's own, which may be stopped, killed and started again."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

SERVER = shutil.which("redis-server") or shutil.which("valkey-server")
needs_store = pytest.mark.skipif(SERVER is None, reason="NO REDIS: install redis-server or valkey to test replicas")


class SharedStore:
    """A server on a port of its own; it keeps nothing on the disk."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = int(taken.getsockname()[1])
        self._directory = directory
        self.process = self._start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def again(self) -> None:
        """Start it anew, empty."""
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        assert SERVER is not None
        command = [SERVER, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        process = subprocess.Popen([*command, "--dir", str(self._directory)], stdout=subprocess.DEVNULL)
        for _ in range(200):
            with contextlib.suppress(redis.RedisError), self.client() as client:
                client.ping()
                return process
            time.sleep(0.02)
        raise TimeoutError(self.port)


@contextlib.contextmanager
def shared_store(directory: Path) -> Iterator[SharedStore]:
    store = SharedStore(directory)
    try:
        yield store
    finally:
        store.kill()


async def eventually(holds: Callable[[], bool]) -> None:
    """Return once something holds that takes a while; fails if it does not."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(holds)
