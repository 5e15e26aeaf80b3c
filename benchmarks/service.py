"""What one decision service answers in a second, and how late its answers are at half of that, whatever else it does.

Run `python benchmarks/service.py [--seconds 5]`. The service is bound to one processor, the load (wrk) to another;
10,000 accounts, the native route. Full load is as much as it answers over 32 connections; half load is paced. Beside
half load: finished exchanges posted a thousand at a time, four times a second; a verdict file of 200,000 accounts
replaced; limits shared with a second service through Redis, by leases, and beside it what a call of Redis for each
request costs.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import redis.asyncio

from load import cpu_s, pin, wrk

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))

from tests.enforcement.replicas.store import SharedStore, shared_store  # noqa: E402 - found from here on
from tests.enforcement.serving.process import Served, serving  # noqa: E402

_ACCOUNTS, _PACED = 10_000, 64
_LOAD = """
local n = 0
request = function()
  n = n + 1
  local body = '{"account_id":"account-%%d","model":"large-1","operation":"chat","max_tokens":512,"prompt":"hello"}'
  return wrk.format("POST", "/v1/decide", {["Content-Type"]="application/json"}, string.format(body, n %% %d))
end
"""
_DELAY = "\ndelay = function() return %d end\n"
_LIMIT = """
id = "bench"
version = "1"
[[limit]]
id = "l"
counts = "requests"
amount = 100000000
per = "minute"
burst = {burst}
[[rule]]
id = "r"
action = "throttle"
mode = "enforce"
when.limits = ["l"]
"""


class Answered(NamedTuple):
    """Requests a second, CPU time of the service per request, and latencies in milliseconds."""

    per_s: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    seconds = parser.parse_args().seconds
    print("| the service | decisions/s | CPU us | p50 ms | p99 ms |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with serving(directory / "alone") as served:
            full = load(served, directory, seconds)
            show("full load, 32 connections", full)
            pace_ms = max(1, round(_PACED / (full.per_s / 2) * 1000))
            show("half load", load(served, directory, seconds, pace_ms))
            with beside(lambda: post(served)):
                show("half load, 4,000 exchanges/s posted", load(served, directory, seconds, pace_ms))
        verdicts = directory / "verdicts.jsonl"
        write_verdicts(verdicts)
        with (
            serving(directory / "files", "--verdicts", str(verdicts)) as served,
            beside(lambda: write_verdicts(verdicts)),
        ):
            show("half load, 200,000 verdicts replaced each second", load(served, directory, seconds, pace_ms))
        with shared_store(directory) as store:
            for what, burst in (("leases", 100_000), ("nothing leased ahead", 40)):
                show_shared(what, burst, directory, store, seconds)
            show_calls(store, seconds)


def show(what: str, answered: Answered, more: str = "") -> None:
    """Print a row."""
    cells = (
        what,
        f"{answered.per_s:,.0f}",
        f"{answered.cpu_us:.0f}{more}",
        f"{answered.p50_ms:.2f}",
        f"{answered.p99_ms:.2f}",
    )
    print(f"| {' | '.join(cells)} |", flush=True)


def show_shared(what: str, burst: int, directory: Path, store: SharedStore, seconds: int) -> None:
    """Measure a service that shares its limit with a second one, and Redis with it."""
    policy = directory / f"policy-{burst}.toml"
    policy.write_text(_LIMIT.format(burst=burst))
    options = ("--policy", str(policy), "--redis-url", store.url)
    with serving(directory / f"one-{burst}", *options) as served, serving(directory / f"two-{burst}", *options):
        time.sleep(2)  # they know of each other
        begun = cpu_s([store.process.pid])
        answered = load(served, directory, seconds)
        redis_us = (cpu_s([store.process.pid]) - begun) / (answered.per_s * seconds) * 1e6
    show(f"full load, two replicas, {what}", answered, f" + {redis_us:.0f} in Redis")


def show_calls(store: SharedStore, seconds: int) -> None:
    """Measure what a limit costs that asks Redis on each request: the calls alone, 32 at a time, no service around."""
    begun, redis_begun = time.process_time(), cpu_s([store.process.pid])
    calls = asyncio.run(call_again_and_again(store.url, seconds))
    cpu_us = (time.process_time() - begun) / calls * 1e6
    redis_us = (cpu_s([store.process.pid]) - redis_begun) / calls * 1e6
    what = "a call of the same script for each request, without a service"
    print(f"| {what} | {calls / seconds:,.0f} | {cpu_us:.0f} + {redis_us:.0f} in Redis | | |")


async def call_again_and_again(url: str, seconds: int) -> int:
    """Return how many calls 32 tasks made in a time."""
    script = resources.files("stillwatch.enforcement.replicas").joinpath("lease.lua").read_text("utf-8")
    async with redis.asyncio.Redis.from_url(url, protocol=2) as client:
        call, until = client.register_script(script), time.monotonic() + seconds

        async def one(number: int) -> int:
            count = 0
            while time.monotonic() < until:
                await call(keys=[f"limit:account-{(number + count) % _ACCOUNTS}"], args=["take", 6e-7, 0.06, 1, 0])
                count += 1
            return count

        return sum(await asyncio.gather(*(one(number) for number in range(32))))


def load(served: Served, directory: Path, seconds: int, pace_ms: int | None = None) -> Answered:
    """Load a service as far as it goes, or let each of 64 connections wait so long between requests."""
    pid = served.process.pid
    pin([pid])
    script = _LOAD % _ACCOUNTS + ("" if pace_ms is None else _DELAY % pace_ms)
    begun = cpu_s([pid])
    loaded = wrk(served.port, script, directory, 32 if pace_ms is None else _PACED, seconds)
    taken_s = cpu_s([pid]) - begun
    if loaded.refused:
        sys.exit(f"{loaded.refused} of {loaded.requests} requests were not answered as they should be")
    cpu_us = taken_s / loaded.requests * 1e6
    return Answered(loaded.requests / seconds, cpu_us, loaded.p50_us / 1000, loaded.p99_us / 1000)


@contextlib.contextmanager
def beside(act: Callable[[], None]) -> Iterator[None]:
    """Do something again and again, for as long as the block lasts."""
    over = threading.Event()

    def again() -> None:
        while not over.is_set():
            act()

    acting = threading.Thread(target=again)
    acting.start()
    try:
        yield
    finally:
        over.set()
        acting.join()


def post(served: Served) -> None:
    """Post a thousand finished exchanges, and wait a quarter of a second."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    base = {"ts": now, "model": "large-1", "prompt": "hello there " * 40, "output_tokens": 100, "max_tokens": 512}
    at = time.monotonic_ns()
    records = [{**base, "exchange_id": f"{at}-{number}", "account_id": f"account-{number}"} for number in range(1000)]
    if served.admin("POST", "/v1/exchanges", records).status != 202:
        sys.exit("exchanges were not taken")
    time.sleep(0.25)


def write_verdicts(path: Path) -> None:
    """Replace a verdict file by one of 200,000 accounts that are watched, and wait a second."""
    line = {
        "action": "watch",
        "reason_code": "campaign_member",
        "ttl_s": 86_400,
        "campaign_id": "c",
        "template_bands": [],
    }
    new = path.with_suffix(".new")
    new.write_text("".join(json.dumps({"account_id": f"other-{number}", **line}) + "\n" for number in range(200_000)))
    new.replace(path)
    time.sleep(1)


if __name__ == "__main__":
    main()
