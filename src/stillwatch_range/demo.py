"""The whole story on two invented providers: what is planted, and what detection says of it."""

import shutil
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from stillwatch.detection.findings.model import Findings, Kind
from stillwatch.detection.run import detect
from stillwatch_range.campaigns import CampaignPlan
from stillwatch_range.containment import score_replay
from stillwatch_range.ids import stream
from stillwatch_range.relay import Relayed, relay
from stillwatch_range.replay import request_for
from stillwatch_range.scenario import Scenario, build_window
from stillwatch_range.scoring import FLAGGED
from stillwatch_range.text import ANALYST, invent_material
from stillwatch_range.truth import Truth
from stillwatch_range.workloads import Workload

_CAMPAIGN = {"heron": 120, "osprey": 40}
"""The providers, and how many accounts the campaign runs at each."""
_DAYS = {"heron": 7, "osprey": 4}
_LATER = {"heron": 0, "osprey": 10}
"""Length of each one's window, and of its history, in days; the second is harvested when the first has found it."""
_OPENING = date(2026, 3, 2)
_STEP_HOURS = 24.0
_HARVESTED_PER_ACCOUNT = 6
_CUSTOMERS = 1000
_TALKS = 6500
_WORKLOADS = (
    Workload("classifier", accounts=6, strangers=False, items=60, earlier_items=0),
    Workload("benchmark", accounts=6, strangers=True, items=60, earlier_items=0, pool=120),
    Workload("summaries", accounts=1, strangers=False, items=200, earlier_items=0),
    Workload("licensed", accounts=2, strangers=False, items=120, earlier_items=0, licence="distillation"),
)
_WORDING = {
    ANALYST: "harvest, half cover",
    "new:classifier": "a firm with six keys",
    "new:benchmark": "benchmark, strangers",
    "new:summaries": "new heavy customer",
    "new:licensed": "licensed distiller",
    "ordinary": "ordinary customers",
}


class Row(msgspec.Struct, kw_only=True):
    """One group that was planted, and what detection says of it.

    Attributes:
        accounts: its accounts in the window.
        innocent: whether acting on it would be a mistake.
        found: its accounts that stand in a finding, by the finding's kind; one may stand in several.
        acted_on: its accounts whose action is throttle, challenge, degrade or block.
    """

    planted: str
    accounts: int
    innocent: bool
    found: dict[Kind, int]
    acted_on: int


class Outcome(msgspec.Struct, kw_only=True):
    """What the demo planted and saw at one provider."""

    provider: str
    exchanges: int
    rows: list[Row]
    report: str


class Protection(msgspec.Struct, kw_only=True):
    """What reached the second provider's model of the harvest, and whom it cost, one way of going about it.

    Attributes:
        harvested: part of the harvest that was answered before anything held it back.
        refused: innocent accounts that were ever held back, `innocent` how many there are.
    """

    harvested: float
    refused: int
    innocent: int


class Story(msgspec.Struct, kw_only=True):
    """All of the demo: both providers, the finding's way from the first to the second, and what that was worth."""

    providers: list[Outcome]
    relayed: Relayed
    alone: Protection
    warned: Protection
    step_hours: float


def run_demo(out: Path, seed: int) -> Story:
    """Simulate two providers below `out`, detect, share what the first found, replay the second with and without it.

    The same seed writes the same logs.
    """
    first, second = (_provider(out / name, name, seed) for name in _CAMPAIGN)
    sender, receiver = _CAMPAIGN
    found_at = datetime.combine(_OPENING + timedelta(days=2 * _DAYS[sender]), time.min, UTC).timestamp()
    work = out / "sharing"
    shutil.rmtree(work, ignore_errors=True)
    relayed = relay(out / sender / "findings", work, sender, receiver, found_at)
    alone, warned = _replay(out / receiver, Path(relayed.received))
    return Story(providers=[first, second], relayed=relayed, alone=alone, warned=warned, step_hours=_STEP_HOURS)


def _replay(directory: Path, received: Path) -> tuple[Protection, Protection]:
    metrics = score_replay(
        directory / "logs" / "truth.json", directory / "findings", step_hours=_STEP_HOURS, received=received
    )
    return _protection(metrics), _protection(metrics["with_indicators"])


def _protection(metrics: dict[str, Any]) -> Protection:
    innocents = metrics["innocents_contained"]
    ever = [innocents[group]["accounts_ever"] for group in ("benign", "hard_negative")]
    return Protection(
        harvested=metrics["harvested_before_containment"]["all"]["value"],
        refused=sum(rate["hits"] for rate in ever),
        innocent=sum(rate["of"] for rate in ever),
    )


def _provider(directory: Path, name: str, seed: int) -> Outcome:
    own_seed = stream(seed, name).getrandbits(63)
    accounts = _CAMPAIGN[name]
    plan = CampaignPlan(family=ANALYST, accounts=accounts, exchanges=accounts * _HARVESTED_PER_ACCOUNT)
    scenario = Scenario(
        name=name,
        campaigns=(plan,),
        benign_accounts=_CUSTOMERS,
        history_accounts=_CUSTOMERS,
        days=_DAYS[name],
        later=_LATER[name],
        workloads=_WORKLOADS,
    )
    logs, out = directory / "logs", directory / "findings"
    truth = build_window(invent_material(own_seed, _TALKS), logs, scenario, own_seed)
    findings = detect(request_for(logs, out, quiet=False)).findings
    return Outcome(
        provider=name,
        exchanges=sum(pq.read_metadata(logs / part / "exchanges.parquet").num_rows for part in ("history", "window")),
        rows=_compare(truth, findings),
        report=str(out / "report.html"),
    )


def _compare(truth: Truth, findings: Findings) -> list[Row]:
    actions = {account.account_id: account.action for account in findings.accounts}
    standing = [(member.account_id, case.kind) for case in findings.campaigns for member in case.accounts]
    rows = []
    for cohort, planted in _WORDING.items():
        members = {name for name, account in truth.accounts.items() if account.cohort == cohort}
        found = Counter(kind for account, kind in set(standing) if account in members)
        rows.append(
            Row(
                planted=planted,
                accounts=len(members),
                innocent=cohort != ANALYST,
                found=dict(sorted(found.items())),
                acted_on=sum(actions.get(member) in FLAGGED for member in members),
            )
        )
    return rows
