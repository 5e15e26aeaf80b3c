"""The accounts of each campaign: enlisted, shared by several actors or stolen, and given their work."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from stillwatch.errors import UsageError
from stillwatch_range.campaigns import CampaignPlan, Search, choose_eager, enlist, share_out, shifts_of
from stillwatch_range.families import REPLAY
from stillwatch_range.families.base import Source
from stillwatch_range.families.bypass import variants, with_wording, wording
from stillwatch_range.families.replay import present_handles
from stillwatch_range.ids import Identifiers, stream
from stillwatch_range.material import Dialogue, Material
from stillwatch_range.metadata import World
from stillwatch_range.populations import Account, Conversations, Shift, Work
from stillwatch_range.queues import cover_shares, endless_cover, harvest_sizes, most_under, work_queue


@dataclass(slots=True)
class Crew:
    """One campaign's accounts, and how each of them works for it."""

    plan: CampaignPlan
    campaign: str
    accounts: list[Account] = field(default_factory=list)
    shifts: list[Shift] = field(default_factory=list)


def enlist_crews(world: World, ids: Identifiers, plans: tuple[CampaignPlan, ...], seed: int, days: float) -> list[Crew]:
    """Return the campaigns with their accounts, but for those that will steal some.

    Raises:
        UsageError: the first campaign of a pool is not its largest.
    """
    pools: dict[str, list[Account]] = {}
    crews = []
    for number, plan in enumerate(plans):
        rng = stream(seed, "crew", number)
        if plan.stolen:
            crews.append(Crew(plan, ids.take("camp_", 6)))
            continue
        if plan.pool in pools:
            accounts, campaign = _hire(rng, plan, pools[plan.pool]), ids.take("camp_", 6)
            for account in accounts:
                account.also.append(campaign)
        else:
            accounts, campaign = enlist(world, ids, plan)
            if plan.pool is not None:
                pools[plan.pool] = accounts
        choose_eager(rng, plan, accounts)
        crews.append(Crew(plan, campaign, accounts, shifts_of(plan, days)))
    return crews


def steal_keys(world: World, crew: Crew, customers: list[Account], rng: random.Random, days: float) -> None:
    """Let a campaign use the keys of some customers of old, who go on as before.

    Raises:
        UsageError: too few customers have a key and a history.
    """
    plan = crew.plan
    able = [
        account
        for account in customers
        if account.label == "benign" and account.history and account.window and account.party.client.channel != "app"
    ]
    if len(able) < plan.accounts:
        raise UsageError(
            f"{plan.accounts} keys to steal, {len(able)} customers with a key and a history",
            hint="raise returning or benign_accounts",
        )
    crew.accounts = rng.sample(able, plan.accounts)
    thieves = [world.thief(account.party) for account in crew.accounts]
    world.share_infrastructure(thieves, plan.shared_infrastructure)
    crew.shifts = [Shift(plan.days(days), thief.client, plan.rhythm) for thief in thieves]
    for account in crew.accounts:
        account.label, account.cohort = "campaign", plan.family
        account.campaign, account.victim = crew.campaign, True


def supply(
    ids: Identifiers, crews: list[Crew], others: int, talks: Conversations, material: Material, seed: int, days: float
) -> None:
    """Give every campaign its queue and its cover: first those whose size is stated, then the others.

    Args:
        ids: source of handles.
        crews: the campaigns.
        others: exchanges in the window that belong to no campaign.
        talks: conversations that are left for cover.
        material: corpora.
        seed: source of all chance.
        days: length of the window.

    Raises:
        UsageError: the material is too small for a plan.
    """
    plans = [crew.plan for crew in crews]
    sizes = harvest_sizes(plans, others, days)
    sources = [_source(plan, number, talks, material, seed) for number, plan in enumerate(plans)]
    unsized = []
    for crew, size, source in zip(crews, sizes, sources, strict=True):
        if size is None:
            unsized.append((crew, source))
            continue
        queue = work_queue(crew.plan, material, source, wanted=size, most=None)
        _assign(ids, crew, queue, endless_cover(talks), source)
    covers = cover_shares([crew.plan for crew, _ in unsized], talks)
    for (crew, source), cover in zip(unsized, covers, strict=True):
        queue = work_queue(crew.plan, material, source, wanted=None, most=most_under(crew.plan, cover))
        _assign(ids, crew, queue, iter(cover), source)


def _hire(rng: random.Random, plan: CampaignPlan, pool: list[Account]) -> list[Account]:
    if plan.members() > len(pool):
        raise UsageError(
            f"{plan.family}: {plan.members()} accounts wanted of a pool of {len(pool)}",
            hint="name the pool's largest campaign first",
        )
    return rng.sample(pool, plan.members())


def _source(plan: CampaignPlan, number: int, talks: Conversations, material: Material, seed: int) -> Source:
    """Return what a campaign's queue is made from; providers that share a queue have the same stream of chance."""
    own = plan.queue_seed if plan.queue_seed is not None else stream(seed, "queue", number).getrandbits(63)
    return Source(stream(own, "queue", plan.family), talks, material.tasks)


def _assign(ids: Identifiers, crew: Crew, queue: list[Dialogue], cover: Iterator[Dialogue], source: Source) -> None:
    plan, rng = crew.plan, source.rng
    if plan.search is not None:
        _search(rng, crew, plan.search, source)
        chosen = wording(rng)
        queue = [with_wording(chosen, task) for task in queue]
    share_out(rng, plan, crew.accounts, queue, cover, campaign=crew.campaign, shifts=crew.shifts)
    if plan.family == REPLAY:
        present_handles(rng, ids, crew.accounts, crew.campaign)


def _search(rng: random.Random, crew: Crew, search: Search, source: Source) -> None:
    """Let some accounts try variants at the campaign's start; all that they try is the campaign's work."""
    first = crew.plan.start_day
    shift = Shift((first, first + search.days), rhythm="program")
    searchers = rng.sample(crew.accounts[: crew.plan.accounts], search.accounts)
    for number, attempt in enumerate(islice(variants(source, search.refused), search.variants)):
        work = Work(attempt, harvest=True, campaign=crew.campaign, shift=shift)
        searchers[number % len(searchers)].window.append(work)
