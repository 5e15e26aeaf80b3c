"""The circumvention test: what may be called a cyber threat indicator at all.

A threat is not an act that only breaks terms of service (6 U.S.C. 1501, to be confirmed by counsel). So what is shared
without counsel must name at least one way in which a control was circumvented; "broke our terms and trained on it" goes
to counsel.
"""

from typing import get_args

from stillwatch.sharing.objects.vocabulary import Circumvention

KINDS: tuple[Circumvention, ...] = get_args(Circumvention)


def circumventions(claimed: tuple[str, ...]) -> tuple[Circumvention, ...]:
    """Return which of the claims are kinds of circumvention, each once, in the order of KINDS."""
    return tuple(kind for kind in KINDS if kind in claimed)
