"""What a signal is: one number per account, high where the account is unusual, NaN where it cannot tell."""

from typing import Protocol

from stillwatch.detection.population import Floats, Population


class Signal(Protocol):
    """Scores accounts against the traffic of a reference period; calibration happens elsewhere.

    Implementations must not look at other signals, and return NaN, never 0, where a field that they need is absent.

    Attributes:
        name: as it appears in `reasons` and `not_assessable`.
        wording: what a high score means, for a person.
    """

    name: str
    wording: str

    def scores(self, population: Population, reference: Population) -> tuple[Floats, Floats]:
        """Return a score for each account of `population` and of `reference`, which may be the same period."""
        ...
