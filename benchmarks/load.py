"""The load of a benchmark: wrk on a processor of its own, and what processes take of theirs meanwhile."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

SERVICE_CPU, LOAD_CPU = 0, 1


class Loaded(NamedTuple):
    """What wrk says: requests answered, how many of them were refused or failed, and latencies in microseconds."""

    requests: int
    refused: int
    p50_us: float
    p99_us: float


def wrk(port: int, script: str, directory: Path, connections: int, seconds: float) -> Loaded:
    """Send requests, as a script in Lua makes them, for a time."""
    file = directory / "load.lua"
    file.write_text(script)
    command = ["taskset", "-c", str(LOAD_CPU), "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}"]
    address = f"http://127.0.0.1:{port}"
    said = subprocess.run(
        [*command, "--latency", "-s", str(file), address], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"(\d+) requests in", said)
    if found is None or found[1] == "0":
        sys.exit(f"nothing was answered:\n{said}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return Loaded(int(found[1]), int(refused[1]) if refused else 0, _us(said, "50%"), _us(said, "99%"))


def _us(said: str, quantile: str) -> float:
    number, unit = re.search(rf"{quantile}\s+([\d.]+)(us|ms|s)", said).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def pin(pids: Iterable[int]) -> None:
    """Bind processes, every thread of them, to the processor of what is measured."""
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {SERVICE_CPU})


def cpu_s(pids: Iterable[int]) -> float:
    """Return the CPU time that processes have taken."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
