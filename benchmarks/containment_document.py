"""Writes what replays found as a page: targets, a section per kind of campaign, innocents that were hit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from statistics import median
from typing import Any

from cells import BANNED_REPLAY, CONTAINMENT, FRAMED_REPLAY, SINGLE_REPLAY, TWO_PROVIDERS, UNFRAMED_REPLAY, Section
from runs import Found, made
from tables import NOTHING, Pooled, Target, markdown, short, target_table

_HEAD = (
    *("scenario", "harvested, median (range)", "pooled", "if accounts alone were held"),
    *("requests of a fresh account, median", "fresh accounts known within 20"),
    *("ordinary accounts hit", "new customers hit", "their exchanges hit"),
)
_INTRODUCTION = """\
# Harvested before containment

Written by `python benchmarks/containment.py --corpora DIR --out benchmarks/containment.md`. {made}

Each window of a week is replayed in time order, with detection every {step:g} hours on what has arrived. A verdict of
throttle or harder holds back what it names, an account or a text, from the next request on. Windows are those of
[detection](detection.md), and so are the caveats: thresholds are of other seeds, not of other corpora. Medians are of
campaigns over seeds; brackets are Clopper-Pearson 95 % limits and take the exchanges of one campaign for independent,
so they are too narrow. A fresh account is one that comes after something of its campaign was held back; "never" where
half of them were never recognised.
"""


@dataclass(slots=True)
class Replays:
    """The replays of one line: metrics of each seed."""

    windows: list[dict[str, Any]] = field(default_factory=list)

    def shares(self) -> list[float]:
        """Return the part of each campaign's harvest that got through."""
        parts = [window["harvested_before_containment"]["per_campaign"].values() for window in self.windows]
        return [share for part in parts for share in part if share is not None]

    def fresh(self) -> list[float]:
        """Return, for each window with fresh accounts, how many requests the middle one made; inf = never known."""
        found = [window["fresh_account_requests"]["all"] for window in self.windows]
        middles = [one["median_of_accounts"] for one in found if one["accounts"]]
        return [inf if middle is None else middle for middle in middles]

    def pooled(self, *path: str) -> Pooled:
        """Sum the rate at a path of the metrics."""
        rates = []
        for window in self.windows:
            rates.append(window)
            for key in path:
                rates[-1] = rates[-1][key]
        return Pooled.over(rates)


def document(found: Sequence[Found]) -> str:
    """Return the page."""
    lines: dict[str, Replays] = {}
    for one in found:
        if one.result is None:
            continue
        line = lines.setdefault(one.cell, Replays())
        line.windows.append(one.result)
        if "with_indicators" in one.result:
            lines.setdefault(_warned(one.cell), Replays()).windows.append(one.result["with_indicators"])
    steps = {one.result["replay"]["step_hours"] for one in found if one.result}
    named = {cell for section in CONTAINMENT for cell in section.cells}
    others = tuple(dict.fromkeys(one.cell for one in found if one.cell not in named))
    sections = (*CONTAINMENT, Section("Others", "Scenarios that are not of the table.", others))
    left_out = [f"- {one.cell}, seed {one.seed}: no window, {one.left_out}." for one in found if one.left_out]
    return "\n".join(
        [
            _INTRODUCTION.format(made=made(found), step=max(steps, default=0)),
            "## Targets\n",
            target_table(_targets(lines)),
            "",
            *(_section(section, lines) for section in sections if any(cell in lines for cell in section.cells)),
            *left_out,
        ]
    )


def _warned(cell: str) -> str:
    return f"{cell}, warned"


def _targets(lines: dict[str, Replays]) -> list[Target]:
    def harvested(wanted: str, section: Section, bound: float) -> Target:
        shares = {cell: lines[cell].shares() for cell in section.cells if cell in lines}
        return _median_target(f"harvested, median: {wanted} <= {short(bound, 2)}", shares, bound)

    fresh = {cell: lines[cell].fresh() for cell in BANNED_REPLAY.cells if cell in lines}
    return [
        harvested("templated", FRAMED_REPLAY, 0.05),
        harvested("untemplated", UNFRAMED_REPLAY, 0.25),
        harvested("a single account", SINGLE_REPLAY, 0.02),
        _median_target("recognised after a ban, median of a fresh account's requests <= 20", fresh, 20),
    ]


def _median_target(wanted: str, values: dict[str, list[float]], bound: float) -> Target:
    every = [value for found in values.values() for value in found]
    if not every:
        return Target(wanted, NOTHING, None)
    middles = {cell: median(found) for cell, found in values.items() if found}
    worst = max(middles, key=lambda cell: middles[cell])
    measured = f"{_spread(every)}, {len(every)} windows"
    return Target(wanted, measured, median(every) <= bound, f"{worst}: {_number(middles[worst])}")


def _spread(values: list[float]) -> str:
    return f"{_number(median(values))} ({_number(min(values))} to {_number(max(values))})"


def _number(value: float) -> str:
    return "never" if value == inf else f"{value:.3g}"


def _section(section: Section, lines: dict[str, Replays]) -> str:
    rows = [
        _row(name, lines[name])
        for cell in section.cells
        for name in (cell, *([_warned(cell)] if section is TWO_PROVIDERS else []))
        if name in lines
    ]
    return f"## {section.title}\n\n{section.about}\n\n{markdown(_HEAD, rows)}\n"


def _row(name: str, line: Replays) -> list[str]:
    shares, fresh = line.shares(), line.fresh()
    return [
        name,
        _spread(shares) if shares else NOTHING,
        line.pooled("harvested_before_containment", "all").show(),
        line.pooled("harvested_before_containment", "all", "if_only_accounts_were_contained").show(),
        _number(median(fresh)) if fresh else NOTHING,
        line.pooled("fresh_account_requests", "all", "within_20").count(),
        *_counts(line, (("benign", "accounts_ever"), ("new_customer", "accounts_ever"), ("new_customer", "exchanges"))),
    ]


def _counts(line: Replays, groups: Iterable[tuple[str, str]]) -> list[str]:
    return [line.pooled("innocents_contained", *group).count() for group in groups]
