import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.enforcement.factories import policy, rule, standing
from tests.enforcement.replicas.store import SharedStore, eventually, needs_store

from stillwatch.enforcement.decider import Decider
from stillwatch.enforcement.model import DecideRequest
from stillwatch.enforcement.policy.model import Policy
from stillwatch.enforcement.replicas.feed import end
from stillwatch.enforcement.replicas.leases import Leases
from stillwatch.enforcement.replicas.link import Link
from stillwatch.enforcement.state.cohorts import Cohorts
from stillwatch.enforcement.state.leased import LEASE_S, Peers
from stillwatch.errors import UsageError

pytestmark = needs_store
PATIENT_S = 10.0
"""A busy test machine must not part replicas."""


def limited(counts: str, amount: int = 6, cohorts: str = "") -> Policy:
    return policy(
        '[[cohort]]\nid = "c"\nplans = ["x"]',
        f'[[limit]]\nid = "l"\ncounts = "{counts}"\namount = {amount}\nper = "hour"\nburst = {amount}\n{cohorts}',
        rule("r", "throttle", '{ limits = ["l"] }'),
        rule("slow", "throttle", '{ verdict = ["throttle"] }', retry_after_s="60"),
    )


class One:
    """A replica without its transports."""

    def __init__(self, url: str, name: str, rules: Policy) -> None:
        self.peers, self.now_s = Peers(), time.time()
        self.link = Link(url, "t", self.peers)
        self.decider = Decider(rules, "enforce", Cohorts(rules), None, self.peers)
        self.leases = Leases(self.link, self.decider, name, lambda: self.now_s, PATIENT_S)

    async def action(self, account: str = "a", **told: Any) -> str:
        request = DecideRequest(account_id=account, **told)
        reading = self.decider.read(request, self.now_s)
        while needs := self.leases.needs(reading):
            await self.leases.fetch(needs)
        return self.decider.decide_on(request, reading, self.now_s).decision.action


@contextlib.asynccontextmanager
async def pair(url: str, rules: Policy) -> AsyncIterator[tuple[One, One]]:
    """Yield two replicas that know of each other."""
    both = One(url, "one", rules), One(url, "two", rules)
    beats = [asyncio.create_task(one.leases.beat()) for one in both]
    await eventually(lambda: all(not one.peers.lost and one.peers.count == 2 for one in both))
    try:
        yield both
    finally:
        await end(beats)
        for one in both:
            await one.link.close()


def run(url: str, rules: Policy, story: Callable[[One, One], Any]) -> None:
    async def told() -> None:
        async with pair(url, rules) as (one, two):
            await story(one, two)

    asyncio.run(told())


def test_two_replicas_admit_what_one_would(store: SharedStore) -> None:
    async def story(one: One, two: One) -> None:
        asked = [await replica.action() for _ in range(10) for replica in (one, two)]
        assert asked.count("allow") == 6
        assert await one.action("b") == "allow"

    run(store.url, limited("requests"), story)


def test_requests_at_one_time_share_a_round_trip_and_are_all_judged(store: SharedStore) -> None:
    async def story(one: One, two: One) -> None:
        calls = store.client().info("commandstats")["cmdstat_evalsha"]["calls"]
        asked = await asyncio.gather(*(replica.action() for _ in range(30) for replica in (one, two)))
        assert asked.count("allow") == 6
        assert store.client().info("commandstats")["cmdstat_evalsha"]["calls"] - calls < 30

    run(store.url, limited("requests"), story)


def test_a_large_burst_is_leased_ahead_and_given_back(store: SharedStore) -> None:
    async def story(one: One, two: One) -> None:
        assert await one.action() == "allow"
        reading = one.decider.read(DecideRequest(account_id="a"), one.now_s)
        assert one.leases.needs(reading) == []
        arrival = float(store.client().get("t:limit:l:a"))
        one.now_s += LEASE_S
        await one.leases._ask(one.leases._unspent())
        assert float(store.client().get("t:limit:l:a")) < arrival - 19 * 3600 / 1000
        assert await two.action() == "allow"

    run(store.url, limited("requests", 1000), story)


def test_tokens_are_given_back_when_they_were_not_used(store: SharedStore) -> None:
    async def story(one: One, two: One) -> None:
        assert await one.action(max_tokens=1000) == "allow"
        assert await two.action(max_tokens=500) == "throttle"
        one.decider.counters.settle("a", 900, one.now_s)
        one.now_s += LEASE_S
        await one.leases._ask(one.leases._unspent())
        two.now_s += 3600  # what was denied is asked for again
        assert await two.action(max_tokens=500) == "allow"

    run(store.url, limited("tokens", 1000), story)


def test_a_template_sent_to_another_replica_is_not_unseen(store: SharedStore) -> None:
    async def story(one: One, two: One) -> None:
        for number in range(3):
            assert await one.action(prompt=f"{chr(97 + number)}pple pear plum fig date lime kiwi grape") == "allow"
        for number in range(3):
            assert await two.action(prompt=f"{chr(97 + number)}pple pear plum fig date lime kiwi grape") == "allow"
        assert await two.action(prompt="quite another beginning of a prompt that nobody has sent") == "throttle"

    run(store.url, limited("unseen_templates", 3), story)


def test_replicas_agree_on_who_lets_a_throttled_account_pass(store: SharedStore) -> None:
    async def story(one: One, two: One) -> None:
        for replica in (one, two):
            replica.decider.standings.put("a", standing("throttle", until_s=time.time() + 9999, retry_after_s=1))
        assert [await one.action(), await two.action()] == ["throttle", "throttle"]
        await asyncio.sleep(1.05)
        for replica in (one, two):
            replica.now_s = time.time()
        assert sorted([await one.action(), await two.action()]) == ["throttle", "watch"]

    run(store.url, limited("requests", 100), story)


def test_a_limit_of_another_cohort_needs_nothing(store: SharedStore) -> None:
    async def story(one: One, two: One) -> None:
        assert one.leases.needs(one.decider.read(DecideRequest(account_id="a"), one.now_s)) == []
        assert one.leases.needs(None) == []
        assert await two.action() == "allow"

    run(store.url, limited("requests", 1, 'cohorts = ["c"]'), story)


def test_without_a_store_each_counts_alone_and_nobody_waits(nobody: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        one = One(nobody, "one", limited("requests"))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(one.leases.beat(), 0.05)
        assert one.peers.lost
        asked = [await one.action() for _ in range(8)]
        assert asked.count("allow") == 6
        await one.link.close()

    asyncio.run(story())
    assert caplog.text.count("is lost") == 1


def test_a_store_lost_between_two_requests(nobody: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        one = One(nobody, "one", limited("requests"))
        one.link.find(2)
        assert await one.action() == "allow"
        assert one.peers.lost
        await one.link.close()

    asyncio.run(story())
    assert "is lost" in caplog.text
    assert nobody not in caplog.text


def test_an_address_that_is_none() -> None:
    with pytest.raises(UsageError, match="no address of a Redis") as told:
        Link("http://user:secret@host", "t", Peers())
    assert "secret" not in str(told.value)
