"""Detection on labelled windows of real prompts, beside what a provider would reach for first.

    .venv/bin/python benchmarks/detection.py --corpora ../shared/data/traffic --seed 1 --seed 2 --out detection.md

Thresholds of the baselines are set on the benign accounts of the history at a false positive rate of 1e-2, and
reported on the window. Rates are pooled over seeds, with Clopper-Pearson 95 % limits.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baselines import (
    FALSE_POSITIVE_RATE,
    flag_by_isolation_forest,
    flag_by_kernel_test,
    flag_by_linkage,
    flag_by_volume,
    read_features,
)
from kernel_test import read_prompts, window_p_value
from linkage import cluster_sizes
from stillwatch.errors import UsageError
from stillwatch_range.catalogue import SPLITS, TEMPLATED, UNTEMPLATED, find_scenario
from stillwatch_range.corpora import read_corpora
from stillwatch_range.material import Material
from stillwatch_range.scenario import build_window
from stillwatch_range.scoring import rate, score, score_findings
from stillwatch_range.truth import Truth

SCENARIOS = (
    *(f"{family}-{accounts}" for family in TEMPLATED for accounts in SPLITS),
    *(f"{family}-20+mix{percent}" for family in TEMPLATED for percent in (0, 80)),
    *("combined", "combined+apart", "combined+bare", "combined+known", "combined+keys", "combined+drift"),
    *("quiet", "quiet+known", "quiet+drift"),
    *(f"{family}-200" for family in UNTEMPLATED),
)
METHODS = ("stillwatch", "volume", "IsolationForest", "kernel test", "metadata linkage")
_RATES = {
    "account recall": ("account_recall", "all"),
    "account FPR": ("account_fpr",),
    "hard negatives flagged": ("hard_negative_flagged", "all"),
    "new customers challenged": ("new_customer_challenged",),
    "new customers blocked": ("new_customer_blocked",),
    "drift flagged": ("drift_flagged",),
    "campaigns found": ("campaign_recall", "all"),
    "purity": ("campaign_purity", "all"),
}


@dataclass(slots=True)
class Line:
    """One line of the table: one method on one scenario, summed over seeds."""

    hits: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_RATES, 0))
    of: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_RATES, 0))
    fragments: int = 0
    false_campaigns: int = 0
    seconds: float = 0.0

    def add(self, metrics: dict[str, Any], seconds: float) -> None:
        """Add one window's metrics."""
        for name, path in _RATES.items():
            value: Any = metrics
            for key in path:
                value = value[key]
            self.hits[name] += value["hits"]
            self.of[name] += value["of"]
        self.fragments = max(self.fragments, *metrics["campaign_fragments"].values(), 0)
        self.false_campaigns += metrics["false_campaigns"]
        self.seconds += seconds

    def cells(self) -> list[str]:
        """Return the line's cells, rates with their limits."""
        shown = [_show(self.hits[name], self.of[name]) for name in _RATES]
        return [*shown, str(self.fragments), str(self.false_campaigns), f"{self.seconds:.1f}"]


def main() -> None:
    """Build, run, score, print."""
    options = _options()
    material = read_corpora(options.corpora)
    lines: list[tuple[str, str, Line]] = []
    kinds: dict[str, dict[str, int]] = {}
    alarms: dict[str, list[float]] = {}
    for scenario in options.scenario or SCENARIOS:
        own = {method: Line() for method in METHODS}
        for seed in options.seed or [1]:
            try:
                found = _one_window(material, scenario, seed, own, kinds)
                alarms.setdefault(scenario, []).append(found)
            except UsageError as error:  # some corpora hold too little cover for some seeds
                print(f"{scenario}, seed {seed}: left out, {error.message}", file=sys.stderr, flush=True)
        lines.extend((scenario, method, line) for method, line in own.items())
        print(f"{scenario}: {own['stillwatch'].cells()}", file=sys.stderr, flush=True)
    table = f"{_table(lines, kinds)}\n{_alarm_table(alarms)}\n"
    print(table)
    if options.out is not None:
        options.out.write_text(table, "utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--scenario", action="append", help="repeatable; default: all of the table")
    parser.add_argument("--seed", type=int, action="append", help="repeatable; default: 1")
    parser.add_argument("--out", type=Path, help="write the table here too")
    return parser.parse_args()


def _one_window(
    material: Material, scenario: str, seed: int, lines: dict[str, Line], kinds: dict[str, dict[str, int]]
) -> float:
    """Add one window to the lines and the kinds; return the p-value of a kernel test of the whole window."""
    with tempfile.TemporaryDirectory() as name:
        logs, run = Path(name) / "logs", Path(name) / "run"
        truth = build_window(material, logs, find_scenario(scenario), seed)
        started = time.perf_counter()
        _detect(logs, run)
        metrics = score(logs / "truth.json", run)
        lines["stillwatch"].add(metrics, time.perf_counter() - started)
        for cohort, counts in metrics["hard_negative_kinds"].items():
            for kind, accounts in counts.items():
                kinds.setdefault(cohort, {}).setdefault(kind, 0)
                kinds[cohort][kind] += accounts
        return _run_baselines(logs, truth, seed, lines)


def _detect(logs: Path, run: Path) -> None:
    command: list[str | Path] = [sys.executable, "-m", "stillwatch", "detect", logs / "window", "--out", run]
    for option in ("history", "accounts.jsonl", "registry.toml", "releases.toml"):
        command += [f"--{option.partition('.')[0]}", logs / option]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{logs}: detection ended with status {done.returncode}\n{done.stderr}")


def _run_baselines(logs: Path, truth: Truth, seed: int, lines: dict[str, Line]) -> float:
    history, window = read_features(logs / "history"), read_features(logs / "window")

    def benign(name: str) -> bool:
        return name not in truth.accounts or truth.accounts[name].label == "benign"

    def measure(method: str, flag: Callable[[], set[str]]) -> None:
        started = time.perf_counter()
        flagged = flag()
        lines[method].add(_score_flags(truth, flagged), time.perf_counter() - started)

    measure("volume", lambda: flag_by_volume(history, window, benign))
    measure("IsolationForest", lambda: flag_by_isolation_forest(history, window, benign, seed))
    measure("metadata linkage", lambda: flag_by_linkage(cluster_sizes(logs), history, window, benign))
    started = time.perf_counter()
    earlier, later = read_prompts(logs, seed)
    flagged = flag_by_kernel_test(earlier, later, benign)
    lines["kernel test"].add(_score_flags(truth, flagged), time.perf_counter() - started)
    return window_p_value(earlier, later, seed)


def _score_flags(truth: Truth, flagged: set[str]) -> dict[str, Any]:
    return score_findings(truth, dict.fromkeys(flagged, "throttle"), [])


def _show(hits: int, of: int) -> str:
    found = rate(hits, of)
    if found["value"] is None:
        return "-"
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"


def _table(lines: list[tuple[str, str, Line]], kinds: dict[str, dict[str, int]]) -> str:
    head = ["scenario", "method", *_RATES, "fragments (most)", "false harvests", "s (sum)"]
    rows = [head, ["---"] * len(head), *([name, method, *line.cells()] for name, method, line in lines)]
    text = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    verdicts = [
        f"| {cohort} | {', '.join(f'{kind} {accounts}' for kind, accounts in sorted(counts.items()))} |"
        for cohort, counts in sorted(kinds.items())
    ]
    return "\n".join(
        [text, "", "| hard negative | kind of the finding it stands in: accounts |", "|---|---|", *verdicts, ""]
    )


def _alarm_table(alarms: dict[str, list[float]]) -> str:
    """Return in how many windows a kernel test of the whole window would raise the alarm; it names no account."""
    rows = [["scenario", f"windows in which the kernel test alarms, p <= {FALSE_POSITIVE_RATE:g}"], ["---", "---"]]
    rows += [
        [scenario, f"{sum(p_value <= FALSE_POSITIVE_RATE for p_value in p_values)} of {len(p_values)}"]
        for scenario, p_values in alarms.items()
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    main()
