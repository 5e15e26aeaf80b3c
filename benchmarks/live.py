"""A live replay of a campaign through real gateways: what is harvested, whom it hits, what it costs.

    .venv/bin/python benchmarks/live.py --corpora ../shared/data/traffic --json out/live.json

The window's requests go over HTTP, in order of time and as fast as they are answered, through a gateway that asks a
real `stillwatch serve`, and beside it through an nginx that asks nobody, both in front of one model. After every
`--step-hours` of the window, what arrived is posted to /v1/exchanges, `detect` looks at all that has been posted, and
the service takes up its verdicts while it serves. Each way has a run of its own:

- nginx: the shipped snippets; it knows accounts and no texts
- dev-gateway: texts are read too, so that a campaign's text is met whoever sends it

Detection takes no time of the window, and throttles run on the real clock. Without --corpora the texts are invented.
"""

import argparse
import contextlib
import http.client
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

import pyarrow.parquet as pq

from live_peers import NGINX, STALE_S, Service, dev_gateway, model, nginx, serving
from runs import REPORTED_SEEDS
from stillwatch.detection.inputs import DetectRequest
from stillwatch.detection.run import detect
from stillwatch_range.catalogue import find_scenario
from stillwatch_range.replay import HOUR_US, request_for
from stillwatch_range.scenario import build_labelled_window
from stillwatch_range.truth import Truth, read_harvest

_PATH = "/v1/chat/completions"
_POST = 500
_ANSWERED = ("response", "reasoning", "output_tokens", "reasoning_tokens", "finish_reason", "latency_ms", "ttft_ms")
_LABELS = ("benign", "hard_negative")
_HEAD = (
    "| way | harvest before the first refusal | in all | benign refused | hard negatives refused |"
    " p50 ms, plain | p99 ms, plain |"
)

Row = dict[str, Any]


@dataclass(slots=True)
class Passage:
    """What became of the requests of one way.

    Attributes:
        statuses: by exchange, in order of time.
        gated_s, plain_s: seconds that each request took that passed, through the gateway and beside it.
        runs: how often detection ran.
    """

    statuses: dict[str, int] = field(default_factory=dict)
    gated_s: list[float] = field(default_factory=list)
    plain_s: list[float] = field(default_factory=list)
    runs: int = 0


def main() -> None:
    """Build the window, replay it each way, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, help="directory of corpora; without it, invented text")
    parser.add_argument("--scenario", default="evolinstruct-20", help="as `range build` takes it")
    parser.add_argument("--seed", type=int, default=REPORTED_SEEDS[0])
    parser.add_argument("--step-hours", type=float, default=6.0, help="of the window, between two runs of detection")
    parser.add_argument("--way", action="append", choices=sorted(_WAYS), help="repeatable; default: all")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    asked = parser.parse_args()
    if NGINX is None:
        sys.exit("there is no nginx: install it")
    with tempfile.TemporaryDirectory(prefix="stillwatch-live-") as name:
        window = Path(name) / "window"
        truth = build_labelled_window(asked.corpora, window, find_scenario(asked.scenario), asked.seed)
        found = {
            way: _figures(_replayed(way, window, Path(name) / way, asked.step_hours), truth, window)
            for way in asked.way or sorted(_WAYS)
        }
    table = _table(found)
    print(table)
    if asked.json is not None:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(
            json.dumps(
                {
                    "scenario": asked.scenario,
                    "seed": asked.seed,
                    "step_hours": asked.step_hours,
                    "corpora": asked.corpora is not None,
                    "ways": found,
                },
                indent=1,
            )
        )


@contextlib.contextmanager
def _by_nginx(service: Service, upstream: int, work: Path) -> Iterator[int]:
    with nginx(work / "nginx", service, upstream) as port:
        yield port


@contextlib.contextmanager
def _by_dev_gateway(service: Service, upstream: int, _work: Path) -> Iterator[int]:
    with dev_gateway(service, upstream) as port:
        yield port


_WAYS: dict[str, Callable[[Service, int, Path], contextlib.AbstractContextManager[int]]] = {
    "nginx": _by_nginx,
    "dev-gateway": _by_dev_gateway,
}


def _replayed(way: str, window: Path, work: Path, step_hours: float) -> Passage:
    """Send the window through one gateway, with detection between the steps."""
    work.mkdir()
    passage = Passage()
    verdicts = work / "run" / "verdicts.jsonl"
    with (
        serving(work / "data", verdicts, window) as service,
        model(work / "model") as peer,
        _WAYS[way](service, peer.model, work) as gated,
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", gated, timeout=30)) as through,
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", peer.plain, timeout=30)) as beside,
    ):
        asked = DetectRequest(**{**_settings(window, work / "run"), "logs": [work / "data" / "exchanges"]})
        steps = list(_steps(window, step_hours))
        for number, rows in enumerate(steps, 1):
            for row in rows:
                _send(row, through, beside, passage)
            for connection in (through, beside):
                connection.close()  # a server does not wait for as long as detection takes
            _post(rows, passage, service)
            if number < len(steps):
                detect(asked)
                passage.runs += 1
                _wait_until_taken(service, passage.runs)
            print(f"{way}: {number} of {len(steps)} steps", file=sys.stderr, flush=True)
    return passage


def _settings(window: Path, out: Path) -> dict[str, Any]:
    request = request_for(window, out)
    return {name: getattr(request, name) for name in request.__dataclass_fields__}


def _steps(window: Path, step_hours: float) -> Iterator[list[Row]]:
    """Yield the window's exchanges in order of time, cut at whole multiples of the step."""
    table = pq.read_table(window / "window").sort_by([("ts", "ascending"), ("exchange_id", "ascending")])
    step_us, rows, current = round(step_hours * HOUR_US), list[Row](), None
    for row in table.to_pylist():
        number = round(row["ts"].timestamp() * 1_000_000) // step_us
        if rows and number != current:
            yield rows
            rows = []
        current = number
        rows.append({name: value for name, value in row.items() if value is not None})
    if rows:
        yield rows


def _send(row: Row, through: http.client.HTTPConnection, beside: http.client.HTTPConnection, passage: Passage) -> None:
    """Send one request both ways, first one and then the other in turn, and note what became of it."""
    messages = [{"role": "user", "content": row.get("prompt", "")}]
    if "system" in row:
        messages.insert(0, {"role": "system", "content": row["system"]})
    body: Row = {"model": row["model"], "messages": messages}
    if "max_tokens" in row:
        body["max_tokens"] = row["max_tokens"]
    data, headers = json.dumps(body).encode(), {"Content-Type": "application/json", "X-Account": row["account_id"]}
    took: dict[http.client.HTTPConnection, float] = {}
    for connection in (through, beside) if len(passage.statuses) % 2 else (beside, through):
        started = time.perf_counter()
        connection.request("POST", _PATH, data, headers)
        answer = connection.getresponse()
        answer.read()
        took[connection] = time.perf_counter() - started
        if connection is through:
            passage.statuses[row["exchange_id"]] = answer.status
    if passage.statuses[row["exchange_id"]] == 200:
        passage.gated_s.append(took[through])
        passage.plain_s.append(took[beside])


def _post(rows: list[Row], passage: Passage, service: Service) -> None:
    """Tell the service of what has arrived, of refused requests too, as the gateway's log has them."""
    records = []
    for row in rows:
        status = passage.statuses[row["exchange_id"]]
        told = row if status == 200 else {name: value for name, value in row.items() if name not in _ANSWERED}
        records.append({**told, "ts": row["ts"].isoformat(), "status": status})
    headers = {"Authorization": f"Bearer {service.token}"}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)) as connection:
        for start in range(0, len(records), _POST):
            connection.request("POST", "/v1/exchanges", json.dumps(records[start : start + _POST]).encode(), headers)
            answer = connection.getresponse()
            told = json.loads(answer.read())
            if answer.status != 202 or told["rejected"]:
                raise RuntimeError(f"exchanges were not taken: {answer.status} {told}")


def _wait_until_taken(service: Service, runs: int) -> None:
    """Wait until the service has taken up the verdicts of so many runs, and nginx asks again."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)) as connection:
        for _ in range(600):
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
            if f'stillwatch_verdict_files_total{{outcome="loaded"}} {runs:.1f}' in text:
                time.sleep(STALE_S)
                return
            time.sleep(0.05)
    raise TimeoutError("the verdicts were not taken up")


def _figures(passage: Passage, truth: Truth, window: Path) -> dict[str, Any]:
    harvest = read_harvest(window / "harvest_ids.jsonl.gz")
    rows = pq.read_table(window / "window", columns=["exchange_id", "account_id"]).to_pydict()
    account_of = dict(zip(rows["exchange_id"], rows["account_id"], strict=True))
    statuses = [(one, status) for one, status in passage.statuses.items() if one in harvest]
    first = next((place for place, (_, status) in enumerate(statuses) if status != 200), len(statuses))
    refused = [account_of[one] for one, status in passage.statuses.items() if status != 200]
    figures: dict[str, Any] = {
        "requests": len(passage.statuses),
        "runs_of_detection": passage.runs,
        "harvest": len(statuses),
        "harvested_before_first_refusal": first,
        "harvested": sum(status == 200 for _, status in statuses),
        "throttled": sum(status == 429 for status in passage.statuses.values()),
    }
    for label in _LABELS:
        group = [account for account in refused if truth.accounts[account].label == label]
        sent = [account for account in account_of.values() if truth.accounts[account].label == label]
        figures[label] = {
            "requests": len(sent),
            "refused": len(group),
            "accounts": len(set(sent)),
            "accounts_refused": len(set(group)),
        }
    figures["latency_ms"] = {
        "gated": _percentiles(passage.gated_s),
        "plain": _percentiles(passage.plain_s),
        "over_20": sum(seconds > 0.02 for seconds in passage.gated_s),
    }
    return figures


def _percentiles(seconds: list[float]) -> dict[str, float]:
    cuts = quantiles(seconds, n=100)
    return {"p50": round(1000 * cuts[49], 3), "p99": round(1000 * cuts[98], 3)}


def _table(found: dict[str, dict[str, Any]]) -> str:
    lines = [_HEAD, re.sub(r"[^|]+", "---", _HEAD)]
    for way, one in found.items():
        hit = [
            f"{one[label]['refused']:,} of {one[label]['requests']:,} ({one[label]['accounts_refused']} accounts)"
            for label in _LABELS
        ]
        times = [f"{one['latency_ms']['gated'][p]:.2f}, {one['latency_ms']['plain'][p]:.2f}" for p in ("p50", "p99")]
        shares = [
            f"{one[name] / max(1, one['harvest']):.3f}" for name in ("harvested_before_first_refusal", "harvested")
        ]
        lines.append("| " + " | ".join([way, *shares, *hit, *times]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
