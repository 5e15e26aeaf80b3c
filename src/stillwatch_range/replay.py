"""Replays a run's window in time order: detection on what has arrived, verdicts in force from the next request on."""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from stillwatch.detection.findings.model import Verdict
from stillwatch.detection.inputs import DetectRequest
from stillwatch.detection.run import detect
from stillwatch.errors import UsageError
from stillwatch.features.edge import EXCHANGES, sketch_logs
from stillwatch.features.sketch import bands, minhash_matrix
from stillwatch.progress import StageClock
from stillwatch_range.gateway import Gateway, Ints, Levels

HOUR_US = 3_600_000_000
PASSAGE_SCHEMA = pa.schema(
    [
        ("exchange_id", pa.string()),
        ("account_id", pa.string()),
        ("ts_us", pa.int64()),
        ("by_account", pa.int8()),
        ("by_text", pa.int8()),
        ("by_text_warned", pa.int8()),
    ]
)
"""What became of each exchange, in order of time: what the verdict on its account did to it (a place in ACTIONS), what
its text did, and what its text did where another provider's indicators were known from the start."""


class Replayed(NamedTuple):
    """The passage of a window's exchanges (PASSAGE_SCHEMA), and how often detection ran."""

    passage: pa.Table
    runs: int


class _Configuration(msgspec.Struct):
    logs: list[str]
    history: list[str]
    accounts: str | None
    registry: str | None
    public_templates: str | None
    releases: str | None
    fpr: float
    memory: str | None
    seed: int
    log_format: str = msgspec.field(name="format")
    received: str | None = None


class _Run(msgspec.Struct):
    configuration: _Configuration


class Step(NamedTuple):
    """What arrives between two runs of detection."""

    path: Path
    end_us: int


def request_of(run_dir: Path) -> DetectRequest:
    """Return what a run was asked to look at.

    Raises:
        UsageError: the directory holds no finished run that says so.
    """
    try:
        asked = msgspec.json.decode((run_dir / "run.json").read_bytes(), type=_Run).configuration
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(
            f"{run_dir} does not say what its run looked at: {error}", hint="--no-replay scores the run alone"
        ) from error
    return DetectRequest(
        logs=[Path(log) for log in asked.logs],
        history=[Path(log) for log in asked.history],
        out=run_dir,
        accounts=_path(asked.accounts),
        registry=_path(asked.registry),
        public_templates=_path(asked.public_templates),
        releases=_path(asked.releases),
        received=_path(asked.received),
        log_format=asked.log_format,
        fpr=asked.fpr,
        memory=asked.memory,
        seed=asked.seed,
    )


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)


def request_for(logs: Path, out: Path, *, quiet: bool = True) -> DetectRequest:
    """Return the request that looks at what `range build` wrote into `logs`."""
    return DetectRequest(
        logs=[logs / "window"],
        history=[logs / "history"],
        accounts=logs / "accounts.jsonl",
        registry=logs / "registry.toml",
        releases=logs / "releases.toml",
        out=out,
        quiet=quiet,
    )


def replay(request: DetectRequest, step_hours: float, received: Iterable[Verdict] = ()) -> Replayed:
    """Run detection every `step_hours` on what has arrived by then, and tell what happens to each exchange.

    Args:
        request: the window and what lies beside it; its `out` is left alone.
        step_hours: time between two runs.
        received: verdicts of another provider.

    Raises:
        UsageError: a file is absent or wrong, or the step is not over 0.
    """
    with tempfile.TemporaryDirectory(prefix="stillwatch-replay-") as name:
        provider = Provider(request, Path(name), step_hours, received)
        steps = provider.cut(request.logs)
        passed = [PASSAGE_SCHEMA.empty_table()]
        with StageClock(quiet=request.quiet).stage("replay", total=len(steps)) as ticker:
            for step in steps:
                passed.append(provider.serve(step))
                if step is not steps[-1]:
                    provider.detect(step)
                ticker.advance(1)
    return Replayed(pa.concat_tables(passed), max(0, len(steps) - 1))


class Provider:
    """Serves traffic step by step under the verdicts of its own detection on what has arrived so far.

    What a verdict contains is in the log all the same: a gateway logs what it refuses. All runs of detection share one
    output directory, so that campaigns keep their names. Text is replaced by sketches once, as it comes in: detection
    on sketches is the same.
    """

    def __init__(self, request: DetectRequest, work: Path, step_hours: float, received: Iterable[Verdict] = ()) -> None:
        """See `replay` for the parameters; `work` is an empty directory that outlives the object."""
        if step_hours <= 0:
            raise UsageError(f"detection cannot run every {step_hours:g} hours", hint="give a number over 0")
        self._work, self._step_us, self._format = work, round(step_hours * HOUR_US), request.log_format
        self._own, self._warned = Gateway(), Gateway(received)
        self._arrived: list[Path] = []
        history = [self._without_text(request.history, "history")] if request.history else []
        self._asked = replace(request, history=history, out=work / "run", log_format="auto", quiet=True)

    def cut(self, logs: Sequence[Path]) -> list[Step]:
        """Cut logs at whole multiples of the step, each piece in order of time; empty pieces are left out."""
        return _cut(self._without_text(logs, f"from-{len(self._arrived)}"), self._work, self._step_us)

    def serve(self, step: Step) -> pa.Table:
        """Return what becomes of the exchanges of a step (PASSAGE_SCHEMA)."""
        self._arrived.append(step.path)
        return _pass(step.path, self._own, self._warned)

    def detect(self, step: Step) -> None:
        """Look at all that has arrived up to a step's end, and put the verdicts in force."""
        verdicts = detect(replace(self._asked, logs=self._arrived)).findings.verdicts
        for gateway in (self._own, self._warned):
            gateway.load(verdicts, step.end_us)

    def _without_text(self, logs: Sequence[Path], name: str) -> Path:
        sketch_logs(logs, self._work / name, log_format=self._format, quiet=True)
        return self._work / name / EXCHANGES


def _cut(window: Path, work: Path, step_us: int) -> list[Step]:
    exchanges = ds.dataset(window, format="parquet")
    numbers = set[int]()
    for batch in exchanges.to_batches(columns=["ts"]):
        numbers.update(np.unique(_microseconds(batch.column("ts")) // step_us).tolist())
    steps = []
    for number in sorted(numbers):
        first, end = (pa.scalar(edge * step_us, pa.timestamp("us", tz="UTC")) for edge in (number, number + 1))
        piece = exchanges.to_table(filter=(pc.field("ts") >= first) & (pc.field("ts") < end))
        path = work / f"step-{number}.parquet"
        pq.write_table(piece.sort_by([("ts", "ascending"), ("exchange_id", "ascending")]), path)
        steps.append(Step(path, (number + 1) * step_us))
    return steps


def _pass(path: Path, own: Gateway, warned: Gateway) -> pa.Table:
    table = pq.read_table(path, columns=["exchange_id", "account_id", "ts", "sketch"]).combine_chunks()
    ts_us = _microseconds(table.column("ts"))
    accounts = table.column("account_id")
    texts = table.column("sketch").chunk(0)
    columns = [
        table.column("exchange_id"),
        accounts,
        ts_us,
        own.by_account(accounts.to_pylist(), ts_us),
        _by_text(own, texts, ts_us),
        _by_text(warned, texts, ts_us),
    ]
    return pa.table(columns, schema=PASSAGE_SCHEMA)


def _by_text(gateway: Gateway, texts: pa.StructArray, ts_us: Ints) -> Levels:
    levels: Levels = np.zeros(len(texts), np.int8)
    rows = np.flatnonzero(texts.is_valid())
    if rows.size:
        minhash = minhash_matrix(texts.field("minhash"))[rows]
        levels[rows] = gateway.by_text(bands(minhash), ts_us[rows])
    return levels


def _microseconds(column: pa.ChunkedArray) -> Ints:
    return np.asarray(column.cast(pa.int64()))
