"""Attackers: a harvest's work queue shared out over many accounts, with ordinary traffic mixed in."""

import random
from collections.abc import Iterator
from itertools import pairwise

import msgspec

from stillwatch_range.ids import Identifiers
from stillwatch_range.material import Dialogue
from stillwatch_range.metadata import Network, Party, World
from stillwatch_range.populations import Account, Shift, Work
from stillwatch_range.timing import Rhythm

_FIRMS = 0.2
"""Part of a campaign's accounts that pose as firms: as many as among ordinary accounts, offices included."""
_BUSIEST_PERSON = 120.0
"""Requests a day beyond which no person's hours would hold them."""


class Failover(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ban, and the pool that was kept ready for it.

    Attributes:
        day: moment of the ban, in days since the window's start; all accounts of the first pool fall silent.
        standby: accounts of the second pool, which hold still until then and go on with the rest of the queue.
    """

    day: float
    standby: int


class Search(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A search for a wording that gets past the safeguards, before the harvest scales up with the one that does.

    Attributes:
        variants: requests of it, each another bypass.
        accounts: how many of the campaign's accounts search.
        days: how long they do so; nobody harvests before the end of it.
        refused: part of the variants that is refused.
    """

    variants: int
    accounts: int
    days: float
    refused: float = 0.95


class CampaignPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One campaign to plant.

    At most one of `exchanges`, `share` and `pace` says how much it harvests; without any it is as much as the
    family and the conversations left over for cover allow.

    Attributes:
        family: what it harvests: key into Material.families, or a family that the range makes itself.
        accounts: accounts that share the work queue.
        mixing: part of the accounts' traffic that is unrelated to the harvest, 0..1; not for stolen keys.
        exchanges: harvested exchanges.
        share: harvested part of the window's exchanges, a search apart.
        pace: requests per account and day, unrelated ones included.
        shared_infrastructure: part of the accounts that share a card, a proxy or a device with a few others.
        residential: accounts sit behind addresses of homes only, and no two behind one.
        start_day: when it begins, in days since the window's start.
        end_day: when it ends, None = with the window.
        rhythm: how its accounts send: like people, like programs in a few runs, or like programs every day.
        spread: unevenness of the shards, as the standard deviation of the logarithm of their sizes.
        pivot: part of the accounts that move to a released model within a day, None = as many as of everybody.
        failover: a ban within the window.
        search: a phase of trying before the harvest.
        pool: campaigns of one pool use the same accounts, the smaller ones a part of them.
        stolen: instead of accounts of its own it uses keys of customers, who go on with their own work.
        channel: the cloud or reseller through which `channel_share` of the accounts come.
        channel_share: see `channel`.
        queue_seed: order of the work queue. Campaigns at two providers that share one queue have the same seed.
        profile: the recorded program that its accounts use, where the scenario has profiles, None = browsers, and
            programs like everybody's.
        queue_part: (i, n): this provider gets every n-th task, from the i-th on, counted from 1.
    """

    family: str
    accounts: int
    mixing: float = 0.5
    exchanges: int | None = None
    share: float | None = None
    pace: float | None = None
    shared_infrastructure: float = 0.4
    residential: bool = False
    start_day: float = 0.0
    end_day: float | None = None
    rhythm: Rhythm = "human"
    spread: float = 0.5
    pivot: float | None = None
    failover: Failover | None = None
    search: Search | None = None
    pool: str | None = None
    stolen: bool = False
    channel: str | None = None
    channel_share: float = 0.5
    queue_seed: int | None = None
    queue_part: tuple[int, int] = (1, 1)
    profile: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.mixing < 1 or not 0 <= self.shared_infrastructure <= 1 or self.accounts < 1:
            raise ValueError("mixing lies in [0, 1), shared_infrastructure in [0, 1], accounts is at least 1")
        if sum(size is not None for size in (self.exchanges, self.share, self.pace)) > 1:
            raise ValueError("only one of exchanges, share and pace says how much is harvested")
        if self.share is not None and not 0 < self.share < 1 - self.mixing:
            raise ValueError("share lies in (0, 1 - mixing)")
        if self.pace is not None and not 0 < self.pace <= (_BUSIEST_PERSON if self.rhythm == "human" else 10_000):
            raise ValueError(f"pace is positive; above {_BUSIEST_PERSON:.0f} a day the rhythm cannot be human")
        if not 0 <= self.start_day < (self.end_day or float("inf")):
            raise ValueError("start_day lies before end_day, neither before the window")
        if not 1 <= self.queue_part[0] <= self.queue_part[1]:
            raise ValueError("queue_part is (i, n) with 1 <= i <= n")
        if self.stolen and (self.pool or self.failover or self.channel or self.search):
            raise ValueError("stolen keys have no pool, failover, channel or search of their own")
        if self.search and self.search.accounts > self.accounts:
            raise ValueError("no more accounts search than there are")

    def members(self) -> int:
        """Return how many accounts there are, those of a standby pool included."""
        return self.accounts + (self.failover.standby if self.failover else 0)

    def own_cover(self) -> float:
        """Return the mixing that the campaign sees to; keys that were stolen have their owners' traffic instead."""
        return 0.0 if self.stolen else self.mixing

    def days(self, window_days: float) -> tuple[float, float]:
        """Return when the harvest begins and ends, in days since the window's start."""
        searched = self.search.days if self.search else 0.0
        return self.start_day + searched, min(window_days, self.end_day or window_days)


def enlist(world: World, ids: Identifiers, plan: CampaignPlan) -> tuple[list[Account], str]:
    """Return the campaign's accounts without work, and its name: people like everybody, some sharing infrastructure.

    The accounts of a standby pool come last.
    """
    home: Network | None = "home" if plan.residential else None
    parties: list[Party] = [
        world.person(
            firm=_FIRMS, network=home, program=None if plan.rhythm == "human" and plan.profile is None else True
        )
        for _ in range(plan.members())
    ]
    world.share_infrastructure(parties, plan.shared_infrastructure)
    if plan.channel is not None:
        world.move_to_channel(parties, plan.channel, plan.channel_share)
    campaign = ids.take("camp_", 6)
    accounts = [
        Account(ids.take("acct_"), party, "campaign", plan.family, campaign=campaign, rhythm=plan.rhythm)
        for party in parties
    ]
    return accounts, campaign


def choose_eager(rng: random.Random, plan: CampaignPlan, accounts: list[Account]) -> None:
    """Let the part of the accounts that the plan names move to a released model within a day."""
    if plan.pivot is not None:
        for account in rng.sample(accounts, round(plan.pivot * len(accounts))):
            account.eager = True


def share_out(
    rng: random.Random,
    plan: CampaignPlan,
    accounts: list[Account],
    queue: list[Dialogue],
    cover: Iterator[Dialogue],
    *,
    campaign: str | None = None,
    shifts: list[Shift],
) -> None:
    """Give each account its shard of the queue, never the same task twice, and its unrelated conversations.

    Shards are log-normal in size and grow with the time that an account has. `cover` is used up as far as
    `mixing` asks.

    Args:
        rng: source of chance.
        plan: the campaign.
        accounts: who shares the queue; what they have to do already stays.
        queue: all tasks.
        cover: unrelated conversations.
        campaign: whose work it is, None = that of the account's own campaign.
        shifts: how each account does the campaign's work.
    """
    weights = [rng.lognormvariate(0, plan.spread) * _length(shift) for shift in shifts]
    requests = sum(map(len, queue))
    harvest = apportion(len(queue), weights)
    mixed = round(requests * plan.own_cover() / (1 - plan.own_cover()))
    unrelated = apportion(mixed, [weight * rng.lognormvariate(0, 0.3) for weight in weights])
    tasks = iter(rng.sample(queue, len(queue)))
    for account, own, other, shift in zip(accounts, harvest, unrelated, shifts, strict=True):
        work = [Work(next(tasks), harvest=True, campaign=campaign, shift=shift) for _ in range(own)]
        covered = 0
        while covered < other and (talk := next(cover, None)) is not None:
            work.append(Work(talk, shift=shift))
            covered += len(talk)
        account.window.extend(rng.sample(work, len(work)))


def shifts_of(plan: CampaignPlan, window_days: float) -> list[Shift]:
    """Return when each account works for the campaign: all of its time, or before or after a ban."""
    first, last = plan.days(window_days)
    if plan.failover is None:
        return [Shift(None if (first, last) == (0.0, window_days) else (first, last))] * plan.accounts
    ban = min(max(plan.failover.day, first), last)
    return [Shift((first, ban))] * plan.accounts + [Shift((ban, last))] * plan.failover.standby


def _length(shift: Shift) -> float:
    return 1.0 if shift.days is None else max(1e-6, shift.days[1] - shift.days[0])


def apportion(total: int, weights: list[float], least: int = 1) -> list[int]:
    """Split `total` in proportion to `weights`, each part at least `least` where the total allows."""
    least = min(least, total // len(weights))
    spare, scale = total - least * len(weights), sum(weights)
    edges, running = [0], 0.0
    for weight in weights:
        running += weight
        edges.append(round(spare * running / scale))
    return [least + later - earlier for earlier, later in pairwise(edges)]
