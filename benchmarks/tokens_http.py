"""How many tokens a hub evaluates in a second of one core over HTTP, alone and together with a trustee.

Run `python benchmarks/tokens_http.py [--batches 20]`. Batches of 1,000 over one connection; the CPU time is that of the
serving processes, so what the client blinds and checks is not in it. Split: the same batch is asked of the hub and of
the trustee, one after the other, and a token counts once both have answered.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import msgspec

from load import cpu_s
from stillwatch.sharing.matching.epochs import PublishedEpoch
from stillwatch.sharing.matching.evaluate import REQUEST_LIMIT, EvaluationReply
from stillwatch.sharing.matching.tokens import TokenBatch

_STILLWATCH = str(Path(sys.executable).with_name("stillwatch"))


class Holder(NamedTuple):
    """A running key holder, and a member's token for it."""

    process: subprocess.Popen[str]
    connection: HTTPConnection
    token: str

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Return the body of an answer."""
        self.connection.request(method, path, body, {"authorization": f"Bearer {self.token}"})
        answer = self.connection.getresponse()
        told = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {told[:200]!r}")
        return told


@contextlib.contextmanager
def holder(data: Path, *verb: str) -> Iterator[Holder]:
    """Yield a hub or a trustee on a free port."""
    member = [
        _STILLWATCH,
        "hub",
        "member",
        "add",
        f"bench {os.getpid()} {time.time_ns()}",
        "--data-dir",
        str(data),
        "--json",
    ]
    token = json.loads(subprocess.run(member, check=True, capture_output=True, text=True).stdout)["token"]
    command = [_STILLWATCH, "hub", *verb, "--data-dir", str(data), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101
        port = json.loads(process.stdout.readline())["port"]
        with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
            yield Holder(process, connection, token)
        process.terminate()


def measure(holders: Sequence[Holder], batches: int) -> dict[str, float]:
    """Return tokens per second of wall clock and per second of CPU over all holders."""
    told = json.loads(holders[0].ask("GET", "/v1/tokens/epochs"))
    epoch = msgspec.convert(told["epochs"][0], PublishedEpoch)
    wall = cpu = 0.0
    for number in range(batches + 1):
        batch = TokenBatch(epoch, [f"{number}-{index}".encode() for index in range(REQUEST_LIMIT)])
        body = msgspec.json.encode(batch.request)
        begun, used = time.perf_counter(), cpu_s(one.process.pid for one in holders)
        answers = [one.ask("POST", "/v1/tokens/evaluate", body) for one in holders]
        if number:  # the first waits for a compiler
            wall += time.perf_counter() - begun
            cpu += cpu_s(one.process.pid for one in holders) - used
        batch.tokens([msgspec.json.decode(answer, type=EvaluationReply) for answer in answers])
    count = batches * REQUEST_LIMIT
    return {"tokens_per_s": round(count / wall), "tokens_per_cpu_s": round(count / cpu)}


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=20)
    batches = parser.parse_args().batches
    with tempfile.TemporaryDirectory() as directory:
        hub, trustee = Path(directory, "hub"), Path(directory, "trustee")
        with holder(hub, "serve") as alone:
            whole = measure([alone], batches)
        split = [_STILLWATCH, "hub", "trustee", "split", "--data-dir", str(hub), "--out", str(trustee)]
        subprocess.run(split, check=True, capture_output=True)
        with holder(hub, "serve") as one, holder(trustee, "trustee", "serve") as other:
            both = measure([one, other], batches)
    print(json.dumps({"whole": whole, "split": both}, indent=2))


if __name__ == "__main__":
    main()
