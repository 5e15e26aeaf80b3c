"""From scores to p-values, per segment, and how far the declared false positive rate is the real one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detection.findings.model import CalibrationRow
from stillwatch.detection.population import Floats, Population
from stillwatch.detection.signals import SIGNALS
from stillwatch.hashing import hash_strings
from stillwatch.statistics import clopper_pearson, conformal_p_values

MIN_SEGMENT = 100
OTHER = "all other accounts"
_LEVELS = (0.01, 0.05)

Names = npt.NDArray[np.object_]
"""Names are objects: a fixed-width array would take the longest one's room for every account."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """P-values of all accounts of a window.

    Attributes:
        segment: name of each account's segment.
        by_signal: signal name to p-values, NaN where not assessable.
        p_value: the smallest of them, times the number that could be assessed (Bonferroni); NaN where none could.
        table: declared against realised rate, per segment and level.
    """

    segment: Names
    by_signal: dict[str, Floats]
    p_value: Floats
    table: list[CalibrationRow]


def segments(population: Population, records: pa.Table | None) -> Names:
    """Name the segment of each account: its channel and, where account records tell it, its plan."""
    channel = [name or "any channel" for name in population.texts("channel")]
    plan: dict[str, str | None] = {}
    if records is not None:
        plan = dict(zip(records.column("account_id").to_pylist(), records.column("plan").to_pylist(), strict=True))
    return np.array(
        [
            f"{where} / {plan[account]}" if plan.get(account) else where
            for account, where in zip(population.ids, channel, strict=True)
        ],
        dtype=object,
    )


def calibrate(population: Population, reference: Population, records: pa.Table | None, fpr: float) -> Calibrated:
    """Calibrate every signal on the accounts of `reference`, which is `population` itself where there is no history."""
    here, there = segments(population, records), segments(reference, records)
    names, count = np.unique(there, return_counts=True)
    large = names[count >= MIN_SEGMENT]
    here, there = np.where(np.isin(here, large), here, OTHER), np.where(np.isin(there, large), there, OTHER)
    first_half = hash_strings(reference.table.column("account_id")) & 1 == 0
    by_signal, held_out = {}, {}
    for signal in SIGNALS:
        scores, known = signal.scores(population, reference)
        by_signal[signal.name] = _by_segment(scores, here, known, there)
        held_out[signal.name] = _by_segment(
            known[~first_half], there[~first_half], known[first_half], there[first_half]
        )
    table = _table(
        _combine(held_out), there[~first_half], there, fpr, "window" if population is reference else "history"
    )
    return Calibrated(here, by_signal, _combine(by_signal), table)


def _by_segment(scores: Floats, segment: Names, known: Floats, known_segment: Names) -> Floats:
    p_values = np.full(scores.size, np.nan)
    for name in np.unique(segment):
        calibration = known[known_segment == name]
        if calibration.size < MIN_SEGMENT // 2:
            calibration = known
        inside = segment == name
        p_values[inside] = conformal_p_values(calibration, scores[inside])
    if np.isnan(known).all():
        p_values[:] = np.nan
    return p_values


def _combine(by_signal: dict[str, Floats]) -> Floats:
    stacked = np.stack(list(by_signal.values()))
    tried = (~np.isnan(stacked)).sum(axis=0)
    smallest = np.where(np.isnan(stacked), 1.0, stacked).min(axis=0)
    combined: Floats = np.where(tried > 0, np.minimum(1.0, smallest * tried), np.nan)
    return combined


def _table(p_values: Floats, segment: Names, everyone: Names, fpr: float, source: str) -> list[CalibrationRow]:
    rows = []
    for name in np.unique(everyone):
        inside = p_values[segment == name]
        inside = inside[~np.isnan(inside)]
        for level in sorted({fpr, *_LEVELS}):
            hits = int((inside <= level).sum())
            low, high = clopper_pearson(hits, inside.size)
            rows.append(
                CalibrationRow(
                    segment=str(name),
                    accounts=int((everyone == name).sum()),
                    held_out=inside.size,
                    declared_fpr=level,
                    realised_fpr=hits / inside.size if inside.size else None,
                    low=low if inside.size else None,
                    high=high if inside.size else None,
                    source="window" if source == "window" else "history",
                )
            )
    return rows
