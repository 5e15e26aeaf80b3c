"""Runs the service: one process, one event loop, on the loopback address."""

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

import uvicorn
import uvloop

from stillwatch.enforcement.service import Service, Setup
from stillwatch.enforcement.serving.front import Front
from stillwatch.enforcement.serving.haproxy import Agent
from stillwatch.enforcement.serving.http import Gateway
from stillwatch.enforcement.serving.people import people
from stillwatch.errors import UsageError

HOST = "127.0.0.1"
TOKEN_FILE = "admin-token"  # noqa: S105 - the file's name
_TICK_S = 0.25
_BACKLOG = 2048
_log = logging.getLogger(__name__)


class Ports(NamedTuple):
    """Where the service listens: HTTP, and SPOP for HAProxy."""

    http: int
    spop: int


def admin_token(data_dir: Path, given: str | None) -> str:
    """Return the token that writing routes ask for: the given one, or one made once and kept beside the data."""
    if given:
        return given
    path = data_dir / TOKEN_FILE
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        made = secrets.token_urlsafe(32)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(made + "\n")
        return made


def serve(setup: Setup, ports: Ports, token: str | None, started: Callable[[Ports], None]) -> None:
    """Serve until the process is told to stop.

    Args:
        setup: what the service starts from.
        ports: where to listen; 0 takes a free one.
        token: what writing routes ask for; None makes one.
        started: called with the ports once requests are answered.

    Raises:
        UsageError: the port is taken.
        StillwatchError: the data directory holds something else.
    """
    listening = [_listen(port, option) for option, port in zip(("--port", "--spop-port"), ports, strict=True)]
    with contextlib.ExitStack() as open_until_the_end:
        for one in listening:
            open_until_the_end.enter_context(contextlib.closing(one))
        open_until_the_end.enter_context(_alone(setup.data_dir))
        service = Service(setup, time.time)
        with contextlib.closing(service):
            front = Front(service)
            app = Gateway(front, people(service, admin_token(setup.data_dir, token)))
            config = uvicorn.Config(app, access_log=False, log_level="warning", lifespan="off", server_header=False)
            signal.signal(signal.SIGTERM, _stop)  # uvicorn raises a signal again when it has stopped
            with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_run(uvicorn.Server(config), listening, front, started))


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Hold a data directory against a second process; the lock goes with the process, however it ends."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data_dir / "lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"{data_dir} is in use by another process", hint="give each its own --data-dir") from error
        yield


def _listen(port: int, option: str) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise UsageError(f"port {port} is taken", hint=f"give another one with {option}") from error
    return listening


async def _run(
    server: uvicorn.Server, listening: list[socket.socket], front: Front, started: Callable[[Ports], None]
) -> None:
    taken = Ports(*(one.getsockname()[1] for one in listening))
    http, spop = listening
    agents = await asyncio.get_running_loop().create_server(lambda: Agent(front), sock=spop)
    ticking = asyncio.create_task(_tick(front.service, server, lambda: started(taken)))
    try:
        await server.serve(sockets=[http])
    finally:
        agents.close()
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking


async def _tick(service: Service, server: uvicorn.Server, started: Callable[[], None]) -> None:
    told = False
    while True:
        if server.started and not told:
            told = True
            started()
        try:
            service.tick()
        except OSError as error:
            service.counts["http_errors", "disk"] += 1
            _log.error("the record could not be written: %s", error.strerror)
        await asyncio.sleep(_TICK_S if told else 0.01)
