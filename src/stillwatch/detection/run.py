"""One run of detection: logs in, findings out, stage by stage."""

import platform
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from stillwatch import __version__
from stillwatch.detection.accounts import judge_accounts
from stillwatch.detection.authorised import authorised_campaigns, covered_accounts
from stillwatch.detection.calibration import Calibrated, calibrate
from stillwatch.detection.campaigns.build import Built, build_campaigns, judge_families
from stillwatch.detection.campaigns.casefile import Casefile
from stillwatch.detection.campaigns.communities import find_communities
from stillwatch.detection.campaigns.identity import KnownCampaigns
from stillwatch.detection.campaigns.infrastructure import index_links
from stillwatch.detection.campaigns.pictures import add_pictures, bucket_us
from stillwatch.detection.campaigns.pools import build_pools
from stillwatch.detection.campaigns.untemplated import build_untemplated
from stillwatch.detection.corroboration import raise_accounts, report_campaigns
from stillwatch.detection.findings.model import Findings
from stillwatch.detection.findings.writer import write_findings
from stillwatch.detection.inputs import Beside, DetectRequest, read_beside
from stillwatch.detection.moments import rfc3339
from stillwatch.detection.owners import resolve_owners
from stillwatch.detection.periods import (
    REJECTS,
    Logs,
    Tables,
    exchanges_of,
    load_population,
    load_tables,
    read_periods,
)
from stillwatch.detection.population import Population
from stillwatch.detection.received import Matches, compare
from stillwatch.detection.signals import SIGNALS
from stillwatch.detection.verdicts import template_bands, verdicts_of
from stillwatch.features.engine import Engine
from stillwatch.features.links import hub_counts
from stillwatch.features.sketch import SKETCH_VERSION
from stillwatch.features.window import window_counts
from stillwatch.files import work_directory
from stillwatch.progress import StageClock
from stillwatch.records.rejects import Counts


@dataclass(frozen=True, slots=True)
class DetectResult:
    """What a run found and what it cost; all of it is also in the files that it wrote."""

    findings: Findings
    counts: Counts
    history_counts: Counts | None
    clock: StageClock = field(repr=False)


def detect(request: DetectRequest) -> DetectResult:
    """Run detection and write the findings into `request.out`, which is made if it is absent.

    Raises:
        UsageError: a file is absent or wrong, or a setting makes no sense.
    """
    clock = StageClock(quiet=request.quiet)
    beside = read_beside(request)
    with work_directory(request.out) as work, Engine.open(memory=request.memory, spill=work / "spill") as engine:
        logs = read_periods(request, work, clock)
        population = load_population(engine, logs.window, work, clock, "window")
        history = None
        if logs.history is not None and logs.history.counts.accepted:
            history = load_population(engine, logs.history, work, clock, "history")
        tables = load_tables(engine, logs.window, beside.accounts, work, clock)
        case = _casefile(request, beside, population, history, tables)
        with clock.stage("campaigns") as ticker:
            communities = find_communities(case.links, case.seed)
            known = KnownCampaigns(request.out)
            judged = judge_families(case, known)
            built = build_campaigns(case, judged, communities, known)
            built += build_untemplated(case, judged, known, _harvesters(population, built))
            pools = build_pools(case, communities, _harvesters(population, built), known)
            ticker.advance(len(population.store))
        matches = _compare(beside, population, history, built, request.fpr, clock)
        built = report_campaigns(built, matches)
        with clock.stage("accounts") as ticker:
            calibrated = calibrate(population, history or population, beside.accounts, request.fpr)
            ticker.advance(len(population))
        with clock.stage("pictures"):
            exchanges = exchanges_of(engine, logs.window, work)
            traffic = engine.to_arrow(window_counts(exchanges, bucket_us(population)))
            campaigns = add_pictures(built, population, traffic, logs.window.files)
        campaigns += pools + authorised_campaigns(population, case.covered, beside.registry, tables.model_days)
        accounts = judge_accounts(
            population, calibrated, campaigns, request.fpr, records_given=beside.accounts is not None
        )
        told = raise_accounts(accounts, matches, population, campaigns, case.covered)
        findings = Findings(
            accounts=told.accounts,
            campaigns=campaigns,
            verdicts=verdicts_of(told.accounts, template_bands(population, built), told.by_report),
            calibration=calibrated.table,
            notes=_notes(case, calibrated, tables) + told.notes,
        )
        facts = _run_facts(request, logs, population, clock)
        with clock.stage("write") as ticker:
            # While an earlier run.json stands, so do all files of its run: nothing is replaced before it is gone.
            (request.out / "run.json").unlink(missing_ok=True)
            (work / REJECTS).replace(request.out / REJECTS)
            write_findings(request.out, findings, facts)
            ticker.advance(len(accounts))
    return DetectResult(findings, logs.window.counts, logs.history.counts if logs.history else None, clock)


def _compare(
    beside: Beside,
    population: Population,
    history: Population | None,
    built: list[Built],
    fpr: float,
    clock: StageClock,
) -> Matches | None:
    if not beside.received:
        return None
    with clock.stage("received") as ticker:
        ticker.advance(len(population.store))
        return compare(beside.received, population, history, _harvesters(population, built), fpr)


def _harvesters(population: Population, built: list[Built]) -> npt.NDArray[np.int64]:
    rows = [one.rows for one in built if one.campaign.kind == "harvest"]
    return np.unique(population.row_account[np.concatenate([*rows, np.empty(0, np.int64)])])


def _casefile(
    request: DetectRequest, beside: Beside, population: Population, history: Population | None, tables: Tables
) -> Casefile:
    owners = resolve_owners(population, beside.accounts)
    victims = np.zeros(len(population), np.bool_)
    if beside.accounts is not None:
        status = dict(
            zip(*(beside.accounts.column(name).to_pylist() for name in ("account_id", "status")), strict=True)
        )
        victims = np.array([status.get(account) == "victim" for account in population.ids], np.bool_)
    return Casefile(
        population=population,
        owners=owners,
        history=history,
        history_owners=resolve_owners(history, beside.accounts) if history is not None else None,
        links=index_links(tables.links, population, owners),
        registry=beside.registry,
        covered=covered_accounts(population, owners, beside.registry, tables.model_days),
        victims=victims,
        releases=beside.releases,
        model_days=tables.model_days,
        replays=tables.replays,
        public=beside.public,
        fpr=request.fpr,
        seed=request.seed,
    )


def _notes(case: Casefile, calibrated: Calibrated, tables: Tables) -> list[str]:
    notes = []
    if case.history is None:
        notes.append(
            "There is no history: calibrated within the window, which a campaign can distort; nothing is blocked."
        )
    if not len(case.population.store):
        notes.append("The log carries neither text nor sketches: evidence from prompts is not assessable.")
    elif case.history is not None and case.past is None:
        notes.append(
            "History carries neither text nor sketches: no frame can be told from earlier ones; nothing is blocked."
        )
    coarse = sorted({row.segment for row in calibrated.table if len(SIGNALS) > case.fpr * (row.accounts + 1)})
    if coarse:
        notes.append(
            f"A false positive rate of {case.fpr:g} takes {len(SIGNALS) / case.fpr:,.0f} calibration accounts. "
            f"In segments with fewer, no account is watched for its own numbers: {', '.join(coarse)}."
        )
    if len(np.unique(calibrated.segment)) > 1:
        notes.append("P-values hold within a segment as far as its accounts are like those that it was calibrated on.")
    hubs = {kind: count for kind, count in hub_counts(tables.links).items() if count}
    if hubs:
        left_out = ", ".join(f"{count} of kind {kind}" for kind, count in sorted(hubs.items()))
        notes.append(f"Values shared by so many accounts that they tie nobody were left out: {left_out}.")
    return notes


def _run_facts(request: DetectRequest, logs: Logs, population: Population, clock: StageClock) -> dict[str, object]:
    counts = logs.window.counts
    facts: dict[str, object] = {
        "versions": {
            "stillwatch": __version__,
            "sketch": str(SKETCH_VERSION),
            "python": platform.python_version(),
            **{name: version(name) for name in ("duckdb", "ibis-framework", "numpy", "pyarrow")},
        },
        "configuration": {
            "logs": [str(path) for path in request.logs],
            "history": [str(path) for path in request.history],
            "format": request.log_format,
            "formats": logs.window.formats,
            **{
                name: str(path) if path else None
                for name, path in (
                    ("accounts", request.accounts),
                    ("registry", request.registry),
                    ("releases", request.releases),
                    ("public_templates", request.public_templates),
                    ("received", request.received),
                )
            },
            "fpr": request.fpr,
            "memory": request.memory,
            "seed": request.seed,
        },
        "counts": _counts(counts),
        "history_counts": _counts(logs.history.counts) if logs.history else None,
        "timings": clock.as_records(),
        "engine": "duckdb",
    }
    if len(population):
        facts["window"] = {
            "first": rfc3339(int(population.ints("first_us").min())),
            "last": rfc3339(int(population.ints("last_us").max())),
        }
    return facts


def _counts(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in ("read", "accepted", "duplicate", "rejected")}
