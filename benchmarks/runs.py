"""Measures cells of a table in a pool of processes, and keeps what was found, so that tables can be written anew.

A cell is one line of a table, such as a scenario's name; it is measured once per seed. Each measurement has a process
of the pool to itself and one thread for linear algebra, so that what is found does not depend on the pool's size.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec

from stillwatch.errors import UsageError
from stillwatch_range.corpora import read_corpora
from stillwatch_range.material import Material

REPORTED_SEEDS = (71, 72, 73, 74, 75)
"""No threshold was chosen on these; development has seeds 1 to 3, 11 to 13, 51 to 55, 61 to 65 and 101 to 115."""

Result = dict[str, Any]
Measure = Callable[[Path, str, int], Result]
"""Measures one cell with one seed, from a directory of corpora. Must be importable by the processes of the pool."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one cell and seed came to.

    Attributes:
        result: as the measurement returned it; None where there could be no window.
        left_out: why there is none.
        seconds: wall time of the measurement.
        day: when it was made.
        code: the commit that it was made with.
        machine: where.
    """

    cell: str
    seed: int
    seconds: float
    day: str
    code: str
    machine: str
    result: Result | None = None
    left_out: str | None = None


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that all measurements have."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--corpora", type=Path, help="directory of corpora; needed unless --from")
    seeds = ", ".join(map(str, REPORTED_SEEDS))
    options.add_argument("--seed", type=int, action="append", help=f"repeatable; default: {seeds}")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes; default: one per core")
    options.add_argument(
        "--json", type=Path, help="keep what is found here, a line for each cell and seed, as it comes"
    )
    options.add_argument("--resume", action="store_true", help="measure only what the file of --json lacks; same code")
    options.add_argument("--from", dest="source", type=Path, help="measure nothing: write the document from this file")
    options.add_argument("--out", type=Path, help="write the document here too")
    return options


def gather(options: argparse.Namespace, cells: Iterable[str], measure: Measure) -> list[Found]:
    """Return what is found in all cells, cell by cell and seed by seed; or what a file holds, with `--from`."""
    if options.source is not None:
        return _read(options.source)
    if options.corpora is None:
        sys.exit("name the corpora with --corpora, or a file of earlier results with --from")
    seeds = options.seed or REPORTED_SEEDS
    asked = [(cell, seed) for cell in dict.fromkeys(cells) for seed in seeds]
    known = _read(options.json) if options.resume and options.json.exists() else []
    if options.json is not None and not known:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_bytes(b"")
    have = {(found.cell, found.seed): found for found in known}
    missing = [one for one in asked if one not in have]
    for number, found in enumerate(_measured(options, missing, measure), 1):
        have[found.cell, found.seed] = found
        if options.json is not None:
            with options.json.open("ab") as lines:
                lines.write(msgspec.json.encode(found) + b"\n")
        outcome = f"left out, {found.left_out}" if found.left_out else f"{found.seconds:.0f} s"
        print(f"{number} of {len(missing)}: {found.cell}, seed {found.seed}: {outcome}", file=sys.stderr, flush=True)
    return [have[one] for one in asked]


def made(found: Sequence[Found]) -> str:
    """Say with what and when results were made, for a document's introduction."""
    days = sorted({one.day for one in found})
    seeds = sorted({one.seed for one in found})
    return (
        f"Measured on {' to '.join(dict.fromkeys([days[0], days[-1]]))} with seeds {', '.join(map(str, seeds))}, "
        f"code of {' and '.join(sorted({one.code for one in found}))}, "
        f"on {' and '.join(sorted({one.machine for one in found}))}. "
        f"{len(found):,} measurements took {sum(one.seconds for one in found) / 3600:.1f} hours of one process."
    )


def publish(options: argparse.Namespace, text: str) -> None:
    """Print a document and write it where `--out` says."""
    print(text)
    if options.out is not None:
        options.out.write_text(text, "utf-8")


@lru_cache(maxsize=1)
def material(corpora: Path) -> Material:
    """Return the corpora, which each process reads once."""
    return read_corpora(corpora)


def _measured(options: argparse.Namespace, asked: list[tuple[str, int]], measure: Measure) -> Iterable[Found]:
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    code = _code()
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_one, options.corpora, cell, seed, code, measure) for cell, seed in asked]
        try:
            for done in as_completed(waiting):
                yield done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _one(corpora: Path, cell: str, seed: int, code: str, measure: Measure) -> Found:
    started, result, left_out = time.perf_counter(), None, None
    try:
        result = msgspec.to_builtins(measure(corpora, cell, seed))  # the same here as read from a file
    except UsageError as error:  # some corpora hold too little cover for some seeds
        left_out = error.message
    return Found(
        cell=cell,
        seed=seed,
        seconds=round(time.perf_counter() - started, 2),
        day=datetime.now(UTC).date().isoformat(),
        code=code,
        machine=f"{os.cpu_count()} {platform.machine()} cores, Python {platform.python_version()}",
        result=result,
        left_out=left_out,
    )


def _read(path: Path) -> list[Found]:
    return [msgspec.json.decode(line, type=Found) for line in path.read_bytes().splitlines()]


def _code() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "an unknown commit"
