"""A service among others: its leases, its feed, and the tasks that keep both up."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator

from stillwatch.enforcement.replicas.feed import Feed, end
from stillwatch.enforcement.replicas.leases import Leases
from stillwatch.enforcement.replicas.link import Link
from stillwatch.enforcement.service import Service, SharedStore
from stillwatch.enforcement.state.leased import Peers

PREFIX = "stillwatch"
_log = logging.getLogger(__name__)


class Replica:
    """Ties a service to the store that it shares with others. Where the store is lost, the service goes on alone."""

    def __init__(self, service: Service, shared: SharedStore, peers: Peers) -> None:
        """See `Link` for the address and its error; nothing is sent before `running`."""
        name = secrets.token_hex(8)
        self._link = Link(shared.url, PREFIX, peers)
        self.leases = Leases(self._link, service.decider, name, service.now, shared.deadline_s)
        self._feed = Feed(self._link, service.rulings, name)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep up with the others for as long as the block lasts."""
        tasks = [asyncio.create_task(self.leases.beat()), asyncio.create_task(self._feed.run())]
        for task in tasks:
            task.add_done_callback(_say_why)
        try:
            yield
        finally:
            await end(tasks)
            await self._link.close()


def _say_why(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("this replica no longer keeps up with the others: a bug", exc_info=task.exception())
