"""Scenarios as data, and the labelled window that one of them and a seed make."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa

from stillwatch.errors import UsageError
from stillwatch.files import replace_file
from stillwatch_range.campaigns import CampaignPlan, cover_shares, enlist, share_out, work_queue
from stillwatch_range.corpora import read_corpora
from stillwatch_range.exchanges import Recorder, account_records, write_exchanges
from stillwatch_range.ids import Identifiers, stream
from stillwatch_range.material import Material
from stillwatch_range.metadata import World
from stillwatch_range.populations import (
    LICENSED,
    WORKLOADS,
    Account,
    Conversations,
    Workload,
    crowd,
    heavy_accounts,
    ordinary_work,
)
from stillwatch_range.timing import DAY_US, SECOND_US, Period
from stillwatch_range.truth import TrueAccount, TrueCampaign, Truth, write_harvest, write_truth

_OPENING = datetime(2026, 3, 2, tzinfo=UTC)
_MODELS = ("larch-2-large", "larch-2-small")
_RELEASED_MODEL = "larch-3-large"
_RELEASE_HOUR = 17
_NEWCOMERS = 0.3
"""Part of the window's ordinary accounts that belong to a population which arrives in it."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One window to make.

    Attributes:
        campaigns: what to plant; empty = a campaign-free window.
        benign_accounts: ordinary accounts in the window.
        history_accounts: other ordinary accounts, before it.
        days: length of the window, and of the history before it.
        hard_negatives: legitimate heavy users: absent, known from the history, or new in the window.
        metadata: whether exchanges and accounts carry anything but text, time and identifiers.
        drift: a population whose people are absent from the history and arrive in the window.
        workloads: the heavy users, where they differ from the usual ones.
    """

    name: str
    campaigns: tuple[CampaignPlan, ...] = ()
    benign_accounts: int = 1000
    history_accounts: int = 1000
    days: int = 7
    hard_negatives: Literal["none", "known", "new"] = "new"
    metadata: bool = True
    drift: str | None = None
    workloads: tuple[Workload, ...] = WORKLOADS


def build_labelled_window(corpora: Path, out: Path, scenario: Scenario, seed: int) -> Truth:
    """Make a labelled window from a directory of corpora; see `build_window`."""
    return build_window(read_corpora(corpora), out, scenario, seed)


def build_window(material: Material, out: Path, scenario: Scenario, seed: int) -> Truth:
    """Write a labelled window with its history, side files and truth, named as in cli.md.

    The same material, scenario and seed give the same bytes.

    Raises:
        UsageError: the material is too small for the scenario, or the scenario names what is not in it.
    """
    out.mkdir(parents=True, exist_ok=True)
    accounts = _populate(material, scenario, seed)
    opening = round(_OPENING.timestamp()) * SECOND_US
    before = Period(opening, scenario.days)
    window = Period(before.end_us, scenario.days)
    release_us = window.start_us + (scenario.days // 2) * DAY_US + _RELEASE_HOUR * 3600 * SECOND_US
    ids = Identifiers(stream(seed, "exchange ids").getrandbits(63))
    rng = stream(seed, "exchanges")
    recorders = [Recorder(rng, ids, material.pace, period, metadata=scenario.metadata) for period in (before, window)]
    for account in accounts:
        model_at = _model_choice(rng.random(), rng.choice(_MODELS), release_us)
        recorders[0].record(account, account.history, model_at)
        recorders[1].record(account, account.window, model_at)
    tables = [recorder.table() for recorder in recorders]
    for name, table in zip(("history", "window"), tables, strict=True):
        write_exchanges(table, out / name)
    truth = _truth(accounts, tables[1], Counter(campaign for _, campaign in recorders[1].harvested))
    _write_side_files(out, accounts, scenario, release_us)
    write_harvest(recorders[1].harvested, out / "harvest_ids.jsonl.gz")
    write_truth(truth, out / "truth.json")
    return truth


def _populate(material: Material, scenario: Scenario, seed: int) -> list[Account]:
    ids = Identifiers(seed)
    world = World(
        stream(seed, "world"),
        ids,
        round(_OPENING.timestamp()) * SECOND_US,
        scenario.benign_accounts + scenario.history_accounts,
    )
    campaigns = [enlist(world, ids, plan) for plan in scenario.campaigns]
    accounts, talks = _ordinary_accounts(world, ids, material, scenario, seed)
    plans = list(scenario.campaigns)
    rng = stream(seed, "campaigns")
    for plan, members, cover in zip(plans, campaigns, cover_shares(plans, talks), strict=True):
        share_out(rng, plan, members, work_queue(rng, plan, material, cover), cover)
        accounts.extend(members)
    if scenario.hard_negatives != "none":
        known = scenario.hard_negatives == "known"
        for workload in scenario.workloads:
            own = stream(seed, "workload", workload.name)
            accounts.extend(heavy_accounts(world, own, ids, material, workload, known=known))
    stream(seed, "order").shuffle(accounts)
    return accounts


def _ordinary_accounts(
    world: World, ids: Identifiers, material: Material, scenario: Scenario, seed: int
) -> tuple[list[Account], Conversations]:
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
    for party in crowd(world, rng, scenario.benign_accounts - arrivals):
        work = ordinary_work(rng, talks)
        accounts.append(Account(ids.take("acct_"), party, "benign", "ordinary", window=work))
    for party in crowd(world, rng, scenario.history_accounts):
        work = ordinary_work(rng, talks)
        accounts.append(Account(ids.take("acct_"), party, "benign", "ordinary", history=work))
    return accounts, talks


def _model_choice(eagerness: float, usual: str, release_us: int) -> Callable[[int], str]:
    """Return the model that an account asks at a moment; the eager half moves to the new one within days."""
    moves_us = release_us + round(eagerness * 6 * DAY_US) if eagerness < 0.5 else None

    def model_at(moment_us: int) -> str:
        return _RELEASED_MODEL if moves_us is not None and moment_us >= moves_us else usual

    return model_at


def _truth(accounts: list[Account], window: pa.Table, harvested: Counter[str]) -> Truth:
    seen: Counter[str] = Counter()
    members: Counter[str] = Counter()
    families = {}
    for account in accounts:
        if account.campaign is not None:
            members[account.campaign] += 1
            seen[account.campaign] += sum(len(work.dialogue) for work in account.window)
            families[account.campaign] = account.cohort
    return Truth(
        accounts={
            account.account_id: TrueAccount(label=account.label, cohort=account.cohort, campaign=account.campaign)
            for account in accounts
            if account.window
        },
        campaigns={
            campaign: TrueCampaign(
                family=family,
                accounts=members[campaign],
                exchanges=harvested[campaign],
                mixing=round(1 - harvested[campaign] / seen[campaign], 4),
                share=round(harvested[campaign] / window.num_rows, 6),
            )
            for campaign, family in families.items()
        },
    )


def _write_side_files(out: Path, accounts: list[Account], scenario: Scenario, release_us: int) -> None:
    records = account_records(accounts, metadata=scenario.metadata)
    replace_file(out / "accounts.jsonl", b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    released = datetime.fromtimestamp(release_us / SECOND_US, UTC).isoformat().replace("+00:00", "Z")
    replace_file(
        out / "releases.toml",
        f'[[release]]\nmodel = "{_RELEASED_MODEL}"\nreleased_at = {released}\n'.encode(),
    )
    replace_file(out / "registry.toml", _registry(accounts, scenario).encode())


def _registry(accounts: list[Account], scenario: Scenario) -> str:
    holders = sorted(
        (account for account in accounts if account.cohort.removeprefix("new:") == LICENSED),
        key=lambda account: account.account_id,
    )
    if not holders:
        return "# nobody is licensed in this window\n"
    quoted = ", ".join(f'"{account.account_id}"' for account in holders)
    org = f'org_id = "{holders[0].party.identity.org_id}"\n' if scenario.metadata else ""
    last = _OPENING + timedelta(days=365)
    return (
        f'[[entry]]\nid = "licence-1"\nkind = "distillation"\nholder = "Tutoring pilot"\n{org}'
        f'account_ids = [{quoted}]\nscope = "exercises for a tutoring model"\nmodels = ["*"]\n'
        f"max_exchanges_per_day = 5000\nvalid_from = {_OPENING:%Y-%m-%d}\nvalid_to = {last:%Y-%m-%d}\n"
        f'contact = "licences@pilot.example"\n'
    )
