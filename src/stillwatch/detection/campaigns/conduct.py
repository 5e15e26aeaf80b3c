"""What the accounts of a campaign did alike, beside sending one frame: kinds of evidence that are independent of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detection.population import Floats, Population
from stillwatch.features.sketch import load_cues
from stillwatch.records.registry import Release
from stillwatch.statistics import binomial_tail, uniform_p_value

Ints = npt.NDArray[np.int64]

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
_PIVOT_DAYS = 2
_MIN_TIMED = 5
_ONLY_FRAME = 0.5
_PERMUTATIONS = 999
_MAX_CELLS = 2_000_000
_LIKE_ACCOUNTS = 200


@dataclass(frozen=True, slots=True)
class Conduct:
    """A p-value and, in words, what it is about."""

    p_value: float
    detail: str


def first_use_synchrony(population: Population, rows: Ints, seed: int) -> Conduct | None:
    """Did the accounts take the frame up closer together than their own activity explains?

    Permutation test: each account's uses of the frame are put at random among its exchanges, and the middle half of the
    accounts' first uses is measured again. The first of k uses among n exchanges is then a negative hypergeometric
    number, a binomial whose rate is beta distributed. `rows` are the campaign's rows of the store. None with fewer than
    five accounts, or where the accounts did nothing else, for then there is nothing to compare with.
    """
    uses = np.bincount(population.row_account[rows], minlength=len(population))
    accounts = np.flatnonzero(uses)
    own = np.flatnonzero(np.isin(population.row_account, accounts))
    own = own[np.lexsort((population.store.ts_us[own], population.row_account[own]))]
    times = population.store.ts_us[own]
    _, start, size = np.unique(population.row_account[own], return_index=True, return_counts=True)
    if accounts.size < _MIN_TIMED or (size == uses[accounts]).mean() > _ONLY_FRAME:
        return None
    in_frame = np.isin(own, rows)
    first = times[in_frame][np.unique(population.row_account[own][in_frame], return_index=True)[1]]
    observed = _middle_half(first[None, :])[0]
    rng, used = np.random.default_rng(seed), uses[accounts]
    at_most = 0
    for block in _blocks(accounts.size):
        place = rng.binomial(size - used, rng.beta(1, used, (block, accounts.size)))
        at_most += int((_middle_half(times[start + place]) <= observed).sum())
    p_value = (1 + at_most) / (1 + _PERMUTATIONS)
    return Conduct(p_value, f"half of {accounts.size} accounts took the frame up within {observed / HOUR_US:.1f} hours")


def _blocks(accounts: int) -> Iterator[int]:
    """Cut the permutations into pieces whose matrices stay small, however many accounts a campaign has."""
    block = max(1, _MAX_CELLS // accounts)
    for done in range(0, _PERMUTATIONS, block):
        yield min(block, _PERMUTATIONS - done)


def first_seen_synchrony(population: Population, accounts: Ints) -> Conduct | None:
    """Did the accounts appear together?

    Kolmogorov-Smirnov test that their first exchanges are spread like those of accounts that are as active: whoever
    asks seldom appears late, so each first exchange becomes its rank among the accounts of like activity.
    """
    first = population.ints("first_us")
    if min(accounts.size, first.size - accounts.size) < _MIN_TIMED:
        return None
    hours = _middle_half(first[accounts][None, :])[0] / HOUR_US
    p_value = uniform_p_value(_ranks(first, population.ints("exchanges"))[accounts])
    return Conduct(p_value, f"half of {accounts.size} accounts appeared within {hours:.1f} hours")


def _ranks(moments: Ints, activity: Ints) -> Floats:
    """Rank each moment (0..1, ties share their middle) among the accounts of about the same activity."""
    edges = np.unique(np.quantile(activity, np.linspace(0, 1, 1 + max(1, moments.size // _LIKE_ACCOUNTS))))
    alike = np.searchsorted(edges[1:-1], activity, side="right")
    ranks = np.empty(moments.size)
    order = np.argsort(alike, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(alike[order])) + 1):
        _, place, ties = np.unique(moments[group], return_inverse=True, return_counts=True)
        ranks[group] = (np.cumsum(ties) - ties / 2)[place] / group.size
    return ranks


def _middle_half(moments: Ints) -> Floats:
    """Return the width of the middle half of each row, in µs."""
    low, high = np.percentile(moments, [25, 75], axis=1)
    width: Floats = high - low
    return width


def harvest_intent(population: Population, rows: Ints, accounts: Ints) -> tuple[Conduct | None, list[str]]:
    """Do the campaign's prompts ask for reasoning, grades or tasks more than others' do?

    Returns the test (accounts that mostly ask so, against the rate among the other accounts) and the names of the cues.
    """
    cues = population.store.cues
    asking = _mostly(population.row_account, cues != 0, len(population))
    inside = _mostly(population.row_account[rows], cues[rows] != 0, len(population))
    others = np.ones(len(population), np.bool_)
    others[accounts] = False
    others &= np.bincount(population.row_account, minlength=len(population)) > 0
    rate = (asking[others].sum() + 1) / (others.sum() + 2)
    found = int(inside[accounts].sum())
    names = load_cues().names
    common = [name for bit, name in enumerate(names) if (cues[rows] & (1 << bit) != 0).mean() >= 0.25]
    if found == 0:
        return None, common
    p_value = binomial_tail(found, accounts.size, float(rate))
    detail = (
        f"{found} of {accounts.size} accounts mostly ask for {', '.join(common) or 'it'}; {rate:.1%} of the others do"
    )
    return Conduct(p_value, detail), common


def _mostly(account: Ints, flag: npt.NDArray[np.bool_], accounts: int) -> npt.NDArray[np.bool_]:
    total = np.bincount(account, minlength=accounts)
    return (total > 0) & (np.bincount(account, weights=flag, minlength=accounts) * 2 >= np.maximum(total, 1))


def release_pivot(
    population: Population, model_days: pa.Table, accounts: Ints, releases: tuple[Release, ...]
) -> Conduct | None:
    """Did the accounts move to a new model within two days of its release more than others did?

    `model_days` is the table of features.links.model_days. The most telling release counts, times the number tried.
    """
    members = population.table.column("account_id").take(pa.array(accounts))
    best: Conduct | None = None
    for release in releases:
        released = int(release.released_at.timestamp() * 1e6) // DAY_US
        used = pc.equal(model_days.column("model"), release.model)
        late = pc.subtract(model_days.column("day"), released)
        soon = pc.and_(pc.greater_equal(late, 0), pc.less(late, _PIVOT_DAYS))
        early = model_days.column("account_id").filter(pc.and_(used, soon)).unique()
        moved = pc.sum(pc.is_in(early, members.combine_chunks())).as_py() or 0
        others = len(early) - moved
        rate = (others + 1) / (len(population) - accounts.size + 2)
        p_value = min(1.0, binomial_tail(moved, accounts.size, rate) * len(releases)) if moved else 1.0
        detail = (
            f"{moved} of {accounts.size} accounts used {release.model} within 48 hours; {rate:.1%} of the others did"
        )
        if best is None or p_value < best.p_value:
            best = Conduct(p_value, detail)
    return best


def handle_replay(population: Population, replays: pa.Table, accounts: Ints) -> Conduct | None:
    """Did the accounts present reasoning handles that were issued to other accounts more than others did?"""
    members = population.table.column("account_id").take(pa.array(accounts))
    replaying = replays.column("account_id").combine_chunks()
    found = pc.sum(pc.is_in(members, replaying)).as_py() or 0
    if found == 0:
        return None
    rate = (len(replaying) - found + 1) / (len(population) - accounts.size + 2)
    p_value = binomial_tail(found, accounts.size, rate)
    return Conduct(p_value, f"{found} of {accounts.size} accounts presented reasoning handles of other accounts")
