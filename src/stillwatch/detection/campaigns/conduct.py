"""What the accounts of a campaign did alike, beside sending one frame: kinds of evidence that are independent of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import stats

from stillwatch.detection.population import Floats, Population
from stillwatch.features.sketch import load_cues
from stillwatch.records.registry import Release
from stillwatch.statistics import binomial_tail

Ints = npt.NDArray[np.int64]

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
_PIVOT_DAYS = 2
_MIN_TIMED = 5
_ONLY_FRAME = 0.5
_PERMUTATIONS = 999


@dataclass(frozen=True, slots=True)
class Conduct:
    """A p-value and, in words, what it is about."""

    p_value: float
    detail: str


def first_use_synchrony(population: Population, rows: Ints, seed: int) -> Conduct | None:
    """Did the accounts take the frame up closer together than their own activity explains?

    Permutation test: each account's uses of the frame are put at random among its exchanges, and the middle half of the
    accounts' first uses is measured again. `rows` are the campaign's rows of the store. None with fewer than five
    accounts, or where the accounts did nothing else, for then there is nothing to compare with.
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
    chance = np.random.default_rng(seed).random((_PERMUTATIONS, accounts.size))
    place = (size * (1 - chance ** (1 / uses[accounts]))).astype(np.int64)
    p_value = (1 + int((_middle_half(times[start + place]) <= observed).sum())) / (1 + _PERMUTATIONS)
    return Conduct(p_value, f"half of {accounts.size} accounts took the frame up within {observed / HOUR_US:.1f} hours")


def first_seen_synchrony(population: Population, accounts: Ints) -> Conduct | None:
    """Did the accounts appear together? Two-sample Kolmogorov-Smirnov test of their first exchanges against others'."""
    first = population.ints("first_us")
    others = np.delete(first, accounts)
    if min(accounts.size, others.size) < _MIN_TIMED:
        return None
    hours = _middle_half(first[accounts][None, :])[0] / HOUR_US
    p_value = float(stats.ks_2samp(first[accounts], others).pvalue)
    return Conduct(p_value, f"half of {accounts.size} accounts appeared within {hours:.1f} hours")


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
    account = np.asarray(pc.index_in(model_days.column("account_id"), population.table.column("account_id")))
    member = np.isin(account, accounts)
    model = np.asarray(model_days.column("model"), dtype=object)
    day = np.asarray(model_days.column("day"))
    best: Conduct | None = None
    for release in releases:
        released = int(release.released_at.timestamp() * 1e6) // DAY_US
        early = (model == release.model) & (day >= released) & (day < released + _PIVOT_DAYS)
        moved, others = np.unique(account[early & member]).size, np.unique(account[early & ~member]).size
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
    replaying = set(replays.column("account_id").to_pylist())
    ids = population.ids
    found = sum(ids[account] in replaying for account in accounts)
    if found == 0:
        return None
    rate = (len(replaying) - found + 1) / (len(population) - accounts.size + 2)
    p_value = binomial_tail(found, accounts.size, rate)
    return Conduct(p_value, f"{found} of {accounts.size} accounts presented reasoning handles of other accounts")
