"""Attackers: a harvest's work queue shared out over many accounts, with ordinary traffic mixed in."""

import random
from itertools import pairwise

import msgspec

from stillwatch.errors import UsageError
from stillwatch_range.ids import Identifiers
from stillwatch_range.material import Dialogue, Material
from stillwatch_range.metadata import Party, World
from stillwatch_range.populations import Account, Conversations, Work

_FIRMS = 0.2
"""Part of a campaign's accounts that pose as firms: as many as among ordinary accounts, offices included."""


class CampaignPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One campaign to plant.

    Attributes:
        family: key into Material.families.
        accounts: accounts that share the work queue.
        mixing: part of the accounts' traffic that is unrelated to the harvest, 0..1.
        exchanges: harvested exchanges; None = as many as the family and the conversations left over allow.
        shared_infrastructure: part of the accounts that share a card, a proxy or a device with a few others.
    """

    family: str
    accounts: int
    mixing: float = 0.5
    exchanges: int | None = None
    shared_infrastructure: float = 0.4

    def __post_init__(self) -> None:
        if not 0 <= self.mixing < 1 or not 0 <= self.shared_infrastructure <= 1 or self.accounts < 1:
            raise ValueError("mixing lies in [0, 1), shared_infrastructure in [0, 1], accounts is at least 1")


def enlist(world: World, ids: Identifiers, plan: CampaignPlan) -> list[Account]:
    """Return the campaign's accounts without work: people like everybody, some sharing infrastructure."""
    parties: list[Party] = [world.person(firm=_FIRMS) for _ in range(plan.accounts)]
    world.share_infrastructure(parties, plan.shared_infrastructure)
    campaign = ids.take("camp_", 6)
    return [Account(ids.take("acct_"), party, "campaign", plan.family, campaign=campaign) for party in parties]


def share_out(
    rng: random.Random,
    plan: CampaignPlan,
    accounts: list[Account],
    queue: list[Dialogue],
    cover: list[Dialogue],
) -> None:
    """Give each account its shard of the queue, never the same task twice, and its unrelated conversations.

    Shards are log-normal; `cover` is used up as far as `mixing` asks.
    """
    weights = [rng.lognormvariate(0, 0.5) for _ in accounts]
    harvest = _apportion(len(queue), weights)
    mixed = round(len(queue) * plan.mixing / (1 - plan.mixing))
    unrelated = _apportion(mixed, [weight * rng.lognormvariate(0, 0.3) for weight in weights])
    talks = iter(cover)
    tasks = iter(rng.sample(queue, len(queue)))
    for account, own, other in zip(accounts, harvest, unrelated, strict=True):
        work = [Work(next(tasks), harvest=True) for _ in range(own)]
        requests = 0
        while requests < other and (talk := next(talks, None)) is not None:
            work.append(Work(talk))
            requests += len(talk)
        account.window = rng.sample(work, len(work))


def cover_shares(plans: list[CampaignPlan], talks: Conversations) -> list[list[Dialogue]]:
    """Divide the conversations left over among the campaigns, by the square root of their accounts."""
    left = [talks.take() for _ in range(talks.left())]
    weights = [plan.accounts**0.5 if plan.mixing else 0.0 for plan in plans]
    counts = _apportion(len(left), weights, least=0) if any(weights) else [0] * len(plans)
    return [[left.pop() for _ in range(count)] for count in counts]


def work_queue(rng: random.Random, plan: CampaignPlan, material: Material, cover: list[Dialogue]) -> list[Dialogue]:
    """Return the harvest's tasks: as many as the plan says, or as the cover allows.

    Raises:
        UsageError: the family or the cover is too small for the plan.
    """
    family = material.families.get(plan.family)
    if family is None:
        raise UsageError(f"unknown family {plan.family!r}", hint=f"one of {', '.join(sorted(material.families))}")
    requests = sum(map(len, cover))
    most = len(family) if plan.mixing == 0 else min(len(family), int(requests * (1 - plan.mixing) / plan.mixing))
    wanted = most if plan.exchanges is None else plan.exchanges
    if wanted > most or most < plan.accounts:
        raise UsageError(
            f"{plan.family} over {plan.accounts} accounts: {wanted} exchanges wanted, {most} to be had",
            hint="lower exchanges, mixing or the number of benign accounts",
        )
    return rng.sample(family, wanted)


def _apportion(total: int, weights: list[float], least: int = 1) -> list[int]:
    """Split `total` in proportion to `weights`, each part at least `least` where the total allows."""
    least = min(least, total // len(weights))
    spare, scale = total - least * len(weights), sum(weights)
    edges, running = [0], 0.0
    for weight in weights:
        running += weight
        edges.append(round(spare * running / scale))
    return [least + later - earlier for earlier, later in pairwise(edges)]
