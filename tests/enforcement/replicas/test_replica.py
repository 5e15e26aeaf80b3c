import asyncio
import time
from pathlib import Path

import pytest
from tests.enforcement.factories import policy, rule
from tests.enforcement.replicas.store import SharedStore as Running
from tests.enforcement.replicas.store import eventually, needs_store

from stillwatch.enforcement.casework import NewVerdict
from stillwatch.enforcement.model import DecideRequest
from stillwatch.enforcement.replicas.feed import end
from stillwatch.enforcement.replicas.replica import Replica
from stillwatch.enforcement.service import Service, Setup, SharedStore
from stillwatch.enforcement.serving.front import Front

pytestmark = needs_store
POLICY = policy(
    '[[limit]]\nid = "l"\ncounts = "requests"\namount = 5\nper = "hour"\nburst = 5',
    rule("r", "throttle", '{ limits = ["l"] }'),
    rule("b", "block", '{ verdict = ["block"] }'),
)


def test_two_services_stand_as_one(store: Running, tmp_path: Path) -> None:
    shared = SharedStore(store.url, 10.0)

    async def story() -> None:
        services = [
            Service(Setup(data_dir=tmp_path / name, policy=POLICY, mode="enforce", shared=shared), time.time)
            for name in ("one", "two")
        ]
        replicas = [Replica(one, shared, one.peers) for one in services if one.peers is not None]
        fronts = [Front(one, 0.0, replica.leases) for one, replica in zip(services, replicas, strict=True)]
        async with replicas[0].running(), replicas[1].running():
            await eventually(lambda: all(one.peers is not None and one.peers.count == 2 for one in services))
            request = DecideRequest(account_id="a")
            assert fronts[0].at_once(request, "native") is None
            asked = [(await front.decide(request, "native")).action for _ in range(5) for front in fronts]
            assert asked.count("allow") == 5
            new = NewVerdict(action="block", reason_code="r", reason="r", author="k", ttl_s=60)
            services[0].casework.set_verdict("b", new, time.time())
            await eventually(lambda: services[1].decider.standings.of("b", time.time()) is not None)
        for one in services:
            one.close()

    asyncio.run(story())


def test_a_bug_in_keeping_up_is_said(store: Running, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shared = SharedStore(store.url)

    async def story() -> None:
        service = Service(Setup(data_dir=tmp_path, policy=POLICY, shared=shared), time.time)
        assert service.peers is not None
        replica = Replica(service, shared, service.peers)
        service.rulings.all = None  # type: ignore[method-assign,assignment]
        async with replica.running():
            await eventually(lambda: "a bug" in caplog.text)
        service.close()

    asyncio.run(story())


def test_a_task_that_mistakes_its_end_for_something_else_is_told_again() -> None:
    async def stubborn() -> None:
        for _ in range(2):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue
        await asyncio.sleep(60)

    async def story() -> None:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        await end([task])
        assert task.cancelled()

    asyncio.run(story())
