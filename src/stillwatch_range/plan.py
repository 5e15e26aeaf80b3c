"""What a scenario file can say of a window; `CampaignPlan` and `Workload` hold what it says of each part."""

from typing import Literal

import msgspec

from stillwatch_range.campaigns import CampaignPlan
from stillwatch_range.workloads import WORKLOADS, Workload

_RELEASE_HOUR = 17


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One window to make.

    Conversations of the corpora are never used twice, so they bound how many accounts and how much cover a window
    can hold; where they run out, building it ends with an error. `invented_talks` adds conversations that the
    range writes itself. They go to everybody alike, ordinary accounts and cover, so that they tell nothing.

    Attributes:
        campaigns: what to plant; empty = a campaign-free window.
        benign_accounts: ordinary accounts in the window.
        history_accounts: ordinary accounts before it.
        returning: part of the window's ordinary accounts that are among those of the history.
        days: length of the window, and of the history before it.
        later: days by which all of it comes later, for a provider that is harvested after another.
        release_day: when a model is released, in days since the window's start, None = half-way in the evening.
        hard_negatives: legitimate heavy users: absent, known from the history, or new in the window.
        metadata: whether exchanges and accounts carry anything but text, time and identifiers.
        drift: a population whose people are absent from the history and arrive in the window.
        workloads: the heavy users, where they differ from the usual ones.
        profiles: whether programs send what recorded ones do, campaigns and customers alike.
        invented_talks: conversations of ordinary people to add to those of the corpora.
    """

    name: str
    campaigns: tuple[CampaignPlan, ...] = ()
    benign_accounts: int = 1000
    history_accounts: int = 1000
    returning: float = 0.0
    days: int = 7
    later: int = 0
    release_day: float | None = None
    hard_negatives: Literal["none", "known", "new"] = "new"
    metadata: bool = True
    drift: str | None = None
    workloads: tuple[Workload, ...] = WORKLOADS
    profiles: bool = False
    invented_talks: int = 0

    def released(self) -> float:
        """Return when a model is released, in days since the window's start."""
        return self.days // 2 + _RELEASE_HOUR / 24 if self.release_day is None else self.release_day

    def __post_init__(self) -> None:
        if (
            not 0 <= self.returning <= 1
            or self.days < 1
            or self.later < 0
            or min(self.benign_accounts, self.history_accounts) < 0
        ):
            raise ValueError("returning lies in [0, 1], days is at least 1, accounts are not negative")
        if self.release_day is not None and not 0 <= self.release_day <= self.days:
            raise ValueError("release_day lies in the window")
