"""The whole story on two invented providers: what is planted, and what detection says of it."""

from collections import Counter
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from stillwatch.detection.findings.model import Findings, Kind
from stillwatch.detection.run import detect
from stillwatch_range.campaigns import CampaignPlan
from stillwatch_range.ids import stream
from stillwatch_range.replay import request_for
from stillwatch_range.scenario import Scenario, build_window
from stillwatch_range.scoring import FLAGGED
from stillwatch_range.text import ANALYST, invent_material
from stillwatch_range.truth import Truth
from stillwatch_range.workloads import Workload

_CAMPAIGN = {"heron": 120, "osprey": 40}
"""The providers, and how many accounts the campaign runs at each."""
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


def run_demo(out: Path, seed: int) -> list[Outcome]:
    """Simulate both providers below `out`, run detection on each, and compare with what was planted.

    The same seed writes the same logs.
    """
    return [_provider(out / name, name, accounts, seed) for name, accounts in _CAMPAIGN.items()]


def _provider(directory: Path, name: str, accounts: int, seed: int) -> Outcome:
    own_seed = stream(seed, name).getrandbits(63)
    plan = CampaignPlan(family=ANALYST, accounts=accounts, exchanges=accounts * _HARVESTED_PER_ACCOUNT)
    scenario = Scenario(
        name=name,
        campaigns=(plan,),
        benign_accounts=_CUSTOMERS,
        history_accounts=_CUSTOMERS,
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
