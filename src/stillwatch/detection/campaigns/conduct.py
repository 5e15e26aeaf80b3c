"""What the accounts of a campaign did alike, beside sending one frame: kinds of evidence that are independent of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import stats

from stillwatch.detection.population import Population
from stillwatch.features.sketch import load_cues
from stillwatch.records.registry import Release
from stillwatch.statistics import binomial_tail

Ints = npt.NDArray[np.int64]

DAY_US = 86_400_000_000
_PIVOT_DAYS = 2
_MIN_TIMED = 5


@dataclass(frozen=True, slots=True)
class Conduct:
    """A p-value and, in words, what it is about."""

    p_value: float
    detail: str


def first_use_synchrony(population: Population, rows: Ints) -> Conduct | None:
    """Did the accounts take the frame up together? Kolmogorov-Smirnov test against the others' first exchange.

    `rows` are the campaign's rows of the store. None with fewer than five accounts.
    """
    account = population.row_account[rows]
    order = np.lexsort((population.store.ts_us[rows], account))
    accounts, first = np.unique(account[order], return_index=True)
    if accounts.size < _MIN_TIMED:
        return None
    taken_up = population.store.ts_us[rows][order][first]
    others = np.delete(population.ints("first_us"), accounts)
    if others.size < _MIN_TIMED:
        return None
    p_value = float(stats.ks_2samp(taken_up, others).pvalue)
    middle = np.percentile(taken_up, [25, 75])
    hours = (middle[1] - middle[0]) / 3_600_000_000
    return Conduct(p_value, f"half of {accounts.size} accounts took the frame up within {hours:.1f} hours")


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
    ids = np.array(population.ids, dtype=object)
    member = np.isin(np.array(model_days.column("account_id").to_pylist(), dtype=object), ids[accounts])
    model = np.array(model_days.column("model").to_pylist(), dtype=object)
    day = np.asarray(model_days.column("day"))
    best: Conduct | None = None
    for release in releases:
        released = int(release.released_at.timestamp() * 1e6) // DAY_US
        early = (model == release.model) & (day >= released) & (day < released + _PIVOT_DAYS)
        names = np.array(model_days.column("account_id").to_pylist(), dtype=object)
        moved, others = len(set(names[early & member])), len(set(names[early & ~member]))
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
