"""Writes what detection found in labelled windows as a page: targets, a section per kind of scenario, heavy users."""

from collections import Counter
from collections.abc import Sequence

from baselines import FALSE_POSITIVE_RATE
from cells import DETECTION, Section
from detection_targets import targets
from lines import OURS, Line, by_cell
from runs import Found, made
from stillwatch_range.scoring import Rate
from tables import NOTHING, Pooled, markdown, short, target_table

BASELINES = ("volume", "IsolationForest", "kernel test", "metadata linkage")
_HEAD = (
    *("scenario", "harvest, % of the window", "account recall", "ordinary accounts flagged", "campaigns found"),
    *("purity", "fragments, most", "false harvests", "hard negatives flagged", "drift flagged", "s a window"),
)
_INTRODUCTION = """\
# Detection on labelled windows of real prompts

Written by `python benchmarks/detection.py --corpora DIR --out benchmarks/detection.md`. {made}

Accounts, organisations, addresses and campaigns are constructed (`stillwatch range build`); prompts and gaps between
requests are real, but for what a section calls the range's own. A window is a week with 1,000 ordinary accounts and,
but for `quiet`, a campaign; 29 accounts are hard negatives, honest heavy users that look like a harvest. History is
the week before, without a campaign. Suffixes: [scenarios](../docs/reference/scenarios.md).

Thresholds were fixed on other seeds (1 to 3, 11 to 13, 101 to 115) that draw on the same corpora: figures show that
they hold on other draws, not on other corpora. Brackets are Clopper-Pearson 95 % limits over all accounts of all seeds.
They take accounts for independent; those of one campaign share its fate, and windows of one seed share customers, so
figures pooled over scenarios have limits that are too narrow.

Under each table stand the baselines' figures: account recall / ordinary accounts flagged / hard negatives flagged, with
thresholds that flag {baseline_rate:g} of the history's ordinary accounts. "Windows alarmed": in how many the kernel
two-sample test of the whole window, which names no account, raises the alarm at that rate. Scenarios without them were
measured with `--no-baselines`, which takes a third of the time.
"""


def document(found: Sequence[Found]) -> str:
    """Return the page."""
    lines = by_cell(found)
    named = {cell for section in DETECTION for cell in section.cells}
    others = Section(
        "Others", "Scenarios that are not of the table.", tuple(cell for cell in lines if cell not in named)
    )
    shown = [section for section in (*DETECTION, others) if any(cell in lines for cell in section.cells)]
    return "\n".join(
        [
            _INTRODUCTION.format(made=made(found), baseline_rate=FALSE_POSITIVE_RATE),
            "## Targets\n",
            target_table(targets(lines)),
            "",
            *(_section(section, lines) for section in shown),
            _heavy_users(list(lines.values())),
        ]
    )


def _section(section: Section, lines: dict[str, Line]) -> str:
    own = [lines[cell] for cell in section.cells if cell in lines]
    measured = [line for line in own if line.windows]
    parts = [f"## {section.title}\n", f"{section.about}\n"]
    parts += [markdown(_HEAD, [_row(line) for line in measured]), ""] if measured else []
    compared = [line for line in measured if BASELINES[0] in line.windows[0]["methods"]]
    if compared:
        head = ("scenario", *BASELINES, "windows alarmed")
        parts += [markdown(head, [_baseline_row(line) for line in compared]), ""]
    parts += [f"- {line.cell}, seed {seed}: no window, {why}." for line in own for seed, why in line.left_out.items()]
    return "\n".join([*parts, ""] if any(line.left_out for line in own) else parts)


def _row(line: Line) -> list[str]:
    windows = len(line.windows)
    planted = [sum(campaign["share"] for campaign in window["campaigns"].values()) for window in line.windows]
    fragments = line.fragments()
    return [
        line.cell,
        f"{100 * sum(planted) / windows:.1f}" if any(planted) else NOTHING,
        line.pooled("account_recall", "all").show(),
        line.pooled("account_fpr").show(4),
        line.pooled("campaign_recall", "all").count(),
        line.pooled("campaign_purity", "all").show(),
        str(max(fragments)) if fragments else NOTHING,
        str(sum(line.false_harvests())),
        line.pooled("hard_negative_flagged", "all").count(),
        line.pooled("drift_flagged").show(),
        f"{sum(window['methods'][OURS]['seconds'] for window in line.windows) / windows:.0f}",
    ]


def _baseline_row(line: Line) -> list[str]:
    cells = []
    for method in BASELINES:
        figures = [
            line.pooled(*path, method=method)
            for path in (("account_recall", "all"), ("account_fpr",), ("hard_negative_flagged", "all"))
        ]
        cells.append(" / ".join(short(one.value) if one.of else NOTHING for one in figures))
    alarms = sum(window["kernel_test_p_value"] <= FALSE_POSITIVE_RATE for window in line.windows)
    return [line.cell, *cells, f"{alarms} of {len(line.windows)}"]


def _heavy_users(lines: list[Line]) -> str:
    """Return what became of each kind of heavy user, over all windows."""
    kinds: dict[str, Counter[str]] = {}
    flagged: dict[str, list[Rate]] = {}
    for window in (window for line in lines for window in line.windows):
        metrics = window["methods"][OURS]["metrics"]
        for cohort, counts in metrics["hard_negative_kinds"].items():
            kinds.setdefault(cohort, Counter()).update(counts)
        for cohort, share in metrics["hard_negative_flagged"]["per_cohort"].items():
            flagged.setdefault(cohort, []).append(share)
    rows = [
        [
            cohort,
            Pooled.over(flagged[cohort]).count(),
            ", ".join(f"{kind} {of:,}" for kind, of in sorted(counts.items())),
        ]
        for cohort, counts in sorted(kinds.items())
    ]
    about = "`new:` are those without history. Counts are accounts over all windows of this page."
    table = markdown(("who", "flagged", "kind of the finding it stands in"), rows)
    return f"## Hard negatives\n\n{about}\n\n{table}\n"
