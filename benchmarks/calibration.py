"""Declared against realised false positive rate, segment by segment, when it is drawn by lot who calibrates.

    .venv/bin/python benchmarks/calibration.py --corpora ../shared/data/traffic --out benchmarks/calibration.md

A window without a campaign and without heavy uses, and the history before it, hold honest accounts only. Each
resampling draws two sets of them that share no account, fits and calibrates everything on the first as a run of
detection does, and counts in each segment how many accounts of the second have a p-value within the declared rate.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import betabinom

from calibration_document import ACCOUNT, BY_LOT, IN_TIME, Count, document
from runs import Result, gather, material, parser, publish
from stillwatch.detection.calibration import MIN_SEGMENT, Calibrated, calibrate
from stillwatch.detection.inputs import read_beside
from stillwatch.detection.periods import load_population, read_periods
from stillwatch.detection.population import Floats, Population
from stillwatch.features.engine import Engine
from stillwatch.progress import StageClock
from stillwatch_range.catalogue import find_scenario
from stillwatch_range.replay import request_for
from stillwatch_range.scenario import build_labelled_window, build_window

RESAMPLINGS = 40
"""For each seed: 200 with five seeds."""
LEVELS = (0.05, 0.01, 0.001)
_REAL, _INVENTED = "real prompts, 750 accounts a week", "invented prompts, 20,000 accounts a week"
_SCENARIOS = {_REAL: "quiet+benign750", _INVENTED: "quiet+benign20000"}
_CELLS = tuple(f"{texts}, {order}" for texts in _SCENARIOS for order in (BY_LOT, IN_TIME))
_OUTSIDE = 0.025
"""Chance of a count below its limits, and of one above."""

Mask = npt.NDArray[np.bool_]


def main() -> None:
    """Build, resample, count, print."""
    options = parser(__doc__)
    options.add_argument("--cell", action="append", choices=_CELLS, help="repeatable; default: all")
    options.add_argument("--resamplings", type=int, default=RESAMPLINGS, help=f"for each seed; default: {RESAMPLINGS}")
    asked = options.parse_args()
    found = gather(asked, asked.cell or _CELLS, partial(measure, resamplings=asked.resamplings))
    publish(asked, document(found))


def measure(corpora: Path, cell: str, seed: int, *, resamplings: int) -> Result:
    """Return the counts of all resamplings of one pair of weeks."""
    texts, order = cell.rsplit(", ", 1)
    scenario = msgspec.structs.replace(find_scenario(_SCENARIOS[texts]), hard_negatives="none")
    with tempfile.TemporaryDirectory() as name:
        logs = Path(name) / "logs"
        if texts == _REAL:
            build_window(material(corpora), logs, scenario, seed)
        else:
            build_labelled_window(None, logs, scenario, seed)
        everybody, records = _load(logs, Path(name))
        present = set(pq.read_table(logs / "window", columns=["account_id"]).column("account_id").unique().to_pylist())
        later = np.array([account in present for account in everybody.ids])
        rng = np.random.default_rng(seed)
        counts = []
        for number in range(resamplings):
            lot = rng.permutation(len(everybody)) % 2 == 0
            pair = (lot, ~lot) if order == BY_LOT else (lot & ~later, lot & later)
            reference, judged = (_part(everybody, chosen) for chosen in pair)
            counts += list(_counts(calibrate(judged, reference, records, LEVELS[-1]), number))
    return {"counts": counts}


def _load(logs: Path, work: Path) -> tuple[Population, pa.Table]:
    """Return the accounts of both weeks as one population, and the account records."""
    request = replace(request_for(logs, work / "out"), logs=[logs / "history", logs / "window"], history=())
    clock = StageClock(quiet=True)
    with Engine.open(memory=None, spill=work / "spill") as engine:
        dataset = read_periods(request, work, clock).window
        return load_population(engine, dataset, work, clock, "both"), read_beside(request).accounts


def _part(population: Population, chosen: Mask) -> Population:
    rows = np.flatnonzero(chosen[population.row_account])
    return Population.of(population.table.filter(pa.array(chosen)), population.store.part(rows), population.fields)


def _counts(calibrated: Calibrated, resampling: int) -> Iterator[Count]:
    """Count, for each segment and level, the accounts within the level; segments too small to reach it are left out."""
    sizes = {row.segment: row.accounts for row in calibrated.table}
    assessable = [name for name, p_values in calibrated.by_signal.items() if not np.isnan(p_values).all()]
    tests = [(name, calibrated.by_signal[name], 1) for name in assessable]
    for segment in np.unique(calibrated.segment):
        inside = calibrated.segment == segment
        size = sizes.get(segment, 0)
        if size < MIN_SEGMENT // 2:
            continue  # such a segment is calibrated on everybody
        for name, p_values, parts in (*tests, (ACCOUNT, calibrated.p_value, len(assessable))):
            for level in LEVELS:
                if int(level / parts * (size + 1) + 1e-9):
                    yield _count(p_values[inside], (resampling, str(segment), name), level, parts, size)


def _count(p_values: Floats, where: tuple[int, str, str], level: float, parts: int, calibrated: int) -> Count:
    """Count the p-values within a level, beside the limits of the count where both halves are finite.

    With r of n + 1 ranks within the level, a count of m is beta-binomial (m; r, n + 1 - r). The smallest of several
    p-values times their number is within it at least as often as one of them, at most as often as all together.
    """
    resampling, segment, test = where
    ranks, judged = int(level / parts * (calibrated + 1) + 1e-9), p_values.size
    most = ranks * parts
    return Count(
        resampling=resampling,
        segment=segment,
        test=test,
        level=level,
        calibrated=calibrated,
        judged=judged,
        hits=int((p_values <= level).sum()),
        low=int(betabinom.ppf(_OUTSIDE, judged, ranks, calibrated + 1 - ranks)),
        high=int(betabinom.ppf(1 - _OUTSIDE, judged, most, calibrated + 1 - most)),
    )


if __name__ == "__main__":
    main()
