"""One replay of stored exchanges through a policy: files in, outcome out."""

import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from stillwatch.detection.findings.model import Verdict
from stillwatch.detection.moments import rfc3339
from stillwatch.enforcement.backtest.assess import Given, not_assessable, notes
from stillwatch.enforcement.backtest.gate import digest
from stillwatch.enforcement.backtest.labels import LABELS, Label, read_labels
from stillwatch.enforcement.backtest.outcome import Basis, Outcome, PolicyName, RuleOutcome
from stillwatch.enforcement.backtest.replay import Hearing, enforced_for_everybody, replay
from stillwatch.enforcement.backtest.summary import Known, describe, describe_budgets, seen_figures
from stillwatch.enforcement.backtest.tally import Tally
from stillwatch.enforcement.backtest.traffic import Tokens, Traffic, read_traffic
from stillwatch.enforcement.policy.load import load_policy
from stillwatch.enforcement.policy.model import Policy
from stillwatch.enforcement.state.cohorts import Cohorts
from stillwatch.enforcement.state.received import Reports, reports_of
from stillwatch.enforcement.state.verdict_file import read_verdicts
from stillwatch.progress import StageClock
from stillwatch.records.accounts import read_accounts
from stillwatch.records.indicators import load_indicators
from stillwatch.records.registry import load_registry
from stillwatch.records.rejects import Counts


@dataclass(frozen=True, kw_only=True)
class BacktestRequest:
    """What to replay, and what is known beside it. Field names are the options of `stillwatch policy backtest`."""

    policy: Path
    on: Path
    verdicts: Path | None = None
    received: Path | None = None
    accounts: Path | None = None
    registry: Path | None = None
    labels: Path | None = None
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """The outcome, and what became of the records that were read."""

    outcome: Outcome
    counts: Counts


@dataclass(frozen=True, slots=True)
class _Beside:
    """The files beside the exchanges, read."""

    policy: Policy
    verdicts: list[Verdict]
    reports: Reports
    labels: dict[str, Label] | None
    cohorts: Cohorts


def backtest(request: BacktestRequest) -> BacktestResult:
    """Replay exchanges through a policy.

    Raises:
        UsageError: a file is absent or wrong.
        InputRejectedError: an account record is wrong.
    """
    beside = _read_beside(request)
    policy, clock = beside.policy, StageClock(quiet=request.quiet)
    bands = _bands(beside.verdicts, beside.reports)
    with tempfile.TemporaryDirectory(prefix="stillwatch-backtest-") as name:
        work = Path(name)
        traffic = read_traffic(request.on, work, bands, clock, texts=_reads_texts(policy))
        last_s, seen = traffic.last_us / 1_000_000, Tally()
        with (
            closing(Hearing(policy, beside.cohorts, beside.verdicts, last_s, work / "written.db")) as written,
            closing(
                Hearing(enforced_for_everybody(policy), beside.cohorts, beside.verdicts, last_s, work / "enforced.db")
            ) as enforced,
            clock.stage("replay", total=traffic.counts.accepted) as ticker,
        ):
            for hearing in (written, enforced):
                hearing.decider.received.replace(beside.reports)
            replay(traffic.in_time_order(ticker), beside.cohorts, (written, enforced), seen)
        outcome = _outcome(request, beside, traffic, (written, enforced), seen)
    return BacktestResult(outcome, traffic.counts)


def _read_beside(request: BacktestRequest) -> _Beside:
    policy = load_policy(request.policy)
    rows = [] if request.accounts is None else read_accounts(request.accounts).to_pylist()
    registry = () if request.registry is None else load_registry(request.registry)
    return _Beside(
        policy=policy,
        verdicts=[] if request.verdicts is None else list(read_verdicts(request.verdicts)),
        reports=reports_of(() if request.received is None else load_indicators(request.received), 0.0),
        labels=None if request.labels is None else read_labels(request.labels),
        cohorts=Cohorts(policy, {row["account_id"]: row for row in rows}, registry),
    )


def _bands(verdicts: list[Verdict], reports: Reports) -> Tokens:
    named = {int(band, 16) for one in verdicts for band in one.template_bands} | reports.by_band.keys()
    return np.array(sorted(band for band in named if 0 <= band < 2**64), np.uint64)  # no text has another one


def _reads_texts(policy: Policy) -> bool:
    return any(rule.when.text for rule in policy.rule) or any(limit.counts != "requests" for limit in policy.limit)


def _outcome(
    request: BacktestRequest, beside: _Beside, traffic: Traffic, hearings: tuple[Hearing, Hearing], seen: Tally
) -> Outcome:
    policy, labels, (written, enforced) = beside.policy, beside.labels, hearings
    suspects = frozenset(verdict.account_id for verdict in beside.verdicts)
    known = Known.of(seen, labels, suspects, tokens="output_tokens" in traffic.fields)
    given = Given(
        fields=traffic.fields,
        texts=traffic.texts > 0,
        verdicts=request.verdicts is not None,
        bands=any(verdict.template_bands for verdict in beside.verdicts),
        reports=bool(beside.reports.by_band),
        accounts=request.accounts is not None,
        registry=request.registry is not None,
    )
    missing = not_assessable(policy, given)
    return Outcome(
        policy=PolicyName(id=policy.id, version=policy.version, digest=digest(policy)),
        on=_basis(request, beside, traffic, seen),
        notes=notes(policy, given),
        seen=seen_figures(seen, known),
        as_written=describe(written.all_hits, known),
        if_enforced=describe(enforced.all_hits, known),
        rules=[
            RuleOutcome(
                id=rule.id,
                action=rule.action,
                mode=rule.mode,
                canary_percent=rule.canary_percent,
                not_assessable=missing.get(rule.id, []),
                as_written=describe(written.hits[rule.id], known),
                if_enforced=describe(enforced.hits[rule.id], known),
            )
            for rule in policy.rule
        ],
        budgets=describe_budgets(policy, written.spent, enforced.spent),
    )


def _basis(request: BacktestRequest, beside: _Beside, traffic: Traffic, seen: Tally) -> Basis:
    labels: dict[str, int] | None = None
    if beside.labels is not None:
        given = list(beside.labels.values())
        labels = {label: given.count(label) for label in LABELS}
    return Basis(
        exchanges=str(request.on),
        counts=asdict(traffic.counts),
        rejected_by_reason=dict(traffic.rejected_by_reason),
        first=None if seen.first_us is None else rfc3339(seen.first_us),
        last=None if seen.last_us is None else rfc3339(seen.last_us),
        texts=traffic.texts if _reads_texts(beside.policy) else None,
        verdicts=None if request.verdicts is None else len(beside.verdicts),
        labels=labels,
    )
