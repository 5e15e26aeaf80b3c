"""Writes what resampling found about declared false positive rates as a page."""

from collections.abc import Callable, Sequence
from statistics import median

import msgspec

from runs import Found, made
from tables import NOTHING, Pooled, Target, markdown, short, target_table

ACCOUNT = "p-value of the account"
BY_LOT, IN_TIME = "by lot", "in order of time"
_INSIDE = 0.95
_INTRODUCTION = """\
# Declared against realised false positive rate

Written by `python benchmarks/calibration.py --corpora DIR --out benchmarks/calibration.md`. {made}

Two weeks of honest accounts without heavy uses (`stillwatch range build`). Of them {resamplings:,} resamplings draw
some to calibrate on, from whom everything is fitted as in a run of detection, and others to judge: by lot from both
weeks, or in order of time, half of the first week's and half of the second's. A resampling's count of judged accounts
within the declared rate should lie within its 95 % limits, beta-binomial, since both sets are finite. Real prompts
suffice for 750 accounts a week; the large segments are of prompts that the range makes. Resamplings of one seed draw
on the same accounts, so they are not independent. A level is shown where the segment has enough accounts to reach it:
with three signals 300 for .01, 3,000 for .001.

The p-value of an account is the smallest of its signals' times their number. Where signals agree, that is on the safe
side: its lower limit takes them for one, its upper limit for exclusive. Signals with many equal scores are also below
their declared rate.
"""


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Accounts of one segment within a declared rate in one resampling, and the limits of such a count."""

    resampling: int
    segment: str
    test: str
    level: float
    calibrated: int
    judged: int
    hits: int
    low: int
    high: int


def document(found: Sequence[Found]) -> str:
    """Return the page."""
    cells: dict[str, list[Count]] = {}
    resamplings: dict[str, int] = {}
    for one in found:
        if one.result is not None:
            counts = msgspec.convert(one.result["counts"], list[Count])
            cells.setdefault(one.cell, []).extend(counts)
            resamplings[one.cell] = resamplings.get(one.cell, 0) + len({count.resampling for count in counts})
    parts = [
        _INTRODUCTION.format(made=made(found), resamplings=min(resamplings.values(), default=0)),
        "## Targets\n",
        target_table(_targets(cells)),
        "",
    ]
    for cell, counts in cells.items():
        own = [count for count in counts if count.test == ACCOUNT]
        signals = [count for count in counts if count.test != ACCOUNT]
        parts += [f"## {cell[0].upper()}{cell[1:]}\n", _table(own, "segment", lambda count: count.segment), ""]
        parts += ["Signal by signal, over all segments:\n", _table(signals, "signal", lambda count: count.test), ""]
    parts += [f"- {one.cell}, seed {one.seed}: no window, {one.left_out}." for one in found if one.left_out]
    return "\n".join(parts)


def _targets(cells: dict[str, list[Count]]) -> list[Target]:
    own = {cell: [count for count in counts if count.test == ACCOUNT] for cell, counts in cells.items()}
    segments: dict[str, list[Count]] = {}
    for cell, counts in own.items():
        for count in counts:
            segments.setdefault(f"{cell}: {count.segment} at {count.level:g}", []).append(count)
    every = [count for counts in own.values() for count in counts]
    signals = [count for counts in cells.values() for count in counts if count.test != ACCOUNT]
    return [
        _share("accounts: counts of a segment inside their limits >= 95 %", every, _is_inside, segments),
        _share("... or below, on the safe side", every, _is_not_above, segments),
        _most_segments(segments),
        _share("single signals: counts inside their limits >= 95 %", signals, _is_inside, {}),
        _share("... or below, on the safe side", signals, _is_not_above, {}),
    ]


def _share(wanted: str, counts: list[Count], good: Callable[[Count], bool], groups: dict[str, list[Count]]) -> Target:
    if not counts:
        return Target(wanted, NOTHING, None)
    found = _part(counts, good)
    worst = min((_part(group, good).value, name) for name, group in groups.items()) if groups else None
    shown = f"{worst[1]}: {short(worst[0])}" if worst else NOTHING
    return Target(wanted, f"{short(found.value)}, {found.count()}", found.value >= _INSIDE, shown)


def _most_segments(segments: dict[str, list[Count]]) -> Target:
    wanted = "segments and levels with 95 % of their resamplings inside >= 95 %"
    if not segments:
        return Target(wanted, NOTHING, None)
    steady = sum(_part(group, _is_inside).value >= _INSIDE for group in segments.values())
    found = Pooled(steady, len(segments))
    return Target(wanted, f"{short(found.value)}, {found.count()}", found.value >= _INSIDE)


def _is_inside(count: Count) -> bool:
    return count.low <= count.hits <= count.high


def _is_not_above(count: Count) -> bool:
    return count.hits <= count.high


def _part(counts: list[Count], good: Callable[[Count], bool]) -> Pooled:
    return Pooled(sum(map(good, counts)), len(counts))


def _table(counts: list[Count], what: str, name: Callable[[Count], str]) -> str:
    """Return declared and realised rates over all resamplings, by name and level."""
    groups: dict[tuple[str, float], list[Count]] = {}
    for count in counts:
        groups.setdefault((name(count), count.level), []).append(count)
    rows = []
    for (label, level), group in sorted(groups.items()):
        hits, judged = sum(count.hits for count in group), sum(count.judged for count in group)
        rows.append(
            [
                label,
                f"{median(count.calibrated for count in group):,.0f}",
                f"{median(count.judged for count in group):,.0f}",
                f"{level:g}",
                f"{hits / judged:.2g}",
                *(short(_part(group, good).value) for good in (_is_inside, lambda count: not _is_not_above(count))),
                f"{len(group):,}",
            ]
        )
    head = (what, "calibrating, median", "judged, median", "declared", "realised", "inside limits", "above", "counts")
    return markdown(head, rows)
