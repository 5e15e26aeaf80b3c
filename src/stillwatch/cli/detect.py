"""`stillwatch detect`: logs in, campaigns and verdicts out."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.errors import UsageError


def detect(
    logs: Annotated[list[Path], typer.Argument(metavar="LOG...", help="Log files or directories of them.")],
    out: Annotated[Path, typer.Option(help="Directory to write the findings into.")],
    history: Annotated[
        list[Path] | None, typer.Option(help="Earlier traffic without a known campaign; may be given again.")
    ] = None,
    accounts: Annotated[Path | None, typer.Option(help="Account records (Parquet, JSON Lines, CSV).")] = None,
    registry: Annotated[
        Path | None, typer.Option(help="Authorised distillers, researchers, evaluators (TOML).")
    ] = None,
    public_templates: Annotated[Path | None, typer.Option(help="Known public prompt templates (JSON Lines).")] = None,
    releases: Annotated[Path | None, typer.Option(help="When models were released (TOML).")] = None,
    received: Annotated[Path | None, typer.Option(help="received.jsonl that `share pull` wrote.")] = None,
    log_format: Annotated[str, typer.Option("--format", help="Log format, or auto to recognise it.")] = "auto",
    fpr: Annotated[float, typer.Option(min=1e-9, max=0.5, help="False positive rate per account to aim at.")] = 0.001,
    engine: Annotated[str, typer.Option(help="Query engine: duckdb.")] = "duckdb",
    spark_remote: Annotated[str | None, typer.Option(help="Spark Connect address (not in this version).")] = None,
    memory: Annotated[str | None, typer.Option(help='Memory limit such as "4GB"; more spills to disk.')] = None,
    max_rejects: Annotated[float, typer.Option(min=0, max=1, help="Part of the records that may be bad.")] = 0.01,
    seed: Annotated[int, typer.Option(help="The same seed gives the same findings.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON on standard output.")] = False,
) -> None:
    """Find campaigns of harvesting in API logs.

    Example: stillwatch detect today.jsonl --history last-month/ --accounts accounts.csv --out out/today
    """
    from stillwatch.detection.inputs import DetectRequest
    from stillwatch.detection.run import detect as run_detection
    from stillwatch.records.rejects import check_reject_limit

    if engine != "duckdb" or spark_remote is not None:
        raise UsageError(
            f"the engine {engine!r} is not part of this version", hint="leave out --engine and --spark-remote: duckdb"
        )
    request = DetectRequest(
        logs=logs,
        out=out,
        history=history or [],
        accounts=accounts,
        registry=registry,
        public_templates=public_templates,
        releases=releases,
        received=received,
        log_format=log_format,
        fpr=fpr,
        memory=memory,
        seed=seed,
    )
    result = run_detection(request)
    summary = summarise(result)
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        _print_summary(summary, out)
    check_reject_limit(result.counts, max_rejects)
    if result.history_counts is not None:
        check_reject_limit(result.history_counts, max_rejects)


def summarise(result: Any) -> dict[str, Any]:
    """Return the figures of a run that a person or a script asks for first."""
    findings = result.findings
    return {
        "counts": {name: getattr(result.counts, name) for name in ("read", "accepted", "duplicate", "rejected")},
        "accounts": len(findings.accounts),
        "actions": dict(sorted(Counter(account.action for account in findings.accounts).items())),
        "campaigns": [
            {
                "campaign_id": campaign.campaign_id,
                "kind": campaign.kind,
                "confidence": campaign.confidence,
                "accounts": len(campaign.accounts),
                "exchanges": campaign.exchanges,
                "recommended_action": campaign.recommended_action,
            }
            for campaign in findings.campaigns
        ],
        "notes": findings.notes,
        "stages": result.clock.as_records(),
    }


def _print_summary(summary: dict[str, Any], out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True)
    counts = summary["counts"]
    console.print(
        f"{counts['accepted']:,} exchanges of {summary['accounts']:,} accounts"
        f" ({counts['duplicate']:,} duplicate, {counts['rejected']:,} rejected)"
    )
    if summary["campaigns"]:
        table = Table("campaign", "kind", "accounts", "exchanges", "recommended", box=None)
        for row in summary["campaigns"][:20]:
            shown = (value for name, value in row.items() if name != "confidence")
            table.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in shown))
        console.print(table)
    else:
        console.print("No campaign was found.")
    stages = Table("stage", "rows", "rows/s", "seconds", "peak MiB", box=None)
    for stage in summary["stages"]:
        figures = (f"{stage[name]:,}" for name in ("rows", "rows_per_s", "wall_s", "peak_mib"))
        stages.add_row(stage["name"], *figures)
    console.print(stages)
    for note in summary["notes"]:
        console.print(f"Note: {note}", highlight=False)
    console.print(f"Report: {out / 'report.html'}", highlight=False)
