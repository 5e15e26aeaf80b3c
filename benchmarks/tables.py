"""How figures are shown: proportions with their limits, Markdown tables, and targets beside what was measured."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from stillwatch_range.scoring import rate

NOTHING = "-"


@dataclass(slots=True)
class Pooled:
    """A proportion summed over measurements."""

    hits: int = 0
    of: int = 0

    @classmethod
    def over(cls, rates: Iterable[dict[str, Any]]) -> Self:
        """Sum rates as scoring returns them."""
        total = cls()
        for one in rates:
            total.hits += one["hits"]
            total.of += one["of"]
        return total

    @property
    def value(self) -> float:
        """The proportion; there must be something that it is of."""
        return self.hits / self.of

    def show(self, digits: int = 3) -> str:
        """Return the proportion with its Clopper-Pearson 95 % limits."""
        found = rate(self.hits, self.of)
        if not self.of:
            return NOTHING
        value, low, high = (short(float(found[name] or 0.0), digits) for name in ("value", "low", "high"))
        return f"{value} [{low}, {high}]"

    def count(self) -> str:
        """Return "3 of 7"."""
        return f"{self.hits:,} of {self.of:,}" if self.of else NOTHING


class Target(NamedTuple):
    """One line of a table of targets.

    Attributes:
        wanted: the target in words.
        measured: what was found, with its limits.
        held: whether the figure reaches it; None where nothing was measured.
        worst: the least good line behind the figure.
    """

    wanted: str
    measured: str
    held: bool | None
    worst: str = NOTHING


def short(value: float, digits: int = 3) -> str:
    """Return a number between 0 and 1 without its leading zero."""
    return f"{value:.{digits}f}".removeprefix("0")


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table without the columns in which there is nothing."""
    rows = [list(row) for row in rows]
    kept = [column for column in range(len(head)) if not rows or any(row[column] != NOTHING for row in rows)]
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(row[column] for column in kept) + " |" for row in lines)


def target_table(targets: Iterable[Target]) -> str:
    """Return targets beside what was measured."""
    verdicts = {True: "held", False: "**missed**", None: "not measured"}
    rows = [[one.wanted, one.measured, verdicts[one.held], one.worst] for one in targets]
    return markdown(["target", "measured", "", "least good line"], rows)
