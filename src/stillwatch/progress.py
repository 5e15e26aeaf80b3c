"""What a long run tells while it works (a bar on a terminal) and afterwards (seconds, rows and memory per stage)."""

import contextlib
import resource
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_SHOW_AFTER_S = 2.0


@dataclass(slots=True)
class Stage:
    """One stage of a run and what it cost.

    Attributes:
        wall_s: elapsed seconds.
        cpu_s: user + system seconds of this process and of children that have ended.
        peak_mib: peak resident memory of the process up to the end of the stage.
    """

    name: str
    rows: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_mib: int = 0

    @property
    def rows_per_s(self) -> int:
        """Rows per elapsed second, 0 where the stage counts none."""
        return round(self.rows / self.wall_s) if self.wall_s > 0 else 0


@dataclass(slots=True)
class StageClock:
    """Times the stages of a run, and shows a bar for each on standard error where a person is watching."""

    quiet: bool = False
    stages: list[Stage] = field(default_factory=list)

    @contextlib.contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator["Ticker"]:
        """Time one stage; the caller reports rows through the ticker that is yielded."""
        stage = Stage(name)
        self.stages.append(stage)
        started, cpu = time.perf_counter(), _cpu_seconds()
        ticker = Ticker(stage, total, shown=not self.quiet and sys.stderr.isatty())
        try:
            yield ticker
        finally:
            ticker.close()
            stage.wall_s = time.perf_counter() - started
            stage.cpu_s = _cpu_seconds() - cpu
            stage.peak_mib = _peak_mib()

    def as_records(self) -> list[dict[str, object]]:
        """Return the stages as plain records for run.json."""
        return [
            asdict(stage)
            | {
                "wall_s": round(stage.wall_s, 3),
                "cpu_s": round(stage.cpu_s, 3),
                "rows_per_s": stage.rows_per_s,
            }
            for stage in self.stages
        ]


class Ticker:
    """Counts rows of one stage and moves its bar, which appears by itself once the stage has taken two seconds.

    Work inside the query engine reports nothing until it is done; its bar shows that time passes.
    """

    def __init__(self, stage: Stage, total: int | None, *, shown: bool) -> None:
        self._stage = stage
        self._total = total
        self._bar: Progress | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(_SHOW_AFTER_S, self._show) if shown else None
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()

    def advance(self, rows: int) -> None:
        """Count `rows` more rows as done."""
        self._stage.rows += rows
        with self._lock:
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], completed=self._stage.rows)

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._timer is None:
            return
        self._timer.cancel()
        with self._lock:
            if self._bar is not None:
                self._bar.stop()
            self._timer = None

    def _show(self) -> None:
        with self._lock:
            if self._timer is None:
                return
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.add_task(self._stage.name, total=self._total, completed=self._stage.rows)
            self._bar.start()


def _cpu_seconds() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _peak_mib() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 1024 if sys.platform != "darwin" else peak / 1024**2)
