"""Runs a hub: one process, one event loop."""

import contextlib
import gc
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

import uvicorn
import uvloop
from starlette.applications import Starlette

from stillwatch.data_dir import alone
from stillwatch.hub.app import make_app
from stillwatch.hub.auth import Authenticator
from stillwatch.hub.hub import Hub, Limits, open_hub
from stillwatch.hub.oidc import Provider
from stillwatch.hub.publisher import Publisher
from stillwatch.hub.storage.hold import Hold
from stillwatch.listening import HOST, listen

PORT = 8380
_KEEP_ALIVE_S = 90
_STOP_S = 5
Application = Callable[[Hub, Authenticator, str | None], Starlette]
_SWITCH_S = 0.001  # so long a short request may wait for a thread that computes


class Setup(NamedTuple):
    """What a hub is started with.

    Attributes:
        database_url: None for SQLite below the data directory.
        public_url: how members reach the hub; None takes what they called it by.
        certificate_header: where a trusted proxy puts the SHA-256 of the client's certificate.
    """

    data_dir: Path
    database_url: str | None = None
    host: str = HOST
    port: int = PORT
    root: str = "exchange"
    public_url: str | None = None
    provider: Provider | None = None
    certificate_header: str | None = None
    limits: Limits = Limits()


def serve(setup: Setup, started: Callable[[int], None], application: Application = make_app) -> None:
    """Serve until the process is told to stop.

    Args:
        setup: what the hub is started with; port 0 takes a free one.
        started: called with the port once requests are answered.
        application: what is served.

    Raises:
        UsageError: the port is taken, or the data directory or the database is in use.
        StillwatchError: the data cannot be opened.
    """
    with contextlib.ExitStack() as until_the_end:
        listening = until_the_end.enter_context(contextlib.closing(listen(setup.port, host=setup.host)))
        until_the_end.enter_context(alone(setup.data_dir))
        opened = open_hub(setup.data_dir, setup.database_url, time.time, root=setup.root, limits=setup.limits)
        hub = until_the_end.enter_context(opened)
        hold = until_the_end.enter_context(Hold(hub.storage))
        authenticator = Authenticator(hub.storage, setup.provider, setup.certificate_header)
        app = application(hub, authenticator, setup.public_url)
        until_the_end.enter_context(_publishing(Publisher(hub.storage, hub.log, hold)))
        sys.setswitchinterval(_SWITCH_S)
        gc.freeze()  # what is there now stays: the collector need not walk it again and again
        signal.signal(signal.SIGTERM, _stop)  # uvicorn raises a signal again when it has stopped
        with contextlib.suppress(KeyboardInterrupt):
            uvloop.run(_Server(app, lambda: started(listening.getsockname()[1])).serve(sockets=[listening]))


class _Server(uvicorn.Server):
    """Uvicorn that says when it answers."""

    def __init__(self, app: object, started: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,  # type: ignore[arg-type]
            access_log=False,
            log_level="warning",
            lifespan="off",
            server_header=False,
            proxy_headers=False,  # who asks is known by a token; what the hub is called, by --public-url
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_STOP_S,
        )
        super().__init__(config)
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self._tell()


@contextlib.contextmanager
def _publishing(publisher: Publisher) -> Iterator[None]:
    running = threading.Thread(target=publisher.run, name="publisher")
    running.start()
    try:
        yield
    finally:
        publisher.end()
        running.join()


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
