"""A linear axis with round ticks."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis, in picture units."""

    position: float
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values low..high to picture units start..end."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of `value`, rounded to a tenth of a unit."""
        part = (value - self.low) / (self.high - self.low)
        return round(self.start + part * (self.end - self.start), 1)


def round_step(span: float, parts: int) -> float:
    """Return a step of 1, 2 or 5 times a power of ten that divides `span` > 0 into at most about `parts`."""
    raw = span / parts
    power = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= raw * (1 - 1e-9))


def round_domain(low: float, high: float, parts: int) -> tuple[float, float, float]:
    """Widen low..high to multiples of a round step; returns (low, high, step)."""
    step = round_step(max(high - low, 1e-9), parts)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step
