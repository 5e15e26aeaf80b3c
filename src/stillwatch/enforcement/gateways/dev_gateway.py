"""A gateway for trials and the range: the middleware in front of one upstream, on the loopback address."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import uvicorn
import uvloop

from stillwatch.enforcement.asgi import Scope
from stillwatch.enforcement.gateways.asgi import Stillwatch
from stillwatch.enforcement.gateways.client import Client
from stillwatch.enforcement.gateways.upstream import Upstream
from stillwatch.listening import listen

_LAST_WORDS_S = 2


def run(
    upstream: Upstream, client: Client, account_header: str | None, port: int, started: Callable[[int], None]
) -> None:
    """Pass requests on, as far as they may pass, until the process is told to stop.

    Args:
        upstream: where to.
        client: asks the decision service.
        account_header: header that names the account, whoever sends it; None: the API key is looked up.
        port: where to listen; 0 takes a free one.
        started: called with the port once requests are answered.

    Raises:
        UsageError: the port is taken.
    """
    app = Stillwatch(upstream, client, None if account_header is None else _named_by(account_header))
    with contextlib.closing(listen(port, "--port")) as listening:
        config = uvicorn.Config(
            app,
            access_log=False,
            log_level="warning",
            lifespan="off",
            ws="none",
            server_header=False,
            date_header=False,  # the upstream's is passed on
            timeout_graceful_shutdown=_LAST_WORDS_S,
        )
        signal.signal(signal.SIGTERM, _stop)  # uvicorn raises a signal again when it has stopped
        server = _Server(config, lambda: started(listening.getsockname()[1]))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            with contextlib.suppress(KeyboardInterrupt):
                runner.run(server.serve(sockets=[listening]))
            runner.run(_close(upstream, client))


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, tell: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = tell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell()


async def _close(upstream: Upstream, client: Client) -> None:
    await upstream.close()
    await client.close()


def _named_by(header: str) -> Callable[[Scope], str | None]:
    name = header.lower().encode("latin-1", "replace")

    def account_of(scope: Scope) -> str | None:
        values = [value for one, value in scope["headers"] if one.lower() == name]
        return values[-1].decode("latin-1") if values else None

    return account_of


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
