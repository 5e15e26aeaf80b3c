"""One line of a table of windows: what all seeds of one cell came to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from runs import Found, Result
from tables import Pooled

OURS = "stillwatch"
"""The method that is measured; the others are baselines."""


@dataclass(slots=True)
class Line:
    """The windows of one scenario, and the seeds that made none, with the reason."""

    cell: str
    windows: list[Result] = field(default_factory=list)
    left_out: dict[int, str] = field(default_factory=dict)

    def metrics(self, method: str = OURS) -> list[dict[str, Any]]:
        """Return one method's metrics, window by window."""
        return [window["methods"][method]["metrics"] for window in self.windows]

    def pooled(self, *path: str, method: str = OURS) -> Pooled:
        """Sum the rate at a path of the metrics."""
        return Pooled.over(_at(metrics, path) for metrics in self.metrics(method))

    def fragments(self) -> list[int]:
        """Return in how many pieces each campaign was found; 0 = not at all."""
        return [pieces for metrics in self.metrics() for pieces in metrics["campaign_fragments"].values()]

    def false_harvests(self) -> list[int]:
        """Return how many harvests were reported in each window that are none."""
        return [metrics["false_campaigns"] for metrics in self.metrics()]


def by_cell(found: Sequence[Found]) -> dict[str, Line]:
    """Gather lines, in the order of the results."""
    lines: dict[str, Line] = {}
    for one in found:
        line = lines.setdefault(one.cell, Line(one.cell))
        if one.result is None:
            line.left_out[one.seed] = one.left_out or ""
        else:
            line.windows.append(one.result)
    return lines


def _at(metrics: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    found = metrics
    for key in path:
        found = found[key]
    return found
