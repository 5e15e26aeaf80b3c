"""How much is harvested before containment, and what a received indicator changes.

    .venv/bin/python benchmarks/containment.py --corpora ../shared/data/traffic --seed 1 --seed 2 --out containment.md

Each window is replayed in time order, with detection every `--step-hours` on what has arrived (see
stillwatch_range.containment). Shares are medians of campaigns over all seeds, pooled shares have Clopper-Pearson 95 %
limits. The second table holds the same campaign at two providers: half of one work queue each, other customers, other
accounts; the second knows the bands of the first one's verdicts from the start.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from stillwatch.detection.findings.model import Verdict
from stillwatch.detection.run import detect
from stillwatch.errors import UsageError
from stillwatch_range.catalogue import TEMPLATED, UNTEMPLATED, find_scenario
from stillwatch_range.containment import score_passage
from stillwatch_range.corpora import read_corpora
from stillwatch_range.material import Material
from stillwatch_range.plan import Scenario
from stillwatch_range.replay import replay, request_for
from stillwatch_range.scenario import build_window
from stillwatch_range.scoring import rate
from stillwatch_range.truth import read_harvest

SCENARIOS = (
    *(f"{family}-{accounts}" for family in TEMPLATED for accounts in (200, 20, 6)),
    *(f"{family}-200" for family in UNTEMPLATED),
    *(f"{family}-1" for family in (*TEMPLATED, *UNTEMPLATED)),
)
SHARED = tuple(f"{family}-20" for family in TEMPLATED)
_SECOND_PROVIDER = 1000
"""Added to the seed, so that the second provider has other customers."""


_COUNTED: dict[str, tuple[str, ...]] = {
    "harvested, pooled": ("harvested_before_containment", "all"),
    "if accounts alone were held": ("harvested_before_containment", "all", "if_only_accounts_were_contained"),
    "fresh accounts known within 20": ("fresh_account_requests", "all", "within_20"),
    "ordinary accounts hit": ("innocents_contained", "benign", "accounts_ever"),
    "new customers hit": ("innocents_contained", "new_customer", "accounts_ever"),
    "their exchanges hit": ("innocents_contained", "new_customer", "exchanges"),
}
_HEAD = ["scenario", "harvested, median", "requests of a fresh account, median", *_COUNTED]


@dataclass(slots=True)
class Line:
    """One line of a table, gathered over seeds."""

    shares: list[float] = field(default_factory=list)
    fresh: list[float] = field(default_factory=list)
    hits: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTED, 0))
    of: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTED, 0))

    def add(self, metrics: dict[str, Any]) -> None:
        """Add one window's metrics; a median that is unknown counts as the longest."""
        self.shares += metrics["harvested_before_containment"]["per_campaign"].values()
        requests = metrics["fresh_account_requests"]["all"]
        if requests["accounts"]:
            middle = requests["median_of_accounts"]
            self.fresh.append(float("inf") if middle is None else middle)
        for name, path in _COUNTED.items():
            found: Any = metrics
            for key in path:
                found = found[key]
            self.hits[name] += found["hits"]
            self.of[name] += found["of"]

    def cells(self) -> list[str]:
        """Return the line's cells, rates with their limits."""
        share = f"{median(self.shares):.3f}" if self.shares else "-"
        fresh = f"{median(self.fresh):g}" if self.fresh else "-"
        return [share, fresh, *(_show(self.hits[name], self.of[name]) for name in _COUNTED)]


def main() -> None:
    """Build, replay, score, print."""
    options = _options()
    material = read_corpora(options.corpora)
    alone = _gather(options.scenario or SCENARIOS, options.seed, partial(_alone, material, options.step_hours))
    shared = _gather(options.shared or SHARED, options.seed, partial(_shared, material, options.step_hours))
    text = f"{_table(alone)}\n\n{_table(shared)}\n"
    print(text)
    if options.out is not None:
        options.out.write_text(text, "utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--scenario", action="append", help="of the first table, repeatable; default: all")
    parser.add_argument("--shared", action="append", help="of the second table, repeatable; default: all")
    parser.add_argument("--seed", type=int, action="append", required=True, help="repeatable")
    parser.add_argument("--step-hours", type=float, default=6.0)
    parser.add_argument("--out", type=Path, help="write the tables here too")
    return parser.parse_args()


def _gather(names: list[str], seeds: list[int], measure: Callable[[str, int], dict[str, Any]]) -> dict[str, Line]:
    """Return the lines of a table; `measure` returns metrics by the label of their line."""
    lines: dict[str, Line] = {}
    for name in names:
        for seed in seeds:
            try:
                measured = measure(name, seed)
            except UsageError as error:  # some corpora hold too little cover for some seeds
                print(f"{name}, seed {seed}: left out, {error.message}", file=sys.stderr, flush=True)
                continue
            for label, metrics in measured.items():
                lines.setdefault(label, Line()).add(metrics)
                print(f"{label}, seed {seed}: {lines[label].cells()}", file=sys.stderr, flush=True)
    return lines


def _alone(material: Material, step_hours: float, name: str, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as work:
        return {name: _replayed(material, find_scenario(name), seed, step_hours, Path(work))}


def _shared(material: Material, step_hours: float, name: str, seed: int) -> dict[str, Any]:
    """Let a campaign work off half of its queue at a first provider, and half at a second that has been warned."""
    with tempfile.TemporaryDirectory() as work:
        first, second = Path(work) / "first", Path(work) / "second"
        build_window(material, first, find_scenario(f"{name}+first"), seed)
        verdicts = detect(request_for(first, Path(work) / "run")).findings.verdicts
        warned = find_scenario(f"{name}+second")
        metrics = _replayed(material, warned, seed + _SECOND_PROVIDER, step_hours, second, verdicts)
    return {f"{name}, on its own": metrics, f"{name}, warned": metrics["with_indicators"]}


def _replayed(
    material: Material,
    scenario: Scenario,
    seed: int,
    step_hours: float,
    logs: Path,
    received: list[Verdict] | None = None,
) -> dict[str, Any]:
    truth = build_window(material, logs, scenario, seed)
    replayed = replay(request_for(logs, logs / "run"), step_hours, received or ())
    harvest = read_harvest(logs / "harvest_ids.jsonl.gz")
    return score_passage(truth, harvest, replayed, step_hours=step_hours, warned=received is not None)


def _show(hits: int, of: int) -> str:
    found = rate(hits, of)
    if found["value"] is None:
        return "-"
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"


def _table(lines: dict[str, Line]) -> str:
    rows = [_HEAD, ["---"] * len(_HEAD), *([label, *line.cells()] for label, line in lines.items())]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    main()
