"""Parties that the registry allows to do what else would look like a harvest: named, counted, held to their limits."""

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detection.exposure import exposure_of
from stillwatch.detection.findings.model import Alternative, Campaign, Member
from stillwatch.detection.moments import rfc3339
from stillwatch.detection.owners import Owners
from stillwatch.detection.population import Population
from stillwatch.identifiers import campaign_id
from stillwatch.records.registry import RegistryEntry

Ints = npt.NDArray[np.int64]

DAY_US = 86_400_000_000


def covered_accounts(
    population: Population, owners: Owners, registry: tuple[RegistryEntry, ...], model_days: pa.Table
) -> Ints:
    """Return for each account the number of the registry entry that covers it, -1 for none.

    An entry covers nobody outside its days, and no account that used a model which it does not name.
    """
    now = {number for number, entry in enumerate(registry) if _in_force(entry, population)}
    by_account = {account: number for number in now for account in registry[number].account_ids}
    by_organisation = {registry[number].org_id: number for number in now if registry[number].org_id}
    numbers = {
        account: by_account.get(account, by_organisation.get(organisation, -1) if organisation else -1)
        for account, organisation in zip(population.ids, owners.organisation, strict=True)
    }
    for account, model in zip(*(model_days.column(name).to_pylist() for name in ("account_id", "model")), strict=True):
        if numbers[account] >= 0 and not {"*", model} & set(registry[numbers[account]].models):
            numbers[account] = -1
    return np.fromiter(numbers.values(), np.int64, len(numbers))


def _in_force(entry: RegistryEntry, population: Population) -> bool:
    if not len(population):
        return False
    first = datetime.fromtimestamp(population.ints("first_us").min() / 1e6, UTC).date()
    last = datetime.fromtimestamp(population.ints("last_us").max() / 1e6, UTC).date()
    return (entry.valid_from is None or entry.valid_from <= last) and (
        entry.valid_to is None or entry.valid_to >= first
    )


def authorised_campaigns(population: Population, covered: Ints, registry: tuple[RegistryEntry, ...]) -> list[Campaign]:
    """Return one campaign of kind `authorised` for each registry entry that was active in the window."""
    return [
        _campaign(population, np.flatnonzero(covered == number), registry[number])
        for number in np.unique(covered[covered >= 0])
    ]


def _campaign(population: Population, accounts: Ints, entry: RegistryEntry) -> Campaign:
    exchanges = population.ints("exchanges")[accounts]
    first, last = population.ints("first_us")[accounts].min(), population.ints("last_us")[accounts].max()
    rows = np.flatnonzero(np.isin(population.row_account, accounts))
    per_day = exchanges.sum() / max(1.0, (last - first) / DAY_US)
    limit = entry.max_exchanges_per_day
    beyond = limit is not None and per_day > limit
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
        models=sorted({population.store.models[number] for number in population.store.model[rows]}),
        templates=[],
        evidence=[],
        alternatives=[
            Alternative(
                explanation=f"authorised use ({entry.kind}) by {entry.holder}, registry entry {entry.id}",
                kept=True,
                why=f"{per_day:.0f} exchanges a day; the entry allows {'any number' if limit is None else limit}",
            )
        ],
        recommended_action="watch" if beyond else "allow",
        exposure=exposure_of(population.store, rows, []),
    )
