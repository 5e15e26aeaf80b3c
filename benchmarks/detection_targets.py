"""The targets of detection, each beside what was measured."""

from collections.abc import Callable, Iterable

from cells import CONDUCT, DETECTION, FRAMED, FREE, MIXED, PLAINEST, UNFRAMED
from lines import Line
from stillwatch_range.workloads import known_workloads
from tables import NOTHING, Pooled, Target, short

Measure = Callable[[Line], Pooled]


def targets(lines: dict[str, Line]) -> list[Target]:
    """Return all targets; what was not measured stands as such."""
    every = list(lines.values())
    planted = [line for line in every if line.cell not in FREE.cells]
    framed = _some(lines, FRAMED.cells)
    unframed = _some(lines, (cell for cell in UNFRAMED.cells if cell.endswith("+share4")))
    plainest = [line for line in unframed if line.cell.startswith(PLAINEST)]
    others = [line for line in unframed if line not in plainest]
    swarms = _some(lines, (cell for cell in CONDUCT.cells if cell.endswith("+swarm")))
    drift = _some(lines, (cell for section in DETECTION for cell in section.cells if "+drift" in cell))
    return [
        _least("templated, half cover: account recall >= .98", framed, _recall, 0.98),
        _most("... at FPR 1e-3", framed, _fpr, 1e-3, digits=4),
        _least(
            "templated, four fifths cover: account recall >= .80",
            _some(lines, (cell for cell in MIXED.cells if cell.endswith("+mix80"))),
            _recall,
            0.80,
        ),
        _least("untemplated at 4 % of the window: account recall >= .80", others, _recall, 0.80),
        _least("the plainest instruction data: account recall >= .50", plainest, _recall, 0.50),
        _most("... both at FPR 1e-2", unframed, _fpr, 1e-2, digits=4),
        _most("hard negatives known to registry or history: flagged <= 1 %", every, _known, 0.01),
        _most("new heavy customers: challenged <= 10 %", every, _at("new_customer_challenged"), 0.10),
        _most("new heavy customers: blocked 0", every, _at("new_customer_blocked"), 0.0),
        _most("drift population: flagged <= 5 %", drift, _at("drift_flagged"), 0.05),
        _most("drift population: blocked 0", drift, _at("drift_blocked"), 0.0),
        _most("strangers on one public template: called a harvest <= 2 %", every, _called_harvest, 0.02),
        _least("four requests a user: campaign found", swarms, _at("campaign_recall", "all"), 1.0),
        _least("... account recall >= .80", swarms, _recall, 0.80),
        _most("... at FPR 1e-3", swarms, _fpr, 1e-3, digits=4),
        _least("community purity >= .95", planted, _at("campaign_purity", "all"), 0.95),
        _fragments(planted),
        _most("campaign-free windows with a false harvest <= 1 in 20", _some(lines, FREE.cells), _false_windows, 0.05),
    ]


def _some(lines: dict[str, Line], cells: Iterable[str]) -> list[Line]:
    return [lines[cell] for cell in cells if cell in lines]


def _at(*path: str) -> Measure:
    return lambda line: line.pooled(*path)


_recall, _fpr = _at("account_recall", "all"), _at("account_fpr")


def _least(wanted: str, lines: list[Line], measure: Measure, bound: float) -> Target:
    return _target(wanted, lines, measure, lambda value: value >= bound, worst=min)


def _most(wanted: str, lines: list[Line], measure: Measure, bound: float, *, digits: int = 3) -> Target:
    return _target(wanted, lines, measure, lambda value: value <= bound, worst=max, digits=digits)


def _target(
    wanted: str,
    lines: list[Line],
    measure: Measure,
    reached: Callable[[float], bool],
    *,
    worst: Callable[..., tuple[float, str]],
    digits: int = 3,
) -> Target:
    """Judge the figure pooled over lines, and name the line that is worst by itself."""
    figures = {line.cell: found for line in lines if (found := measure(line)).of}
    if not figures:
        return Target(wanted, NOTHING, None)
    total = Pooled(sum(one.hits for one in figures.values()), sum(one.of for one in figures.values()))
    value, cell = worst((one.value, cell) for cell, one in figures.items())
    shown = f"{cell}: {short(value, digits)}" if len(figures) > 1 else NOTHING
    return Target(wanted, f"{total.show(digits)}, {total.count()}", reached(total.value), shown)


def _fragments(lines: list[Line]) -> Target:
    most = {line.cell: max(line.fragments(), default=0) for line in lines}
    wanted = "fragments of a campaign <= 3"
    if not most:
        return Target(wanted, NOTHING, None)
    worst = max(most.values())
    where = [cell for cell, pieces in most.items() if pieces == worst]
    return Target(wanted, f"{worst} at most", worst <= 3, f"{where[0]}: {worst}")


def _known(line: Line) -> Pooled:
    """Count heavy users that were there before, or stand in the registry."""
    registered = {f"new:{name}" for name, workload in known_workloads().items() if workload.licence is not None}
    return Pooled.over(
        share
        for metrics in line.metrics()
        for cohort, share in metrics["hard_negative_flagged"]["per_cohort"].items()
        if cohort in registered or not cohort.startswith("new:")
    )


def _called_harvest(line: Line) -> Pooled:
    public = {name for name, workload in known_workloads().items() if workload.strangers}
    found = Pooled()
    for metrics in line.metrics():
        for cohort, kinds in metrics["hard_negative_kinds"].items():
            if cohort.removeprefix("new:") in public:
                found.of += sum(kinds.values())
                found.hits += sum(count for kind, count in kinds.items() if "harvest" in kind.split("+"))
    return found


def _false_windows(line: Line) -> Pooled:
    false = line.false_harvests()
    return Pooled(sum(count > 0 for count in false), len(false))
