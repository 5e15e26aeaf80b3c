"""`stillwatch ingest`: any log becomes native Parquet, joined with access logs where there are any."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Any

import msgspec

from stillwatch import __version__
from stillwatch.files import replace_file, work_directory
from stillwatch.progress import StageClock
from stillwatch.records.dataset import Dataset, read_logs
from stillwatch.records.join import DEFAULT_TOLERANCE, AccessLogs
from stillwatch.records.rejects import Counts, RejectLog, reject_log

EXCHANGES = "exchanges"


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How logs are read.

    Attributes:
        log_format: name of an adapter, or `auto`.
        join: access logs to join with.
        tolerance: how far the times of one request may lie apart in two logs.
        zone: time zone of timestamps that carry none.
        account: the account of exchanges for which neither log names one.
    """

    log_format: str = "auto"
    join: tuple[Path, ...] = ()
    tolerance: timedelta = DEFAULT_TOLERANCE
    zone: tzinfo | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class IngestRun:
    """What an ingest did: the dataset, the access logs' lines, and what run.json says of both."""

    dataset: Dataset
    access: Counts | None
    record: dict[str, Any]


def ingest(paths: Sequence[Path], out: Path, options: IngestOptions, *, quiet: bool = False) -> IngestRun:
    """Write logs as `exchanges/*.parquet`, `rejects.jsonl` and `run.json` below `out`.

    The directory of an earlier run is replaced. `run.json` is removed first and written last: where it stands,
    the rest is whole.

    Raises:
        UsageError: a path does not exist, or there is no such format.
    """
    clock = StageClock(quiet=quiet)
    with work_directory(out) as work, reject_log(out / "rejects.jsonl", work) as rejects:
        access = _access_logs(paths, work, options, rejects, clock)
        with clock.stage("read logs") as ticker:
            dataset = read_logs(
                paths,
                work,
                log_format=options.log_format,
                rejects=rejects,
                ticker=ticker,
                zone=options.zone,
                complete=_completion(access, options.account),
            )
        names = _gather(dataset, work / EXCHANGES)
        (out / "run.json").unlink(missing_ok=True)
        shutil.rmtree(out / EXCHANGES, ignore_errors=True)
        (work / EXCHANGES).rename(out / EXCHANGES)
    record = {
        "verb": "ingest",
        "version": __version__,
        "configuration": _configuration(paths, options),
        "counts": asdict(dataset.counts),
        "not_exchanges": dataset.skipped,
        "rejected_by_reason": dict(sorted(rejects.by_reason.items())),
        "formats": dataset.formats,
        "fields": sorted(dataset.fields),
        "files": names,
        "join": None if access is None else asdict(access.joined) | {"access": asdict(access.counts)},
        "stages": clock.as_records(),
    }
    replace_file(out / "run.json", msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
    return IngestRun(dataset, None if access is None else access.counts, record)


def _access_logs(
    paths: Sequence[Path], work: Path, options: IngestOptions, rejects: RejectLog, clock: StageClock
) -> AccessLogs | None:
    if not options.join:
        return None
    with clock.stage("read access logs") as ticker:
        access = AccessLogs(options.join, work, rejects=rejects, tolerance=options.tolerance, zone=options.zone)
        ticker.advance(access.counts.read)
    with clock.stage("look for rivals"):
        access.expect(paths, options.log_format)
    return access


def _completion(access: AccessLogs | None, account: str | None) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
    if access is None and account is None:
        return None

    def complete(fields: dict[str, Any]) -> dict[str, Any]:
        if access is not None:
            fields = access.complete(fields)
        return fields if account is None or fields.get("account_id") else fields | {"account_id": account}

    return complete


def _gather(dataset: Dataset, target: Path) -> list[str]:
    """Put the dataset's files into one directory: those made here are moved, the user's own are copied."""
    target.mkdir()
    names = []
    for number, path in enumerate(dataset.files):
        name = f"part-{number:06d}.parquet"
        if path.is_relative_to(target.parent):
            path.rename(target / name)
        else:
            shutil.copyfile(path, target / name)
        names.append(f"{EXCHANGES}/{name}")
    return names


def _configuration(paths: Sequence[Path], options: IngestOptions) -> dict[str, Any]:
    return {
        "logs": [str(path) for path in paths],
        "join": [str(path) for path in options.join],
        "format": options.log_format,
        "join_tolerance_s": options.tolerance.total_seconds(),
        "timezone": None if options.zone is None else str(options.zone),
        "account": options.account,
    }
