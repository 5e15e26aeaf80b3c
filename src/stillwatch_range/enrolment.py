"""Fills a window with accounts: ordinary ones, campaigns with their cover, legitimate heavy users."""

import random
from dataclasses import replace
from typing import NamedTuple

from stillwatch.errors import UsageError
from stillwatch_range.crews import enlist_crews, steal_keys, supply
from stillwatch_range.families.base import Source
from stillwatch_range.ids import Identifiers, stream
from stillwatch_range.material import Material
from stillwatch_range.metadata import Party, World
from stillwatch_range.plan import Scenario
from stillwatch_range.populations import Account, Conversations, crowd, ordinary_work
from stillwatch_range.profiles import dress
from stillwatch_range.text import invent_populations
from stillwatch_range.workloads import heavy_accounts

_NEWCOMERS = 0.3
"""Part of the window's ordinary accounts that belong to a population which arrives in it."""


class Cast(NamedTuple):
    """All accounts of history and window in random order, and the family of each campaign."""

    accounts: list[Account]
    families: dict[str, str]


def populate(material: Material, scenario: Scenario, seed: int, opening_us: int) -> Cast:
    """Return who is in a window and its history, with all that they send.

    Raises:
        UsageError: the material is too small for the scenario, or the scenario names what is not in it.
    """
    if scenario.invented_talks:
        material = _lengthened(material, scenario.invented_talks, seed)
    ids, days = Identifiers(seed), scenario.days
    world = World(
        stream(seed, "world"),
        ids,
        opening_us,
        scenario.benign_accounts + scenario.history_accounts,
    )
    crews = enlist_crews(world, ids, scenario.campaigns, seed, days)
    accounts, talks = _ordinary_accounts(world, ids, material, scenario, seed)
    if scenario.hard_negatives != "none":
        known = scenario.hard_negatives == "known"
        for workload in scenario.workloads:
            source = Source(stream(seed, "workload", workload.name), talks, material.tasks)
            day = scenario.released()
            accounts += heavy_accounts(world, source, ids, material, workload, known=known, release_day=day)
    others = sum(len(work.dialogue) for account in accounts for work in account.window)
    for crew in crews:
        if crew.plan.stolen:
            steal_keys(world, crew, accounts, stream(seed, "theft", crew.campaign), days)
    supply(ids, crews, others, talks, material, seed, days)
    enlisted = {account.account_id: account for crew in crews if not crew.plan.stolen for account in crew.accounts}
    accounts.extend(enlisted.values())
    if scenario.profiles:
        used = [(workload.name, workload.profile) for workload in scenario.workloads]
        used += [(plan.family, plan.profile) for plan in scenario.campaigns]
        named = {cohort: profile for cohort, profile in used if profile is not None}
        dress(stream(seed, "profiles"), accounts, named)
    stream(seed, "order").shuffle(accounts)
    return Cast(accounts, {crew.campaign: crew.plan.family for crew in crews})


def _lengthened(material: Material, talks: int, seed: int) -> Material:
    """Return material with further populations that the range writes itself."""
    own = stream(seed, "lengthened").getrandbits(63)
    further = {f"invented {name}": pile for name, pile in invent_populations(own, talks).items()}
    return replace(material, populations={**material.populations, **further})


def _ordinary_accounts(
    world: World, ids: Identifiers, material: Material, scenario: Scenario, seed: int
) -> tuple[list[Account], Conversations]:
    """Return the ordinary accounts, and the conversations that are left."""
    rng = stream(seed, "ordinary")
    talks = Conversations(rng, material.populations)
    accounts = []
    arrivals = 0
    if scenario.drift is not None:
        if scenario.drift not in material.populations:
            raise UsageError(
                f"unknown population {scenario.drift!r}",
                hint=f"one of {', '.join(sorted(material.populations))}",
            )
        newcomers, talks = talks, talks.without(scenario.drift)
        arrivals = round(scenario.benign_accounts * _NEWCOMERS)
        for party in crowd(world, rng, arrivals):
            work = ordinary_work(rng, newcomers, scenario.drift)
            accounts.append(Account(ids.take("acct_"), party, "benign", "drift", window=work))
    present = scenario.benign_accounts - arrivals
    loyal = min(round(present * scenario.returning), scenario.history_accounts)
    accounts += [
        _customer(rng, ids, party, talks, before=number < loyal, now=True)
        for number, party in enumerate(crowd(world, rng, present))
    ]
    absent = crowd(world, rng, scenario.history_accounts - loyal)
    accounts += [_customer(rng, ids, party, talks, before=True, now=False) for party in absent]
    return accounts, talks


def _customer(
    rng: random.Random, ids: Identifiers, party: Party, talks: Conversations, *, before: bool, now: bool
) -> Account:
    home = talks.any_population()
    account = Account(ids.take("acct_"), party, "benign", "ordinary")
    account.window = ordinary_work(rng, talks, home=home) if now else []
    account.history = ordinary_work(rng, talks, home=home) if before else []
    return account
