"""Leases what a request needs before it is judged, for all requests that wait at one time in one round trip."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from stillwatch.enforcement.decider import RETRY_AFTER_S, Decider, Reading
from stillwatch.enforcement.replicas.link import FAILURES, Link
from stillwatch.enforcement.state.counters import Lack, places
from stillwatch.enforcement.state.leased import LEASED_SHARE

BEAT_S = 0.5
_ALIVE_S = 5.0
_DAY_S = 86_400
_MOST_ITEMS = 1000


class Item(NamedTuple):
    """One thing that is asked of the store (see lease.lua), and what is done with the pair it answers."""

    keys: tuple[str, ...]
    arguments: tuple[str | float, ...]
    answered: Callable[[int, int], None]


class Leases:
    """Asks the store for one event loop; never raises into a request."""

    def __init__(
        self,
        link: Link,
        decider: Decider,
        replica: str,
        clock: Callable[[], float],
        deadline_s: float,
    ) -> None:
        """Ask through a link.

        Args:
            link: the store.
            decider: whose limits are shared.
            replica: names this one among the others.
            clock: gives Unix seconds.
            deadline_s: so long a request waits for the store; then this replica goes on alone.
        """
        self._deadline_s = deadline_s
        self._link, self._decider, self._replica, self._clock = link, decider, replica, clock
        self._script = link.script("lease.lua")
        self._items: list[Item] = []
        self._batch: asyncio.Future[None] | None = None
        self._sending: asyncio.Task[None] | None = None
        self._paces = _paces(decider)

    def needs(self, reading: Reading | None) -> list[Item]:
        """Return what must be asked before a request can be judged; nothing while the store is lost."""
        if reading is None or self._link.peers.lost:
            return []
        now_s = self._clock()
        account, member, _, cost = reading
        lacking = self._decider.counters.lacking(account, member.cohort, cost, now_s)
        items = [self._lease(account, lack, now_s) for lack in lacking]
        standing = self._decider.standings.of(account, now_s) if self._paces else None
        if standing is not None and standing.action in self._paces:
            every = standing.retry_after_s or self._paces[standing.action]
            if self._decider.counters.must_agree(account, now_s):
                items.append(self._pace(account, every, now_s))
        return items

    async def fetch(self, items: list[Item]) -> None:
        """Ask, and take what is answered; after the deadline the store counts as lost."""
        self._items += items
        if self._batch is None:
            self._batch = asyncio.get_running_loop().create_future()
            if self._sending is None or self._sending.done():
                self._sending = asyncio.create_task(self._send())
        await asyncio.shield(self._batch)  # one for all that wait: who leaves does not take the others along

    async def beat(self) -> None:
        """Tell the others, for ever, that this replica lives, and give back what was leased and not spent."""
        while True:
            try:
                await self._ask([self._alive(), *self._unspent()])
            except FAILURES as error:
                self._link.lose(error)
            await asyncio.sleep(BEAT_S)

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        while self._batch is not None:
            items, self._items = self._items, []
            batch, self._batch = self._batch, None
            deadline = loop.call_later(self._deadline_s, self._too_late, batch)
            try:
                await self._ask(items)
            except FAILURES as error:
                self._link.lose(error)
            deadline.cancel()
            if not batch.done():
                batch.set_result(None)

    def _too_late(self, batch: asyncio.Future[None]) -> None:
        self._link.lose("no answer in time")
        if not batch.done():
            batch.set_result(None)
        if self._batch is not None and not self._batch.done():
            self._batch.set_result(None)  # it waits behind this one

    async def _ask(self, items: list[Item]) -> None:
        for first in range(0, len(items), _MOST_ITEMS):
            part = items[first : first + _MOST_ITEMS]
            keys = [key for item in part for key in item.keys]
            arguments = [argument for item in part for argument in item.arguments]
            answers = await self._script(keys=keys, args=arguments)
            for item, (kind, number) in zip(part, answers, strict=True):
                item.answered(kind, number)

    def _lease(self, account: str, lack: Lack, now_s: float) -> Item:
        rate, meter = lack.limit.rate, lack.meter
        lease = 0.0 if lack.head is not None else rate.burst * LEASED_SHARE
        numbers = (rate.cost_s, rate.depth_s, lack.units, lease)
        key = self._link.key("limit", lack.limit.id, account)

        def answered(kind: int, number: int) -> None:
            if kind == 1:
                meter.grant(account, lack.units + number, now_s)
            elif kind == 0:
                meter.deny(account, lack.units, number / 1e6, now_s)
            elif lack.head is not None:
                self._decider.counters.sent_elsewhere(account, lack.head)

        if lack.head is None:
            return Item((key,), ("take", *numbers), answered)
        seen = self._link.key("seen", str(int(now_s // _DAY_S)), account)
        return Item((key, seen), ("fresh", *numbers, *places(lack.head)), answered)

    def _pace(self, account: str, every_s: int, now_s: float) -> Item:
        def answered(kind: int, number: int) -> None:
            self._decider.counters.agree(account, now_s if kind == 1 else now_s + number / 1e6, now_s)

        return Item((self._link.key("pace", account),), ("pace", every_s), answered)

    def _alive(self) -> Item:
        return Item(
            (self._link.key("replicas"),),
            ("beat", self._replica, _ALIVE_S),
            lambda _, count: self._link.find(count),
        )

    def _unspent(self) -> list[Item]:
        now_s = self._clock()
        return [
            Item((self._link.key("limit", limit.id, account),), ("give", limit.rate.cost_s, units), lambda *_: None)
            for limit, meter in self._decider.counters.leased()
            for account, units in meter.take_back(now_s)
        ]


def _paces(decider: Decider) -> dict[str, int]:
    """Return for each verdict that a rule answers with a throttle the seconds between two requests that pass."""
    paces: dict[str, int] = {}
    for rule in decider.policy.rule:
        if rule.action == "throttle":
            for verdict in rule.when.verdict:
                paces.setdefault(verdict, rule.retry_after_s or RETRY_AFTER_S)
    return paces
