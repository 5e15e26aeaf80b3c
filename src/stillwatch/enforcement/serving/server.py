"""Runs the service: one process, one event loop, on the loopback address."""

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

import uvicorn
import uvloop

from stillwatch.data_dir import alone
from stillwatch.enforcement.replicas.replica import Replica
from stillwatch.enforcement.service import Service, Setup, SharedStore
from stillwatch.enforcement.serving.envoy.listener import Envoys
from stillwatch.enforcement.serving.front import Front
from stillwatch.enforcement.serving.haproxy import Agent
from stillwatch.enforcement.serving.http import Gateway
from stillwatch.enforcement.serving.people import people
from stillwatch.listening import listen

TOKEN_FILE = "admin-token"  # noqa: S105 - the file's name
_TICK_S = 0.25
_SWITCH_S = 0.0005  # so long a decision may wait for the thread that reads and writes aside
_KEEP_ALIVE_S = 90  # longer than any gateway keeps an idle connection, so that it is the gateway who closes it
_STOP_S = 5
_log = logging.getLogger(__name__)


class Ports(NamedTuple):
    """Where the service listens: HTTP, SPOP for HAProxy, and gRPC for Envoy."""

    http: int
    spop: int
    grpc: int


_OPTIONS = ("--port", "--spop-port", "--grpc-port")


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
    listening = [listen(port, option) for option, port in zip(_OPTIONS, ports, strict=True)]
    with contextlib.ExitStack() as open_until_the_end:
        for one in listening:
            open_until_the_end.enter_context(contextlib.closing(one))
        open_until_the_end.enter_context(alone(setup.data_dir))
        sys.setswitchinterval(_SWITCH_S)
        service = Service(setup, time.time, ThreadPoolExecutor(1, "aside"))
        with contextlib.closing(service):
            replica = _replica(service, setup.shared)
            front = Front(service, leases=None if replica is None else replica.leases)
            app = Gateway(front, people(service, admin_token(setup.data_dir, token)))
            gc.freeze()  # what is there now stays: the collector need not walk it again and again
            signal.signal(signal.SIGTERM, _stop)  # uvicorn raises a signal again when it has stopped
            with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_run(_http(app), listening, front, replica, started))


def _http(app: Gateway) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            access_log=False,
            log_level="warning",
            lifespan="off",
            server_header=False,
            proxy_headers=False,  # what a gateway forwards is read where it is needed
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_STOP_S,
        )
    )


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _replica(service: Service, shared: SharedStore | None) -> Replica | None:
    return None if shared is None or service.peers is None else Replica(service, shared, service.peers)


async def _run(
    server: uvicorn.Server,
    listening: list[socket.socket],
    front: Front,
    replica: Replica | None,
    started: Callable[[Ports], None],
) -> None:
    taken = Ports(*(one.getsockname()[1] for one in listening))
    http, spop, grpc = listening
    envoys = Envoys(front)
    grpc.close()  # held the port until here; gRPC takes no socket, only a port
    await envoys.start(taken.grpc)
    agents = await asyncio.get_running_loop().create_server(lambda: Agent(front), sock=spop)
    ticking = asyncio.create_task(_tick(front.service, server, lambda: started(taken)))
    try:
        async with contextlib.nullcontext() if replica is None else replica.running():
            await server.serve(sockets=[http])
    finally:
        agents.close()
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):  # also the one that Ctrl-C sends: what follows may wait
            await ticking
        await envoys.stop()


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
