"""How likely is it that strangers come by one frame? A p-value for a family, from what strangers did before.

Model: each pair of independent owners comes by a common new frame with probability q. Seen from any one owner, others
join by chance as a binomial with q; a family of m owners among N then has p <= N * P(Binomial(N - 1, q) >= m - 1), the
union over the owner that it is seen from. q is measured on traffic without a known campaign: history is halved by
account, each half is mined as if the other were its history, and the pairs in families that would pass for a harvest
are counted, plus one. It is a measured rate with a model on top; what it cannot know is a fashion that is new today,
so no p-value from here is enough to block.
"""

from dataclasses import dataclass

import numpy as np

from stillwatch.detection.campaigns.families import FamilyFacts
from stillwatch.statistics import binomial_tail


def pair_rate(placebos: list[FamilyFacts], owners: int) -> float:
    """Return the rate (0..1) at which pairs of innocent owners share a frame, never 0.

    Args:
        placebos: families that innocent traffic formed and that pass for a harvest.
        owners: how many owners could have formed them.
    """
    possible = owners * (owners - 1) / 2
    sharing = sum(family.owners * (family.owners - 1) / 2 for family in placebos)
    return min(1.0, (sharing + 1) / (possible + 1))


def coincidence_p_value(family_owners: int, owners: int, rate: float) -> float:
    """Return the probability that chance alone makes a family of at least so many owners among all owners."""
    if family_owners < 2 or owners < 2:
        return 1.0
    return float(np.clip(owners * binomial_tail(family_owners - 1, owners - 1, rate), 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class InnocentFrames:
    """What innocent owners did: the rate at which pairs of them share a frame, and how large such families became.

    Attributes:
        rate: see `pair_rate`.
        sizes: owners of each family that innocent traffic formed and that passes for a harvest.
    """

    rate: float
    sizes: tuple[int, ...]

    def p_value(self, family_owners: int, owners: int) -> float:
        """Return the p-value of a family, never below how often innocent traffic itself formed one as large.

        Pairs are not independent: a fashion of a hundred owners is one event, and has happened if history shows it.
        """
        as_large = sum(size >= family_owners for size in self.sizes)
        return max(coincidence_p_value(family_owners, owners, self.rate), min(1.0, float(as_large)))
