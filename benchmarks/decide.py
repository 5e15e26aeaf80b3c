"""What a decision costs in the process, and what a million accounts hold of its memory.

Run `python benchmarks/decide.py [--accounts 1000000]`. CPU time of the thread, best of five rounds. The light path is
what every request pays: JSON in, account, cohort, limits, verdict, JSON out. Beside it what a person would build it
from: the same body decoded and checked, and one token bucket in a dict.
"""

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from stillwatch.detection.findings.model import Verdict
from stillwatch.enforcement.model import DecideRequest
from stillwatch.enforcement.policy.load import parse_policy, standard_policy
from stillwatch.enforcement.policy.model import Policy
from stillwatch.enforcement.service import Service, Setup
from stillwatch.enforcement.state.known_texts import KnownTexts
from stillwatch.features.sketch import text_bands

_ROUNDS, _CALLS = 5, 20_000
_PROMPT = " ".join(f"word{number % 97} and its neighbour" for number in range(90))
_LIMITS = """
[[limit]]
id = "requests"
counts = "requests"
amount = 6000000000
per = "minute"
[[limit]]
id = "tokens"
counts = "tokens"
amount = 10000000000000
per = "minute"
[[rule]]
id = "fast"
action = "throttle"
mode = "enforce"
when.limits = ["requests", "tokens"]
"""
_TEMPLATES = """
[[limit]]
id = "templates"
counts = "unseen_templates"
amount = 1000000000
per = "hour"
[[rule]]
id = "many-templates"
action = "throttle"
when.limits = ["templates"]
"""


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--held", choices=sorted(_HELD), help="(internal) fill one process and print its memory")
    arguments = parser.parse_args()
    if arguments.held:
        print(json.dumps(_hold(arguments.held, arguments.accounts)))
        return
    print("| one decision | CPU us |\n|---|---|")
    for name, cost_us in _costs():
        print(f"| {name} | {cost_us:.1f} |")
    print(f"\n| {arguments.accounts:,} accounts | MiB | bytes each |\n|---|---|---|")
    empty = _measured("nothing", arguments.accounts)
    print(f"| a service that knows none | {empty / 2**20:.0f} | |")
    for name in _HELD:
        if name != "nothing":
            held = _measured(name, arguments.accounts) - empty
            print(f"| + {name} | {held / 2**20:.0f} | {held / arguments.accounts:.0f} |")


def _costs() -> list[tuple[str, float]]:
    body = _body()
    text = _body(prompt=_PROMPT)
    decoder, encode = msgspec.json.Decoder(DecideRequest), msgspec.json.Encoder().encode
    buckets: dict[str, tuple[float, float]] = {}

    def naive(number: int) -> None:
        account = decoder.decode(body).account_id or ""
        tokens, at = buckets.get(account, (100.0, 0.0))
        now = time.time()
        buckets[account] = (min(100.0, tokens + (now - at) * 100) - 1, now)
        encode({"action": "allow", "number": number})

    costs = [("JSON in, a token bucket in a dict, JSON out", _cost_us(naive))]
    for name, policy, known, sent in (
        ("light: standard policy", standard_policy(), False, body),
        ("light, with limits on requests and tokens", _policy(_LIMITS), False, body),
        ("heavy: the text of 2 kB met with known campaigns, unseen templates counted", _policy(_TEMPLATES), True, text),
    ):
        with tempfile.TemporaryDirectory() as directory:
            service = Service(Setup(data_dir=Path(directory), policy=policy, mode="enforce"), time.time)
            if known:
                service.decider.texts = KnownTexts([_verdict("x", text_bands(None, "another text")[0].tolist())], 0)

            def answer(_: int, service: Service = service, sent: bytes = sent) -> None:
                encode(service.decide(decoder.decode(sent), "native"))

            costs.append((name, _cost_us(answer)))
            service.close()
    return costs


def _cost_us(call: Callable[[int], None]) -> float:
    best = float("inf")
    for _ in range(_ROUNDS):
        gc.collect()
        begun = time.thread_time()
        for number in range(_CALLS):
            call(number)
        best = min(best, (time.thread_time() - begun) / _CALLS * 1e6)
    return best


def _policy(tables: str) -> Policy:
    return parse_policy(f'id = "bench"\nversion = "1"\n{tables}', "bench.toml")


def _body(prompt: str = "hello there") -> bytes:
    told = {"account_id": "account-17", "model": "large-1", "client_ip": "203.0.113.7", "user_agent": "client/1.0"}
    return json.dumps({**told, "max_tokens": 512, "operation": "chat", "prompt": prompt}).encode()


def _verdict(account: str, bands: list[int]) -> Verdict:
    hexes = [f"{band:016x}" for band in bands]
    return Verdict(
        account_id=account, action="watch", reason_code="r", ttl_s=86_400, campaign_id="cmp", template_bands=hexes
    )


def _count(service: Service, accounts: int) -> None:
    now_s = time.time()
    for number in range(accounts):
        service.decider.decide(DecideRequest(account_id=f"account-{number}", max_tokens=10), now_s)


def _count_templates(service: Service, accounts: int) -> None:
    now_s = time.time()
    for number in range(accounts):
        service.decider.decide(DecideRequest(account_id=f"account-{number}", prompt="one beginning"), now_s)


def _take_verdicts(service: Service, accounts: int) -> None:
    service.decider.standings.take((_verdict(f"account-{number}", []) for number in range(accounts)), time.time())


def _nothing(_service: Service, _accounts: int) -> None:
    """Hold what a service holds that was asked nothing."""


_HELD: dict[str, tuple[str, Callable[[Service, int], None]]] = {
    "nothing": (_LIMITS, _nothing),
    "two limits counted for each": (_LIMITS, _count),
    "unseen templates counted for each": (_TEMPLATES, _count_templates),
    "a verdict on each": (_LIMITS, _take_verdicts),
}


def _hold(name: str, accounts: int) -> int:
    """Fill a service and return the most that the process ever held, in bytes."""
    tables, fill = _HELD[name]
    with tempfile.TemporaryDirectory() as directory:
        service = Service(Setup(data_dir=Path(directory), policy=_policy(tables), mode="enforce"), time.time)
        fill(service, accounts)
        service.close()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _measured(name: str, accounts: int) -> int:
    command = [sys.executable, __file__, "--held", name, "--accounts", str(accounts)]
    done = subprocess.run(command, capture_output=True, check=True, env=os.environ)
    return int(json.loads(done.stdout))


if __name__ == "__main__":
    main()
