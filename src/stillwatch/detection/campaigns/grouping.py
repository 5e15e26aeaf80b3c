"""Which families belong to one campaign: those that the same accounts send, or that one community of accounts sends."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.detection.campaigns.families import FamilyFacts
from stillwatch.detection.findings.model import Kind

Ints = npt.NDArray[np.int64]

SAME_ACCOUNTS = 0.5
"""Families of one kind are one campaign if this part of the smaller one's accounts is in the larger one. Actors who use
one pool of accounts are one campaign too: its accounts are what is acted on, and its frames tell the actors apart."""
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
            families = _absorb(groups, families, community.size)
        groups += [Group(kind, merged) for merged in _merge(families, community)]
    return sorted(groups, key=lambda group: -sum(family.rows.size for family in group.families))


def _absorb(groups: list[Group], families: list[FamilyFacts], accounts: int) -> list[FamilyFacts]:
    """Give small families to the first group that already holds their accounts; return the rest."""
    homes = [group.accounts for group in groups]
    common = _held((family.accounts for family in families), accounts) @ _held(homes, accounts).T
    left = []
    for number, family in enumerate(families):
        start, stop = common.indptr[number : number + 2]
        holding = common.indices[start:stop][common.data[start:stop] / family.accounts.size >= FRAGMENT]
        if holding.size:
            home = int(holding.min())
            groups[home].families.append(family.within(homes[home]))
        else:
            left.append(family)
    return left


def _merge(families: list[FamilyFacts], community: Ints) -> list[list[FamilyFacts]]:
    """Single linkage: families that go together directly or over others, each group in the order given."""
    held = _held((family.accounts for family in families), community.size)
    common = (held @ held.T).tocoo()
    sizes = np.array([family.accounts.size for family in families], np.int64)
    same = common.data / np.minimum(sizes[common.row], sizes[common.col]) >= SAME_ACCOUNTS
    own = np.array([_dominant(community[family.accounts]) for family in families], np.int64)
    known = np.argsort(own, kind="stable")[np.count_nonzero(own < 0) :]
    left, right = known[:-1], known[1:]
    tied = own[left] == own[right]
    pairs = np.concatenate([common.row[same], left[tied]]), np.concatenate([common.col[same], right[tied]])
    graph = sparse.coo_matrix((np.ones(pairs[0].size, np.int8), pairs), shape=(len(families), len(families)))
    merged: dict[int, list[FamilyFacts]] = {}
    for family, label in zip(families, sparse.csgraph.connected_components(graph, directed=False)[1], strict=True):
        merged.setdefault(int(label), []).append(family)
    return list(merged.values())


def _held(sets: Iterable[Ints], accounts: int) -> sparse.csr_matrix:
    """Return which set holds which account (sets x accounts)."""
    members = list(sets)
    start = np.cumsum([0, *(part.size for part in members)])
    column = np.concatenate([np.empty(0, np.int64), *members])
    return sparse.csr_matrix((np.ones(column.size, np.int32), column, start), shape=(len(members), accounts))


def _dominant(community: Ints) -> int:
    known, count = np.unique(community[community >= 0], return_counts=True)
    if known.size == 0 or count.max() < DOMINANT * community.size:
        return -1
    return int(known[np.argmax(count)])
