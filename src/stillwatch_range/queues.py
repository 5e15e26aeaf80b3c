"""How much each campaign harvests, of what, and under which cover."""

from collections.abc import Iterator
from itertools import islice

from stillwatch.errors import UsageError
from stillwatch_range.campaigns import CampaignPlan, apportion
from stillwatch_range.families import FAMILIES
from stillwatch_range.families.base import Source
from stillwatch_range.material import Dialogue, Material
from stillwatch_range.populations import Conversations

_UNSIZED = 2000
"""Exchanges of a family that never ends, where a plan does not say how many it wants."""
_HINT = "lower exchanges, mixing or the number of benign accounts, or raise invented_talks"


def harvest_sizes(plans: list[CampaignPlan], others: int, window_days: float) -> list[int | None]:
    """Return how many exchanges each plan harvests, None where it takes what it can get.

    Args:
        plans: the window's campaigns.
        others: exchanges in the window that belong to no campaign.
        window_days: length of the window.

    Raises:
        UsageError: shares that leave nothing for others, or that depend on a campaign without a size.
    """
    sizes = [_stated_size(plan, window_days) for plan in plans]
    if all(plan.share is None for plan in plans):
        return sizes
    left, fixed = 1.0, float(others)
    for plan, size in zip(plans, sizes, strict=True):
        fixed += plan.search.variants if plan.search else 0
        grown = 1 / (1 - plan.own_cover())
        if plan.share is not None:
            left -= plan.share * grown
        elif size is not None:
            fixed += size * grown
        else:
            raise UsageError(
                f"{plan.family}: no size, but another campaign's share depends on it",
                hint="give it exchanges, share or pace",
            )
    if left <= 0:
        raise UsageError("the campaigns' shares with their cover leave nothing of the window", hint="lower them")
    return [
        size if plan.share is None else max(1, round(plan.share * fixed / left))
        for plan, size in zip(plans, sizes, strict=True)
    ]


def endless_cover(talks: Conversations) -> Iterator[Dialogue]:
    """Yield ordinary conversations until there are none.

    Raises:
        UsageError: when the last has been handed out.
    """
    while True:
        yield talks.take()


def cover_shares(plans: list[CampaignPlan], talks: Conversations) -> list[list[Dialogue]]:
    """Divide the conversations left over among campaigns without a size, by the square root of their accounts."""
    left = [talks.take() for _ in range(talks.left())]
    weights = [plan.accounts**0.5 if plan.own_cover() else 0.0 for plan in plans]
    counts = apportion(len(left), weights, least=0) if any(weights) else [0] * len(plans)
    return [[left.pop() for _ in range(count)] for count in counts]


def most_under(plan: CampaignPlan, cover: list[Dialogue]) -> int | None:
    """Return how many exchanges a cover allows, None = any number."""
    mixing = plan.own_cover()
    return int(sum(map(len, cover)) * (1 - mixing) / mixing) if mixing else None


def work_queue(
    plan: CampaignPlan, material: Material, source: Source, *, wanted: int | None, most: int | None
) -> list[Dialogue]:
    """Return the harvest's tasks.

    Args:
        plan: the campaign.
        material: where families of the corpora are.
        source: chance, and from what a family that the range makes itself is made.
        wanted: exchanges, None = as many as there are.
        most: exchanges that the cover allows where `wanted` does not say, None = any number.

    Raises:
        UsageError: no such family, or it or its cover is too small for the plan.
    """
    part, parts = plan.queue_part
    if plan.family in material.families:
        family = material.families[plan.family]
        tasks, limit = iter(source.rng.sample(family, len(family))), most
    elif plan.family in FAMILIES:
        tasks, limit = FAMILIES[plan.family](source), _UNSIZED if most is None else min(most, _UNSIZED)
    else:
        known = sorted({*material.families, *FAMILIES})
        raise UsageError(f"unknown family {plan.family!r}", hint=f"one of {', '.join(known)}")
    if wanted is not None and wanted < plan.members():
        raise UsageError(
            f"{plan.family}: {wanted} exchanges are too few for {plan.members()} accounts",
            hint="raise the share or pace, or make the window larger (benign_accounts, invented_talks)",
        )
    queue = list(_cut(islice(tasks, part - 1, None, parts), wanted if wanted is not None else limit))
    exchanges, accounts = sum(map(len, queue)), plan.members()
    if exchanges < (wanted or 0) or len(queue) < accounts:
        raise UsageError(
            f"{plan.family} over {accounts} accounts: {wanted or accounts} exchanges wanted, {exchanges} to be had",
            hint=_HINT,
        )
    return queue


def _cut(tasks: Iterator[Dialogue], exchanges: int | None) -> Iterator[Dialogue]:
    """Yield tasks until they hold so many exchanges; the last one is shortened to fit."""
    left = exchanges
    while left is None or left > 0:
        task = next(tasks, None)
        if task is None:
            return
        yield task[:left]
        left = None if left is None else left - len(task)


def _stated_size(plan: CampaignPlan, window_days: float) -> int | None:
    if plan.pace is None:
        return plan.exchanges
    first, last = plan.days(window_days)
    asked = plan.accounts * plan.pace * (last - first)
    return max(1, round(asked * (1 - plan.own_cover())))
