"""Evidence as a waterfall: zero, one bar per piece of evidence in bits, the sum."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stillwatch.detection.findings.charts.scale import Scale, Tick, round_domain
from stillwatch.detection.findings.formats import MINUS, shorten, signed_bits
from stillwatch.detection.findings.model import Evidence
from stillwatch.detection.findings.wording import FACTOR_NAME

WIDTH = 760
_LABELS = 250
_VALUES = 64
_ROW = 34
_BAR = 18
_AXIS = 30
_MOST_TERMS = 12


@dataclass(frozen=True, slots=True)
class Step:
    """One row: a bar from x to x + width, its label, and its value at value_x.

    `link` is the x of the line that leads down to the next bar, None below the last one.
    """

    label: str
    sublabel: str
    kind: Literal["start", "for", "against", "total"]
    y: int
    x: float
    width: float
    value: str
    value_x: float
    link: float | None


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The picture: its steps from top to bottom and the axis in bits."""

    height: int
    zero: float
    steps: list[Step]
    ticks: list[Tick]
    description: str
    width: int = WIDTH
    bar: int = _BAR
    row: int = _ROW
    axis: int = _AXIS


def waterfall(evidence: Sequence[Evidence]) -> Waterfall:
    """Lay out the evidence of one campaign; beyond 12 pieces the lightest are drawn as one bar."""
    terms = _terms(evidence)
    total = sum(bits for _, _, bits in terms)
    edges = [0.0]
    for _, _, bits in terms:
        edges.append(edges[-1] + bits)
    low, high, step = round_domain(min(edges), max(*edges, 1.0), 6)
    scale = Scale(low, high, _LABELS, WIDTH - _VALUES)
    rows = [("Start", "no evidence either way", 0.0, 0.0)]
    rows += [(*term[:2], edges[i], edges[i + 1]) for i, term in enumerate(terms)]
    rows.append(("Sum", "weight of all evidence", 0.0, total))
    steps = [_step(index, row, scale, last=len(rows) - 1) for index, row in enumerate(rows)]
    ticks = [
        Tick(scale(low + i * step), f"{low + i * step:g}".replace("-", MINUS)) for i in range(_parts(low, high, step))
    ]
    return Waterfall(
        height=len(rows) * _ROW + _AXIS + 18,
        zero=scale(0),
        steps=steps,
        ticks=ticks,
        description=_describe(terms, total),
    )


def _parts(low: float, high: float, step: float) -> int:
    return round((high - low) / step) + 1


def _terms(evidence: Sequence[Evidence]) -> list[tuple[str, str, float]]:
    if len(evidence) > _MOST_TERMS:
        by_weight = sorted(evidence, key=lambda e: -abs(e.bits))
        kept = set(map(id, by_weight[: _MOST_TERMS - 1]))
        rest = [e for e in evidence if id(e) not in kept]
        shown = [e for e in evidence if id(e) in kept]
        tail = [("Further evidence", f"{len(rest)} lighter pieces", sum(e.bits for e in rest))]
    else:
        shown, tail = list(evidence), []
    return [(FACTOR_NAME[e.factor], shorten(e.signal.replace("_", " "), 34), e.bits) for e in shown] + tail


def _step(index: int, row: tuple[str, str, float, float], scale: Scale, last: int) -> Step:
    label, sublabel, before, after = row
    kind: Literal["start", "for", "against", "total"] = "for" if after >= before else "against"
    if index in (0, last):
        kind = "start" if index == 0 else "total"
    left, right = scale(min(before, after)), scale(max(before, after))
    value = "0" if index == 0 else signed_bits(after - before)
    return Step(
        label=label,
        sublabel=sublabel,
        kind=kind,
        y=index * _ROW,
        x=left,
        width=round(max(right - left, 2.0), 1),
        value=value,
        value_x=right + 8,
        link=scale(after) if index < last else None,
    )


def _describe(terms: Sequence[tuple[str, str, float]], total: float) -> str:
    pieces = "; ".join(f"{label} ({sublabel}) {signed_bits(bits)}" for label, sublabel, bits in terms)
    return f"Bars from zero to {signed_bits(total)} bits. {pieces}." if terms else "No evidence was recorded."
