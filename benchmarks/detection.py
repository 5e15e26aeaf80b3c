"""Detection on labelled windows of real prompts, beside what a provider would reach for first.

    .venv/bin/python benchmarks/detection.py --corpora ../shared/data/traffic --out benchmarks/detection.md

measures every cell of the table with five seeds. Thresholds of the baselines are set on the benign accounts of the
history at a false positive rate of 1e-2, and reported on the window.
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from baselines import (
    flag_by_isolation_forest,
    flag_by_kernel_test,
    flag_by_linkage,
    flag_by_volume,
    read_features,
)
from cells import DETECTION, cells_of
from detection_document import document
from kernel_test import read_prompts, window_p_value
from lines import OURS
from linkage import cluster_sizes
from runs import Result, gather, material, parser, publish
from stillwatch.detection.run import detect
from stillwatch_range.catalogue import find_scenario
from stillwatch_range.replay import request_for
from stillwatch_range.scenario import build_window
from stillwatch_range.scoring import score, score_findings
from stillwatch_range.truth import Truth


def main() -> None:
    """Build, run, score, print."""
    options = parser(__doc__)
    options.add_argument("--scenario", action="append", help="repeatable; default: all of the table")
    options.add_argument("--no-baselines", action="store_true", help="stillwatch alone, in half the time")
    asked = options.parse_args()
    found = gather(asked, asked.scenario or cells_of(DETECTION), partial(measure, baselines=not asked.no_baselines))
    publish(asked, document(found))


def measure(corpora: Path, scenario: str, seed: int, *, baselines: bool) -> Result:
    """Return what was planted in one window, and each method's metrics and seconds."""
    with tempfile.TemporaryDirectory() as name:
        logs, run = Path(name) / "logs", Path(name) / "run"
        truth = build_window(material(corpora), logs, find_scenario(scenario), seed)
        started = time.perf_counter()
        detect(request_for(logs, run))
        seconds = time.perf_counter() - started
        methods = {OURS: {"metrics": score(logs / "truth.json", run), "seconds": round(seconds, 2)}}
        alarm = None
        if baselines:
            others, alarm = _baselines(logs, truth, seed)
            methods |= others
    return {"campaigns": truth.campaigns, "methods": methods, "kernel_test_p_value": alarm}


def _baselines(logs: Path, truth: Truth, seed: int) -> tuple[dict[str, Any], float]:
    """Return the methods' metrics, and the p-value of a kernel test of the whole window."""
    history, window = read_features(logs / "history"), read_features(logs / "window")
    methods = {}

    def benign(name: str) -> bool:
        return name not in truth.accounts or truth.accounts[name].label == "benign"

    def measured(method: str, flag: Callable[[], set[str]]) -> None:
        started = time.perf_counter()
        flagged = dict.fromkeys(flag(), "throttle")
        seconds = time.perf_counter() - started
        methods[method] = {"metrics": score_findings(truth, flagged, []), "seconds": round(seconds, 2)}

    measured("volume", lambda: flag_by_volume(history, window, benign))
    measured("IsolationForest", lambda: flag_by_isolation_forest(history, window, benign, seed))
    measured("metadata linkage", lambda: flag_by_linkage(cluster_sizes(logs), history, window, benign))
    started = time.perf_counter()
    earlier, later = read_prompts(logs, seed)
    embedded = time.perf_counter() - started
    measured("kernel test", lambda: flag_by_kernel_test(earlier, later, benign))
    methods["kernel test"]["seconds"] += round(embedded, 2)
    return methods, window_p_value(earlier, later, seed)


if __name__ == "__main__":
    main()
