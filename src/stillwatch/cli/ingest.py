"""`stillwatch ingest`: turn any log into native Parquet."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from stillwatch.records.ingest import IngestRun


def ingest(
    logs: Annotated[list[Path], typer.Argument(metavar="LOG...", help="Log files, or directories of them.")],
    *,
    out: Annotated[Path, typer.Option(help="Directory for exchanges/, rejects.jsonl and run.json.")],
    join: Annotated[list[Path] | None, typer.Option(help="Access log to join with; may be repeated.")] = None,
    log_format: Annotated[str, typer.Option("--format", help="Log format, or auto.")] = "auto",
    max_rejects: Annotated[
        float, typer.Option(min=0, max=1, help="Share of records that may be rejected before the exit code is 3.")
    ] = 0.01,
    join_tolerance: Annotated[
        float, typer.Option(min=0, help="Seconds by which one request's times may differ in two logs.")
    ] = 2.0,
    timezone: Annotated[
        str | None, typer.Option(help="Time zone of logs whose timestamps carry none, such as UTC.")
    ] = None,
    account: Annotated[
        str | None, typer.Option(help="Account of all requests in logs that name no account at all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print run.json on standard output.")] = False,
) -> None:
    """Turn any log into native Parquet, joined with access logs where content and identity lie apart.

    Example: stillwatch ingest bedrock/*.json.gz --join envoy.jsonl --out exchanges
    """
    from datetime import timedelta

    import msgspec

    from stillwatch.records.dataset import check_reject_limit
    from stillwatch.records.ingest import IngestOptions
    from stillwatch.records.ingest import ingest as run_ingest

    options = IngestOptions(
        log_format=log_format,
        join=tuple(join or ()),
        tolerance=timedelta(seconds=join_tolerance),
        zone=None if timezone is None else _zone(timezone),
        account=account,
    )
    run = run_ingest(logs, out, options)
    if as_json:
        typer.echo(msgspec.json.encode(run.record).decode())
    typer.echo(_summary(run, out), err=True)
    check_reject_limit(run.dataset.counts, max_rejects)
    if run.access is not None:
        check_reject_limit(run.access, max_rejects)


def _zone(name: str) -> "ZoneInfo":
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from stillwatch.errors import UsageError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"there is no time zone {name!r}", hint="a name such as UTC or Europe/Paris") from error


def _summary(run: "IngestRun", out: Path) -> str:
    counts = run.dataset.counts
    became = f"{counts.read:,} read, {counts.duplicate:,} duplicate, {counts.rejected:,} rejected"
    lines = [f"{counts.accepted:,} exchanges in {out / 'exchanges'} ({became})"]
    lines += [f"  rejected, {reason}: {number:,}" for reason, number in run.record["rejected_by_reason"].items()]
    if run.dataset.skipped:
        lines.append(f"  passed over, no model call: {run.dataset.skipped:,}")
    if (joined := run.record["join"]) is not None:
        lines.append("  join: " + ", ".join(f"{joined[n]:,} {n}" for n in ("matched", "unmatched", "ambiguous")))
    for stage in run.record["stages"]:
        rate = f", {stage['rows_per_s']:,} rows/s" if stage["rows"] else ""
        lines.append(f"  {stage['name']}: {stage['wall_s']:.1f} s{rate}, peak {stage['peak_mib']:,} MiB")
    return "\n".join(lines)
