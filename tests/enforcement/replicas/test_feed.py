import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.enforcement.replicas.store import SharedStore, eventually, needs_store

from stillwatch.enforcement.record.rulings import Rulings
from stillwatch.enforcement.record.store import Ruling, Store
from stillwatch.enforcement.replicas.feed import Feed, end
from stillwatch.enforcement.replicas.link import Link
from stillwatch.enforcement.state.leased import Peers

pytestmark = needs_store
NOW = time.time()


def ruling(name: str, ts: float = NOW, until: float = NOW + 1000, **body: object) -> Ruling:
    return Ruling(kind="cohort", name=name, ts=ts, until=until, body=body)


class One:
    def __init__(self, store: SharedStore, directory: Path, name: str) -> None:
        self.rulings = Rulings(Store(directory / f"{name}.db"))
        self.link = Link(store.url, "t", Peers())
        self.feed = Feed(self.link, self.rulings, name)

    @property
    def held(self) -> dict[str, object]:
        return {one.name: one.body.get("n") for one in self.rulings.all(NOW)}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.feed.run())
        try:
            yield
        finally:
            await end([task])
            await self.link.close()


def test_a_ruling_reaches_who_is_there_and_who_comes_later(store: SharedStore, tmp_path: Path) -> None:
    async def story() -> None:
        one, two, late = (One(store, tmp_path, name) for name in ("one", "two", "late"))
        two.rulings.settle(ruling("x", n=1))
        async with one.running(), two.running():
            await eventually(lambda: one.held == {"x": 1})
            one.rulings.settle(ruling("y", n=2))
            await eventually(lambda: two.held == {"x": 1, "y": 2})
            async with late.running():
                await eventually(lambda: late.held == {"x": 1, "y": 2})

    asyncio.run(story())


def test_the_later_ruling_holds_on_all_sides(store: SharedStore, tmp_path: Path) -> None:
    async def story() -> None:
        one, two = (One(store, tmp_path, name) for name in ("one", "two"))
        one.rulings.settle(ruling("x", NOW, n=1))
        one.rulings.settle(ruling("y", NOW + 2, n=1))
        two.rulings.settle(ruling("x", NOW + 1, n=2))
        two.rulings.settle(ruling("y", NOW + 1, n=2))
        async with one.running(), two.running():
            await eventually(lambda: one.held == two.held == {"x": 2, "y": 1})

    asyncio.run(story())


def test_an_emptied_store_is_filled_again(store: SharedStore, tmp_path: Path) -> None:
    async def story() -> None:
        one = One(store, tmp_path, "one")
        one.rulings.settle(ruling("x", n=1))
        async with one.running():
            await eventually(lambda: store.client().hlen("t:rulings") == 1)
        store.client().flushall()
        async with One(store, tmp_path, "one").running():
            await eventually(lambda: store.client().hlen("t:rulings") == 1)

    asyncio.run(story())


def test_what_is_no_fact_is_left_alone_and_what_lapsed_is_cleared(
    store: SharedStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lapsed = f"{NOW - 9} ".encode() + msgspec.json.encode(ruling("old", NOW - 9, NOW - 1))
    store.client().hset("t:rulings", mapping={"cohort:old": lapsed, "odd": b"\xff", "odder": b"1 {}"})

    async def story() -> None:
        one = One(store, tmp_path, "one")
        async with one.running():
            await eventually(lambda: store.client().hlen("t:rulings") == 0)
            store.client().xadd("t:changes", {"ruling": "1 nonsense"})
            store.client().xadd("t:changes", {"other": "field"})
            store.client().xadd("t:changes", {"ruling": b"1 " + msgspec.json.encode(ruling("x", n=1)), "from": "two"})
            await eventually(lambda: one.held == {"x": 1})

    asyncio.run(story())
    assert "no ruling" in caplog.text
