"""Communities of accounts that write the same new things without a common frame: the untemplated harvest.

Accounts whose prompts history does not explain are grouped by what is new in them; what a group has in common is then
learned apart from each member (three folds), and every account is judged again by that. A group is described by two
things that its contents do not tell: how far its members share out one kind of work (a work list dealt out at random
makes prompts of one account no more alike than prompts of two; customers have topics of their own), and how much of
their other traffic is ordinary.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import igraph
import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.topics import directions, dispersals, few_rows, unpacked
from stillwatch.detection.contrast import Contrast, fit_contrast, mixture_scores, row_log_odds
from stillwatch.detection.owners import Owners
from stillwatch.detection.population import Floats, Population
from stillwatch.detection.signals.novelty import novel_log_ratio
from stillwatch.features.overlap import Overlap, measure_overlap
from stillwatch.features.store import SketchStore
from stillwatch.statistics import binomial_tail, effective_number

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

SEED_RATE: Final = 0.04
"""Part of history's accounts that are as novel as an account from which a community may grow."""
MEMBER_RATE: Final = 0.01
"""Part of history's accounts that look as much like the community as the least of its members."""
STRANGERS: Final = 0.05
"""Part of the members that may be expected to be ordinary accounts, by how many of history's look as much like it."""
MIN_NOVEL: Final = 3
MIN_SEEDS: Final = 4
MIN_ACCOUNTS: Final = 6
OWN_TOPIC: Final = 2.0
"""An account whose prompts are so many times more alike than others' has a topic of its own and is no member."""

_LEVELS = (MEMBER_RATE, MEMBER_RATE / 5)
_MAX_SEEDS = 4_000
_NEIGHBOURS = 10
_MAX_GROUPS = 8
_ROUNDS = 2
_SAME_MEMBERS = 0.5
_ONE_CROWD = 0.85
_ONE_TOPIC = 4.0
_LEAST_GAIN = 2.0
_LEIDEN_SEED = 0
_IDF_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class ContentCommunity:
    """Accounts that write the same new things.

    Attributes:
        rows: their prompts of that kind, as rows of the store, ascending; `row_account` the account of each.
        accounts: numbers of the accounts, ascending.
        shares: part of each account's prompts that is of that kind, 0..1.
        rest: how ordinary their other prompts are: mean log-odds, over that of ordinary accounts' prompts (1 = as
            ordinary, 0 = on the verge of being of that kind too; 0 also where there are none).
        owners: how many owners they have; `effective_owners`: counting each by its part of the rows.
        dispersal: how many times more alike prompts of one account are than prompts of two (median over accounts).
        overlap: how far the same items recur across accounts.
        p_value: chance of so many members, if accounts were as in history, times the groups looked at.
        asking: part of the rows with a cue phrase.
    """

    rows: Ints
    row_account: Ints
    accounts: Ints
    shares: Floats
    rest: float
    owners: int
    effective_owners: float
    dispersal: float
    overlap: Overlap
    p_value: float
    asking: float

    @property
    def per_account(self) -> float:
        """Median number of prompts of that kind per account."""
        return float(np.median(np.unique(self.row_account, return_counts=True)[1]))


@dataclass(frozen=True, slots=True)
class _Members:
    """Accounts of one group, the rows that made them members, and the chance of so many, were all as in history."""

    accounts: Ints
    rows: Mask
    chance: float
    rest: float = 0.0


def find_content_communities(
    population: Population, owners: Owners, history: Population | None, usable: Mask
) -> list[ContentCommunity]:
    """Find the communities of a window, the one with most accounts first; none without sketches in history.

    Args:
        population: the window.
        owners: the owner of each of its accounts.
        history: earlier traffic.
        usable: rows of the window that nothing else explains (no frame, no licence).
    """
    if history is None or not len(history.store) or not usable.any():
        return []
    weights = _word_weights(population, history)
    groups = _seed_groups(population, history, usable, weights)
    found = list(_refine(population, history, usable, groups))
    described = [_describe(population, owners, members, usable, weights, len(groups)) for members in found]
    kept = [community for community in described if community is not None]
    return sorted(kept, key=lambda community: (-community.accounts.size, int(community.accounts[0])))


def _word_weights(population: Population, history: Population) -> Floats:
    """Return how much each vocabulary bit tells: minus log of the part of prompts that hold it."""
    bits = [unpacked(store, _spread(store, _IDF_ROWS)) for store in (population.store, history.store)]
    rate = (sum(part.sum(axis=0, dtype=np.int64) for part in bits) + 1) / (sum(len(part) for part in bits) + 2)
    weights: Floats = -np.log(rate)
    return weights


def _spread(store: SketchStore, most: int) -> Ints:
    return np.sort(np.lexsort((store.account, store.content))[:most])


def _seed_groups(population: Population, history: Population, usable: Mask, weights: Floats) -> list[Mask]:
    """Return the novel rows of each group of accounts that write alike, the largest groups first."""
    contrast = fit_contrast(population, usable.astype(np.float64), history)
    here, there = (novel_log_ratio(row_log_odds(people, [contrast])[:, 0]) for people in (population, history))
    scores = mixture_scores(np.where(usable, here, 0.0), population.row_account, len(population))
    usual = mixture_scores(there, history.row_account, len(history))
    novel = usable & (here > 0)
    enough = np.bincount(population.row_account[novel], minlength=len(population)) >= MIN_NOVEL
    seeds = np.flatnonzero(enough & (scores > np.quantile(usual, 1 - SEED_RATE)))
    seeds = np.sort(seeds[np.argsort(-scores[seeds], kind="stable")[:_MAX_SEEDS]])
    if seeds.size < MIN_SEEDS:
        return []
    rows = few_rows(population, np.flatnonzero(novel), seeds)
    counts, sums = directions(population, rows, seeds, weights)
    various = ~(dispersals(counts, sums) > _ONE_TOPIC)
    seeds, counts, sums = seeds[various], counts[various], sums[various]
    if seeds.size < MIN_SEEDS:
        return []
    label = _joined(sums / counts[:, None], _alike(sums))
    sizes = np.bincount(label)
    large = [number for number in np.argsort(-sizes, kind="stable")[:_MAX_GROUPS] if sizes[number] >= MIN_SEEDS]
    return [novel & np.isin(population.row_account, seeds[label == number]) for number in large]


def _alike(directions: Floats) -> Ints:
    """Group accounts whose directions are close: Leiden on each one's nearest neighbours."""
    unit = directions / np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-9)
    likeness = unit @ unit.T
    np.fill_diagonal(likeness, 0)
    count = min(_NEIGHBOURS, len(unit) - 1)
    near = np.argsort(-likeness, axis=1, kind="stable")[:, :count]
    left, right = np.repeat(np.arange(len(unit)), count), near.ravel()
    graph = igraph.Graph(n=len(unit), edges=np.stack([left, right], axis=1).tolist())
    graph.es["weight"] = np.maximum(likeness[left, right], 1e-3).tolist()
    graph.simplify(combine_edges="max")
    igraph.set_random_number_generator(random.Random(_LEIDEN_SEED))
    parts = graph.community_leiden(objective_function="modularity", weights="weight", n_iterations=4)
    return np.array(parts.membership, np.int64)


def _joined(directions: Floats, label: Ints) -> Ints:
    """Join groups whose accounts are as like each other's as their own: pieces of one crowd, cut by chance."""
    label = label.copy()
    while True:
        groups = np.unique(label)
        member = (label[None, :] == groups[:, None]).astype(np.float64)
        sizes, sums = member.sum(axis=1), member @ directions
        own = np.diag(sums @ sums.T) - member @ (directions**2).sum(axis=1)
        within = np.maximum(own / np.maximum(sizes * (sizes - 1), 1), 1e-9)
        affinity = (sums @ sums.T) / np.outer(sizes, sizes) / np.sqrt(np.outer(within, within))
        np.fill_diagonal(affinity, 0)
        left, right = np.unravel_index(int(np.argmax(affinity)), affinity.shape)
        if affinity[left, right] < _ONE_CROWD:
            return label
        label[label == groups[right]] = groups[left]


def _refine(population: Population, history: Population, usable: Mask, groups: list[Mask]) -> Iterator[_Members]:
    """Learn what each group has in common, and judge every account by it; groups that become one are one."""
    members = [_Members(np.empty(0, np.int64), rows, 1.0) for rows in groups]
    for _ in range(_ROUNDS):
        if not members:
            return
        held = sum(one.rows.astype(np.int64) for one in members)
        contrasts = [
            fit_contrast(population, one.rows.astype(np.float64), history, ((held > 0) & ~one.rows).astype(np.float64))
            for one in members
        ]
        members = _distinct(list(_judged(population, history, usable, contrasts)))
    yield from members


def _judged(population: Population, history: Population, usable: Mask, contrasts: list[Contrast]) -> Iterator[_Members]:
    here, there = (row_log_odds(people, contrasts).astype(np.float64) for people in (population, history))
    for number in range(len(contrasts)):
        likely = usable & (here[:, number] > 0)
        enough, usually_enough = (
            np.bincount(people.row_account[rows], minlength=len(people)) >= MIN_NOVEL
            for people, rows in ((population, likely), (history, there[:, number] > 0))
        )
        gains = mixture_scores(np.where(usable, here[:, number], 0.0), population.row_account, len(population))
        usual = mixture_scores(there[:, number], history.row_account, len(history))
        least = least_gain(gains[enough], np.where(usually_enough, usual, 0.0), len(population))
        accounts = np.flatnonzero(enough & (gains > least))
        if accounts.size >= MIN_SEEDS:
            own = usable & np.isin(population.row_account, accounts)
            rest = _ordinariness(here[own, number], there[:, number])
            yield _Members(accounts, likely & own, _chance(gains[enough], usual, len(population)), rest)


def least_gain(gains: Floats, usual: Floats, accounts: int) -> float:
    """Return the gain from which on accounts are members, of whom at most STRANGERS should be ordinary.

    Args:
        gains: of the accounts with enough prompts of the kind.
        usual: of all of history's accounts, 0 without enough of them.
        accounts: how many the window has.
    """
    levels = np.sort(usual[usual > _LEAST_GAIN])[::-1][: int(MEMBER_RATE * usual.size) + 1]
    for reached, level in reversed(list(enumerate(levels))):
        if reached * accounts <= STRANGERS * usual.size * np.count_nonzero(gains > level):
            return float(level)
    return max(_LEAST_GAIN, float(levels[0])) if levels.size else _LEAST_GAIN


def _chance(gains: Floats, usual: Floats, accounts: int) -> float:
    """Return the chance of so many accounts above a level that so few of history's reach; the better of two levels."""
    p_values = []
    for rate in _LEVELS:
        level = max(_LEAST_GAIN, float(np.quantile(usual, 1 - rate)))
        reached = ((usual > level).sum() + 1) / (usual.size + 1)
        p_values.append(binomial_tail(int((gains > level).sum()), accounts, float(reached)))
    return min(p_values) * len(_LEVELS)


def _ordinariness(own: Floats, usual: Floats) -> float:
    """Compare the log-odds of members' other prompts with those of ordinary accounts."""
    other, ordinary = own[own <= 0], usual[usual <= 0]
    return float(other.mean() / ordinary.mean()) if other.size and ordinary.size and ordinary.mean() else 0.0


def _distinct(found: list[_Members]) -> list[_Members]:
    """Keep the largest of those that have most of their members in common."""
    kept: list[_Members] = []
    for one in sorted(found, key=lambda members: -members.accounts.size):
        shared = [np.isin(one.accounts, other.accounts).mean() for other in kept]
        if max(shared, default=0.0) < _SAME_MEMBERS:
            kept.append(one)
    return kept


def _describe(
    population: Population, owners: Owners, members: _Members, usable: Mask, weights: Floats, tried: int
) -> ContentCommunity | None:
    """Return what there is to know of a community, None where too few accounts are left without those of own topics."""
    rows = np.flatnonzero(members.rows)
    sample = few_rows(population, rows, members.accounts)
    counts, sums = directions(population, sample, members.accounts, weights)
    various = ~(dispersals(counts, sums) > OWN_TOPIC)
    accounts = members.accounts[various]
    if accounts.size < MIN_ACCOUNTS:
        return None
    rows = rows[np.isin(population.row_account[rows], accounts)]
    account = population.row_account[rows]
    sample = sample[np.isin(population.row_account[sample], accounts)]
    traffic = np.bincount(population.row_account[usable], minlength=len(population))[accounts]
    per_owner = np.bincount(np.unique(owners.number[account], return_inverse=True)[1])
    return ContentCommunity(
        rows=rows,
        row_account=account,
        accounts=accounts,
        shares=np.bincount(account, minlength=len(population))[accounts] / traffic,
        rest=members.rest,
        owners=per_owner.size,
        effective_owners=effective_number(per_owner),
        dispersal=float(np.nanmedian(dispersals(counts[various], sums[various]))),
        overlap=measure_overlap(
            population.store.content[sample], population.row_account[sample], population.store.minhash(sample)
        ),
        p_value=min(1.0, members.chance * tried),
        asking=float((population.store.cues[rows] != 0).mean()),
    )
