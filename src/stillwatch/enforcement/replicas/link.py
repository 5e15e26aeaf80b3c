"""The connection to the store that replicas share, and whether it answers."""

import logging
from importlib import resources
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from stillwatch.enforcement.state.leased import Peers
from stillwatch.errors import UsageError

FAILURES = (RedisError, OSError, TimeoutError)
"""What a store that does not answer, or answers something else, comes to."""
TIMEOUT_S = 1.0
_log = logging.getLogger(__name__)


class Link:
    """One store. Whoever is refused by it says so with `lose`; the heartbeat finds it again."""

    def __init__(self, url: str, prefix: str, peers: Peers) -> None:
        """Take the address; nothing is sent yet.

        Args:
            url: such as redis://127.0.0.1:6379/0; what it holds of a password is never logged.
            prefix: what all keys begin with.
            peers: told whether the store answers.

        Raises:
            UsageError: it is no such address.
        """
        try:
            self.client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
                url,
                protocol=2,  # one shape of answers, whatever the server's age
                socket_timeout=TIMEOUT_S,
                socket_connect_timeout=TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
            )
        except (ValueError, RedisError) as error:
            raise UsageError(
                "this is no address of a Redis or Valkey", hint="--redis-url redis://HOST:PORT/DATABASE"
            ) from error
        self._prefix, self.peers = prefix, peers
        self._told = False

    def key(self, *parts: str) -> str:
        """Return the name of a key."""
        return ":".join((self._prefix, *parts))

    def lose(self, error: BaseException | str) -> None:
        """Go on alone, until `find`."""
        if not self.peers.lost or not self._told:
            self.peers.lost, self._told = True, True
            said = error if isinstance(error, str) else type(error).__name__
            _log.warning("the store that replicas share is lost (%s): limits are counted here alone", said)

    def find(self, replicas: int) -> None:
        """Go on together with so many replicas."""
        if self.peers.lost and self._told:
            _log.warning("the store that replicas share answers: %d replicas", replicas)
        self._told = True
        self.peers.lost, self.peers.count = False, max(1, replicas)

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    def script(self, name: str) -> Any:
        """Return a script of this package (`lease.lua`), which the store runs in one step."""
        text = resources.files("stillwatch.enforcement.replicas").joinpath(name).read_text("utf-8")
        return self.client.register_script(text)
