"""Which families belong to one campaign: those that the same accounts send, or that one community of accounts sends."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.families import FamilyFacts
from stillwatch.detection.findings.model import Kind

Ints = npt.NDArray[np.int64]

SAME_ACCOUNTS = 0.8
"""Families of one kind are one campaign if this part of the smaller one's accounts is in the larger one."""
FRAGMENT = 0.8
"""A family too small to judge belongs to a campaign that holds this part of its accounts; the other accounts do not."""
DOMINANT = 0.3
"""A community stands for a family if it holds this part of its accounts."""


@dataclass(frozen=True, slots=True)
class Group:
    """Families of one kind with common accounts; `families[0]` has the most exchanges."""

    kind: Kind
    families: list[FamilyFacts]

    @property
    def accounts(self) -> Ints:
        """Numbers of the accounts of all its families, ascending."""
        return np.unique(np.concatenate([family.accounts for family in self.families]))

    @property
    def rows(self) -> Ints:
        """Rows of the store of all its families, ascending."""
        return np.sort(np.concatenate([family.rows for family in self.families]))


def group_families(judged: list[tuple[FamilyFacts, Kind]], community: Ints) -> list[Group]:
    """Merge families into groups, the largest group first.

    Args:
        judged: families and their kinds.
        community: number of the community of each account, -1 for none.
    """
    groups: list[Group] = []
    for kind in ("harvest", "public_benchmark", "single_organisation", "unclear"):
        families = [family for family, own in judged if own == kind]
        families.sort(key=lambda family: (-family.rows.size, int(family.tokens[0])))
        if kind == "unclear":
            families = _absorb(groups, families)
        groups += [Group(kind, merged) for merged in _merge(families, lambda a, b: _together(a, b, community))]
    return sorted(groups, key=lambda group: -sum(family.rows.size for family in group.families))


def _absorb(groups: list[Group], families: list[FamilyFacts]) -> list[FamilyFacts]:
    """Give small families to the group that already holds their accounts; return the rest."""
    left = []
    for family in families:
        home = next((group for group in groups if _part(family.accounts, group.accounts) >= FRAGMENT), None)
        if home is None:
            left.append(family)
        else:
            home.families.append(family.within(home.accounts))
    return left


def _together(left: FamilyFacts, right: FamilyFacts, community: Ints) -> bool:
    small, large = sorted((left.accounts, right.accounts), key=len)
    if _part(small, large) >= SAME_ACCOUNTS:
        return True
    own = _dominant(community[small])
    return own >= 0 and own == _dominant(community[large])


def _part(accounts: Ints, whole: Ints) -> float:
    return float(np.isin(accounts, whole).mean())


def _dominant(community: Ints) -> int:
    known, count = np.unique(community[community >= 0], return_counts=True)
    if known.size == 0 or count.max() < DOMINANT * community.size:
        return -1
    return int(known[np.argmax(count)])


def _merge(
    families: list[FamilyFacts], together: Callable[[FamilyFacts, FamilyFacts], bool]
) -> list[list[FamilyFacts]]:
    """Single linkage: a family joins every group that holds a family it goes together with."""
    groups: list[list[FamilyFacts]] = []
    for family in families:
        joined, apart = [family], []
        for group in groups:
            if any(together(family, other) for other in group):
                joined += group
            else:
                apart.append(group)
        groups = [*apart, sorted(joined, key=lambda other: (-other.rows.size, int(other.tokens[0])))]
    return groups
