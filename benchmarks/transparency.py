"""What an audit log costs: durable appends a second, proofs at a million leaves, a signed entry, opening, verification.

Run `python benchmarks/transparency.py [--leaves 1000000]`. Entries are 200 bytes, as the hub's leaves about are;
batches of 1,000, each on the disk before the next begins, are measured on the last fifth of them. Proofs are of random
entries, from tiles that the system may have in its cache. Beside it stand the bare disk (the same bytes in one file,
waited for) and, for proofs, the processor's time, since others' load shows in the wall clock's p99 first.
"""

import argparse
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from stillwatch.transparency.keys import SigningKey
from stillwatch.transparency.log import Log
from stillwatch.transparency.tree import leaf_hash, verify_inclusion
from stillwatch.transparency.verify import verify_log

_ORIGIN = "bench.example/log"
_KEY = SigningKey(_ORIGIN, bytes(32))
_BATCH, _BYTES = 1_000, 200
_APPENDS, _PROOF_MS = 5_000, 5.0


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leaves", type=int, default=1_000_000)
    leaves = parser.parse_args().leaves
    print("| the log | figure | target |\n|---|---|---|")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:  # not in memory, where the system keeps /tmp there
        directory = Path(name)
        show(f"the bare disk: {_BATCH * _BYTES:,} bytes and a wait", f"{bare_disk(directory):,.0f} batches/s")
        with Log(directory / "log", _ORIGIN, _KEY) as log:
            append(log, leaves * 4 // 5, 20_000)
            per_s = append(log, leaves // 5, _BATCH)
            show(f"durable appends, batches of {_BATCH:,}", f"{per_s:,.0f} entries/s", f">= {_APPENDS:,}")
            log.checkpoint(time.time())
            check(log)
            low, high = quantiles(lambda: prove(log), 2_000)
            show(
                f"inclusion proof at {log.size:,} leaves, p50 and p99",
                f"{low:.2f}, {high:.2f} ms",
                f"<= {_PROOF_MS} ms",
            )
            low, high = quantiles(lambda: prove(log), 2_000, time.thread_time)
            show("the same, time of the processor", f"{low:.2f}, {high:.2f} ms")
            low, high = quantiles(lambda: log.consistency(random.randrange(1, log.size), log.size), 500)
            show("consistency proof, p50 and p99", f"{low:.2f}, {high:.2f} ms")
            low, high = quantiles(lambda: append_and_sign(log), 100)
            show("one entry appended and signed, p50 and p99", f"{low:.2f}, {high:.2f} ms")
        took = seconds(lambda: Log(directory / "log", _ORIGIN, _KEY).close())
        show("opening it", f"{took * 1_000:.0f} ms")
        took = seconds(lambda: verify_log(directory / "log", _KEY.verifying))
        show("verification of all of it", f"{leaves / took:,.0f} entries/s")
    show("load of the machine, last minute", f"{os.getloadavg()[0]:.1f}")
    show("peak memory of all of this", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024:.0f} MiB")


def append(log: Log, leaves: int, at_once: int) -> float:
    """Append entries in batches and return how many a second were on the disk."""
    spent = 0.0
    for _ in range(leaves // at_once):
        batch = [os.urandom(_BYTES) for _ in range(at_once)]
        start = time.perf_counter()
        log.append(batch)
        spent += time.perf_counter() - start
    return leaves / spent


def prove(log: Log) -> None:
    """Prove a random entry."""
    log.inclusion(random.randrange(log.size), log.size)


def append_and_sign(log: Log) -> None:
    """Do what a member does for each decision to share."""
    log.append([os.urandom(_BYTES)])
    log.checkpoint(time.time())


def bare_disk(directory: Path) -> float:
    """Return how many batches a second a plain file takes."""
    data = os.urandom(_BATCH * _BYTES)
    with (directory / "bare").open("wb", buffering=0) as stream:

        def write() -> None:
            stream.write(data)
            os.fsync(stream.fileno())

        took = seconds(lambda: [write() for _ in range(200)])
    return 200 / took


def quantiles(
    act: Callable[[], object], times: int, clock: Callable[[], float] = time.perf_counter
) -> tuple[float, float]:
    """Return the median and the 99th percentile of how long something takes, in milliseconds."""
    took = sorted(seconds(act, clock) * 1_000 for _ in range(times))
    return took[times // 2], took[times * 99 // 100]


def seconds(act: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return how long something takes."""
    start = clock()
    act()
    return clock() - start


def show(what: str, figure: str, target: str = "") -> None:
    """Print a row."""
    print(f"| {what} | {figure} | {target} |", flush=True)


def check(log: Log) -> None:
    """See that what is measured is right."""
    index = random.randrange(log.size)
    proof = log.inclusion(index, log.size)
    if not verify_inclusion(leaf_hash(log.entry(index)), index, log.size, proof, log.root(log.size)):
        raise SystemExit("a proof does not hold")


if __name__ == "__main__":
    main()
