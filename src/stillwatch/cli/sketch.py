"""`stillwatch sketch`: replace the text of a log by sketches."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from stillwatch.features.edge import SketchRun


def sketch(
    logs: Annotated[list[Path], typer.Argument(metavar="LOG...", help="Log files, or directories of them.")],
    *,
    out: Annotated[Path, typer.Option(help="Directory for exchanges/, rejects.jsonl and run.json.")],
    log_format: Annotated[str, typer.Option("--format", help="Log format, or auto.")] = "auto",
    max_rejects: Annotated[
        float, typer.Option(min=0, max=1, help="Share of records that may be rejected before the exit code is 3.")
    ] = 0.01,
    as_json: Annotated[bool, typer.Option("--json", help="Print run.json on standard output.")] = False,
) -> None:
    """Replace the text of a log by sketches, so that raw text never leaves the gateway.

    Detection on the result equals detection on the text. What a sketch still tells is in docs/reference/sketch.md.

    Example: stillwatch sketch gateway-logs/ --out sketches
    """
    import msgspec

    from stillwatch.features.edge import sketch_logs
    from stillwatch.records.dataset import check_reject_limit

    run = sketch_logs(logs, out, log_format=log_format)
    if as_json:
        typer.echo(msgspec.json.encode(run.record).decode())
    typer.echo(_summary(run, out), err=True)
    check_reject_limit(run.dataset.counts, max_rejects)


def _summary(run: "SketchRun", out: Path) -> str:
    counts = run.dataset.counts
    became = f"{counts.read:,} read, {counts.duplicate:,} duplicate, {counts.rejected:,} rejected"
    lines = [f"{counts.accepted:,} exchanges without text in {out / 'exchanges'} ({became})"]
    lines += [f"  rejected, {reason}: {number:,}" for reason, number in run.record["rejected_by_reason"].items()]
    for stage in run.record["stages"]:
        speed = f"{stage['wall_s']:.1f} s, {stage['rows_per_s']:,} rows/s"
        lines.append(f"  {stage['name']}: {speed}, peak {stage['peak_mib']:,} MiB")
    return "\n".join(lines)
