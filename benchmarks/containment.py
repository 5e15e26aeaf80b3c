"""How much is harvested before containment, and what a received indicator changes.

    .venv/bin/python benchmarks/containment.py --corpora ../shared/data/traffic --out benchmarks/containment.md

Each window is replayed in time order, with detection every `--step-hours` on what has arrived (see
stillwatch_range.containment), verdicts in force from the next request on.
"""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from cells import CONTAINMENT, ELSEWHERE, cells_of
from containment_document import document
from runs import Result, gather, material, parser, publish
from stillwatch.detection.findings.model import Verdict
from stillwatch.detection.run import detect
from stillwatch_range.catalogue import find_scenario
from stillwatch_range.containment import score_passage
from stillwatch_range.plan import Scenario
from stillwatch_range.replay import replay, request_for
from stillwatch_range.scenario import build_window
from stillwatch_range.truth import read_harvest

_SECOND_PROVIDER = 1000
"""Added to the seed, so that the second provider has other customers."""


def main() -> None:
    """Build, replay, score, print."""
    options = parser(__doc__)
    options.add_argument("--scenario", action="append", help=f"repeatable, `{ELSEWHERE}NAME` for two; default: all")
    options.add_argument("--step-hours", type=float, default=3.0, help="between two runs of detection")
    asked = options.parse_args()
    found = gather(asked, asked.scenario or cells_of(CONTAINMENT), partial(measure, step_hours=asked.step_hours))
    publish(asked, document(found))


def measure(corpora: Path, cell: str, seed: int, *, step_hours: float) -> Result:
    """Return the metrics of one replay; a cell of two providers also has them as they are with indicators."""
    with tempfile.TemporaryDirectory() as work:
        if not cell.startswith(ELSEWHERE):
            return _replayed(corpora, find_scenario(cell), seed, step_hours, Path(work))
        first, second, name = Path(work) / "first", Path(work) / "second", cell.removeprefix(ELSEWHERE)
        build_window(material(corpora), first, find_scenario(f"{name}+first"), seed)
        verdicts = detect(request_for(first, Path(work) / "run")).findings.verdicts
        warned = find_scenario(f"{name}+second")
        return _replayed(corpora, warned, seed + _SECOND_PROVIDER, step_hours, second, verdicts)


def _replayed(
    corpora: Path,
    scenario: Scenario,
    seed: int,
    step_hours: float,
    logs: Path,
    received: list[Verdict] | None = None,
) -> dict[str, Any]:
    truth = build_window(material(corpora), logs, scenario, seed)
    replayed = replay(request_for(logs, logs / "run"), step_hours, received or ())
    harvest = read_harvest(logs / "harvest_ids.jsonl.gz")
    return score_passage(truth, harvest, replayed, step_hours=step_hours, warned=received is not None)


if __name__ == "__main__":
    main()
