"""Parties that the registry allows to do what else would look like a harvest: named, counted, held to their limits."""

from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detection.campaigns.alternatives import authorised_use
from stillwatch.detection.exposure import exposure_of
from stillwatch.detection.findings.model import Campaign, Member
from stillwatch.detection.moments import rfc3339
from stillwatch.detection.owners import Owners
from stillwatch.detection.population import Population
from stillwatch.identifiers import campaign_id
from stillwatch.records.registry import RegistryEntry

Ints = npt.NDArray[np.int64]

_EPOCH = date(1970, 1, 1)


def covered_accounts(
    population: Population, owners: Owners, registry: tuple[RegistryEntry, ...], model_days: pa.Table
) -> Ints:
    """Return for each account the number of the registry entry that covers it, -1 for none.

    An entry covers no account that was active outside its days, or used a model which it does not name.
    """
    if not registry:
        return np.full(len(population), -1, np.int64)
    by_account = {account: number for number, entry in enumerate(registry) for account in entry.account_ids}
    by_organisation: dict[str | None, int] = {
        entry.org_id: number for number, entry in enumerate(registry) if entry.org_id
    }
    covered = np.fromiter(
        (
            by_account.get(account, by_organisation.get(own, by_organisation.get(top, -1)))
            for account, own, top in zip(population.ids, owners.declared, owners.organisation, strict=True)
        ),
        np.int64,
        len(population),
    )
    for number, entry in enumerate(registry):
        accounts = np.flatnonzero(covered == number)
        days = _days_of(population, model_days, accounts)
        beyond = days.filter(pc.invert(_within(days, entry))).column("account_id")
        names = population.table.column("account_id").take(pa.array(accounts))
        covered[accounts[np.asarray(pc.is_in(names, beyond.combine_chunks()))]] = -1
    return covered


def _days_of(population: Population, model_days: pa.Table, accounts: Ints) -> pa.Table:
    names = population.table.column("account_id").take(pa.array(accounts)).combine_chunks()
    return model_days.filter(pc.is_in(model_days.column("account_id"), names))


def _within(days: pa.Table, entry: RegistryEntry) -> pa.ChunkedArray:
    """Tell which rows of account, model and day an entry allows."""
    first = (entry.valid_from or date.min) - _EPOCH
    last = (entry.valid_to or date.max) - _EPOCH
    day = days.column("day")
    inside = pc.and_(pc.greater_equal(day, first.days), pc.less_equal(day, last.days))
    if "*" in entry.models:
        return inside
    return pc.and_(inside, pc.is_in(days.column("model"), pa.array(entry.models, pa.string())))


def authorised_campaigns(
    population: Population, covered: Ints, registry: tuple[RegistryEntry, ...], model_days: pa.Table
) -> list[Campaign]:
    """Return one campaign of kind `authorised` for each registry entry that was active in the window."""
    return [
        _campaign(population, np.flatnonzero(covered == number), registry[number], model_days)
        for number in np.unique(covered[covered >= 0])
    ]


def _campaign(population: Population, accounts: Ints, entry: RegistryEntry, model_days: pa.Table) -> Campaign:
    exchanges = population.ints("exchanges")[accounts]
    first, last = population.ints("first_us")[accounts].min(), population.ints("last_us")[accounts].max()
    rows = np.flatnonzero(np.isin(population.row_account, accounts))
    days = _days_of(population, model_days, accounts)
    busiest = int(np.bincount(days.column("day"), weights=days.column("exchanges")).max())
    limit = entry.max_exchanges_per_day
    beyond = limit is not None and busiest > limit
    ids = population.ids
    return Campaign(
        campaign_id=campaign_id([f"registry:{entry.id}"]),
        kind="authorised",
        confidence="high",
        p_value=None,
        accounts=[Member(account_id=ids[account], role="harvester", share=1.0) for account in accounts],
        exchanges=int(exchanges.sum()),
        first_seen=rfc3339(int(first)),
        last_seen=rfc3339(int(last)),
        models=sorted(set(days.column("model").to_pylist())),
        templates=[],
        evidence=[],
        alternatives=[authorised_use(entry, busiest)],
        recommended_action="watch" if beyond else "allow",
        exposure=exposure_of(population.store, rows, []),
    )
