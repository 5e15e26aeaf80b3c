"""Rulings from each replica to all others: what people set is in force everywhere, and outlives any one of them.

The shared store holds the latest ruling of each name and a stream of changes. Whoever comes (back) takes over what is
newer there, tells what is newer here, and then follows the stream; so a store that lost everything is filled again.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable
from typing import Any

import msgspec

from stillwatch.enforcement.record.rulings import Rulings
from stillwatch.enforcement.record.store import Ruling
from stillwatch.enforcement.replicas.link import FAILURES, TIMEOUT_S, Link

_AGAIN_S, _HEARD_S = 0.5, 0.2
_BLOCK_MS = int(TIMEOUT_S * 1000) // 2
_log = logging.getLogger(__name__)
_decode = msgspec.json.Decoder(Ruling).decode


class Feed:
    """Follows and tells, for one event loop."""

    def __init__(self, link: Link, rulings: Rulings, replica: str) -> None:
        """`replica` names this one among the others."""
        self._link, self._rulings, self._replica = link, rulings, replica
        self._script = link.script("publish.lua")
        self._held, self._stream = link.key("rulings"), link.key("changes")
        self._to_tell: asyncio.Queue[Ruling] = asyncio.Queue()
        rulings.tell(self._to_tell.put_nowait)

    async def run(self) -> None:
        """Keep up with the others, for ever; what failed is made good when the store answers again."""
        while True:
            try:
                await self._keep_up(await self._agree())
            except FAILURES:
                await asyncio.sleep(_AGAIN_S)

    async def _keep_up(self, since: bytes) -> None:
        """Follow and tell until one of both fails."""
        both = [asyncio.create_task(self._follow(since)), asyncio.create_task(self._tell())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(both, _HEARD_S / 4)
        for task in both:
            if not task.cancelled():
                task.result()

    async def _agree(self) -> bytes:
        """Take over what is newer there and tell what is newer here; return where in the stream to go on."""
        last: Any = await self._link.client.xrevrange(self._stream, count=1)
        since = last[0][0] if last else b"0-0"
        there: dict[str, float] = {}
        lapsed, now_s = [], time.time()
        held: Any = await self._link.client.hgetall(self._held)
        for name, value in held.items():
            ruling = _read(value)
            if ruling is None or ruling.until <= now_s:
                lapsed.append(name)
                continue
            there[ruling.key] = ruling.ts
            self._rulings.receive(ruling)
        if lapsed:
            await self._link.client.hdel(self._held, *lapsed)
        for ruling in self._rulings.all(now_s):
            if ruling.ts > there.get(ruling.key, 0.0):
                await self._publish(ruling)
        return since

    async def _follow(self, since: bytes) -> None:
        while True:
            answer: Any = await self._link.client.xread({self._stream: since}, count=1000, block=_BLOCK_MS)
            for entry, fields in [row for _, rows in answer or () for row in rows]:
                since = entry
                own = fields.get(b"from") == self._replica.encode()
                ruling = None if own else _read(fields.get(b"ruling", b""))
                if ruling is not None:
                    self._rulings.receive(ruling)

    async def _tell(self) -> None:
        while True:
            await self._publish(await self._to_tell.get())

    async def _publish(self, ruling: Ruling) -> None:
        body = msgspec.json.encode(ruling)
        await self._script(keys=[self._held, self._stream], args=[ruling.key, repr(ruling.ts), body, self._replica])


async def end(tasks: Iterable[asyncio.Task[None]], heard_s: float = _HEARD_S) -> None:
    """End tasks that go on for ever; a call of the store that is cancelled may swallow that, so they are told again."""
    for task in tasks:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=heard_s)


def _read(value: bytes) -> Ruling | None:
    """Return a ruling as publish.lua keeps it, its moment before its body; None for what is none."""
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
        return _decode(value.partition(b" ")[2])
    _log.warning("something that is no ruling stands in the shared store")
    return None
