"""How much of a harvest is taken before it is contained, from a replay in time order (contract: cli.md, `range score`).

An exchange is contained when, at its time, a verdict of throttle, challenge, degrade or block holds for its account
or for its text. What a harder verdict alone would have held back is given beside it. Limits are Clopper-Pearson and
take exchanges for independent, which those of one account are not: they are too narrow rather than too wide.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detection.findings.model import ACTIONS, Action
from stillwatch.errors import UsageError
from stillwatch_range.gateway import Ints, Levels, read_received
from stillwatch_range.replay import Replayed, replay, request_of
from stillwatch_range.scoring import FLAGGED, Rate, by_campaign, rate
from stillwatch_range.truth import TrueAccount, Truth, read_harvest, read_truth

Mask = npt.NDArray[np.bool_]

_QUICKLY = 20
"""Requests of a fresh account within which a known campaign should be recognised."""
_GROUPS: dict[str, Callable[[TrueAccount], bool]] = {
    "benign": lambda account: account.label == "benign",
    "drift": lambda account: account.cohort == "drift",
    "hard_negative": lambda account: account.label == "hard_negative",
    "new_customer": lambda account: account.cohort.startswith("new:"),
}


@dataclass(frozen=True, slots=True)
class Traffic:
    """A window's exchanges in order of time; arrays of one length.

    Attributes:
        account: place in `accounts`.
        campaign: place in `campaigns` of the campaign that the account belongs to, -1 for none.
        harvest: place in `campaigns` of the campaign that harvests with it, -1 where it is no harvest.
        by_account: what the account's verdict did to it, `by_text` its text (places in ACTIONS).
    """

    accounts: list[str]
    campaigns: list[str]
    account: Ints
    campaign: Ints
    harvest: Ints
    by_account: Levels
    by_text: Levels

    @classmethod
    def of(cls, passage: pa.Table, truth: Truth, harvest: dict[str, str], *, warned: bool = False) -> Self:
        """Lay the truth beside what became of each exchange (PASSAGE_SCHEMA).

        Raises:
            UsageError: none of the harvest is among the exchanges.
        """
        found = pc.index_in(passage.column("exchange_id"), pa.array(harvest, pa.string()))
        listed = np.asarray(found.fill_null(-1)).astype(np.int64)
        if harvest and not (listed >= 0).any():
            raise UsageError("the run looked at another window: its logs hold nothing of the truth's harvest")
        encoded = passage.column("account_id").combine_chunks().dictionary_encode()
        accounts = encoded.dictionary.to_pylist()
        account = np.asarray(encoded.indices).astype(np.int64)
        campaigns = sorted(truth.campaigns)
        place = {name: number for number, name in enumerate(campaigns)}
        purposes = np.array([*(place[name] for name in harvest.values()), -1], np.int64)
        planted = (truth.accounts[name].campaign if name in truth.accounts else None for name in accounts)
        return cls(
            accounts=accounts,
            campaigns=campaigns,
            account=account,
            campaign=np.array([-1 if name is None else place[name] for name in planted], np.int64)[account],
            harvest=purposes[listed],
            by_account=np.asarray(passage.column("by_account")),
            by_text=np.asarray(passage.column("by_text_warned" if warned else "by_text")),
        )

    def held_back(self, least: Action = "throttle") -> Mask:
        """Return which exchanges an action at least as hard as `least` held back."""
        held: Mask = np.maximum(self.by_account, self.by_text) >= ACTIONS.index(least)
        return held


def score_replay(truth_path: Path, run_dir: Path, *, step_hours: float, received: Path | None = None) -> dict[str, Any]:
    """Replay the run's window in time order and score what its verdicts hold back.

    Args:
        truth_path: truth.json; harvest_ids.jsonl.gz lies beside it.
        run_dir: a finished run of detection; what it looked at is what is replayed.
        step_hours: time between two runs of detection.
        received: received.jsonl, or verdicts.jsonl of another provider, whose indicators are known from the start.

    Raises:
        UsageError: a file is absent or wrong, or the run looked at another window.
    """
    truth, harvest = read_truth(truth_path), read_harvest(truth_path.parent / "harvest_ids.jsonl.gz")
    replayed = replay(request_of(run_dir), step_hours, read_received(received) if received else ())
    return score_passage(truth, harvest, replayed, step_hours=step_hours, warned=received is not None)


def score_passage(
    truth: Truth, harvest: dict[str, str], replayed: Replayed, *, step_hours: float, warned: bool
) -> dict[str, Any]:
    """Score a replay; with `warned` also as it goes where another provider's indicators were known from the start.

    Returns:
        `harvested_before_containment` (pooled, and the share of each campaign), `fresh_account_requests` (all
        requests of a fresh account of a campaign of which something was contained before, until its first that is),
        `innocents_contained`, `replay`; with `warned`, `with_indicators` holds the first three as they are then.
    """
    metrics = _metrics(truth, Traffic.of(replayed.passage, truth, harvest))
    metrics["replay"] = {"step_hours": step_hours, "runs": replayed.runs, "containing_actions": sorted(FLAGGED)}
    if warned:
        known = Traffic.of(replayed.passage, truth, harvest, warned=True)
        metrics["with_indicators"] = _metrics(truth, known, known_from_start=True)
    return metrics


def _metrics(truth: Truth, traffic: Traffic, *, known_from_start: bool = False) -> dict[str, Any]:
    fresh = _fresh_accounts(traffic, known_from_start=known_from_start)
    heavy = sorted({account.cohort for account in truth.accounts.values() if account.label == "hard_negative"})
    return {
        "harvested_before_containment": by_campaign(truth, lambda names: _harvested(traffic, names))
        | {"per_campaign": {name: _harvested(traffic, [name])["value"] for name in traffic.campaigns}},
        "fresh_account_requests": by_campaign(
            truth, lambda names: _recognition([count for name in names for count in fresh[name]])
        ),
        "innocents_contained": {
            **{group: _innocents(truth, traffic, chosen) for group, chosen in _GROUPS.items()},
            "per_cohort": {cohort: _innocents(truth, traffic, _is_of(cohort)) for cohort in heavy},
        },
    }


def _is_of(cohort: str) -> Callable[[TrueAccount], bool]:
    return lambda account: account.cohort == cohort


def _harvested(traffic: Traffic, names: list[str]) -> dict[str, Any]:
    """Return the part of some campaigns' harvest that was not held back, pooled and as the median of campaigns."""
    own = [traffic.harvest == traffic.campaigns.index(name) for name in names]
    taken = np.isin(traffic.harvest, [traffic.campaigns.index(name) for name in names])

    def escaped(held_back: Mask) -> Rate:
        return rate(int((taken & ~held_back).sum()), int(taken.sum()))

    held_back = traffic.held_back()
    shares = [1 - float(held_back[mask].mean()) for mask in own if mask.any()]
    return {
        **escaped(held_back),
        "median_of_campaigns": median(shares) if shares else None,
        "campaigns": len(shares),
        "if_only_accounts_were_contained": escaped(traffic.by_account >= ACTIONS.index("throttle")),
        "if_only_challenge_and_harder_contained": escaped(traffic.held_back("challenge")),
        "if_only_block_contained": escaped(traffic.held_back("block")),
    }


def _fresh_accounts(traffic: Traffic, *, known_from_start: bool) -> dict[str, list[float]]:
    """Return, per campaign, how many requests each of its fresh accounts made until one was contained.

    Infinite where none ever was. An account is fresh that comes after something of the campaign was contained.
    """
    held_back = traffic.held_back()
    fresh: dict[str, list[float]] = {}
    for number, name in enumerate(traffic.campaigns):
        rows = np.flatnonzero(traffic.campaign == number)
        contained = rows[held_back[rows]]
        known = -1 if known_from_start else int(contained[0]) if contained.size else len(traffic.account)
        members, first = np.unique(traffic.account[rows], return_index=True)
        fresh[name] = []
        for member, start in zip(members, rows[first], strict=True):
            if start > known:
                hits = np.flatnonzero(held_back[rows[traffic.account[rows] == member]])
                fresh[name].append(float(hits[0]) if hits.size else math.inf)
    return fresh


def _recognition(requests: list[float]) -> dict[str, Any]:
    middle = median(requests) if requests else math.inf
    return {
        "median_of_accounts": middle if math.isfinite(middle) else None,
        "accounts": len(requests),
        "recognised": rate(sum(map(math.isfinite, requests)), len(requests)),
        f"within_{_QUICKLY}": rate(sum(count <= _QUICKLY for count in requests), len(requests)),
    }


def _innocents(truth: Truth, traffic: Traffic, chosen: Callable[[TrueAccount], bool]) -> dict[str, Rate]:
    """Return what part of a group's exchanges, and of its accounts at any time, was contained or even blocked."""
    inside = np.array([name in truth.accounts and chosen(truth.accounts[name]) for name in traffic.accounts], np.bool_)
    rows = inside[traffic.account]

    def accounts(held_back: Mask) -> Rate:
        return rate(int(np.unique(traffic.account[rows & held_back]).size), int(inside.sum()))

    held_back = traffic.held_back()
    return {
        "exchanges": rate(int((rows & held_back).sum()), int(rows.sum())),
        "exchanges_by_text": rate(int((rows & (traffic.by_text >= ACTIONS.index("throttle"))).sum()), int(rows.sum())),
        "accounts_ever": accounts(held_back),
        "accounts_ever_blocked": accounts(traffic.held_back("block")),
    }
