"""The verb `policy`: what a policy file is worth before it stands in front of anybody."""

import json
from pathlib import Path
from typing import Annotated

import typer

_MAX_REJECTS = 0.01

policy = typer.Typer(help="Lint a policy for enforcement, and try it on stored exchanges.", no_args_is_help=True)


@policy.callback()
def _group() -> None:
    """Lint a policy for enforcement, and try it on stored exchanges."""


@policy.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="Policy (TOML, docs/reference/policy.md).")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
) -> None:
    """Refuse a policy with a rule that can never matter or that goes too far; exit code 2.

    Example: stillwatch policy check policy.toml
    """
    from stillwatch.enforcement.policy.load import PolicyError, load_policy

    try:
        loaded = load_policy(file)
    except PolicyError as error:
        if as_json:
            faults = [
                {"line": where.line, "place": fault.place, "message": fault.message, "hint": fault.hint}
                for where, fault in error.faults
            ]
            typer.echo(json.dumps({"faults": faults}))
        raise
    enforcing = sum(rule.mode == "enforce" for rule in loaded.rule)
    if as_json:
        summary = {"id": loaded.id, "version": loaded.version, "rules": len(loaded.rule), "enforcing": enforcing}
        typer.echo(json.dumps({"faults": [], **summary}))
    else:
        typer.echo(
            f"{file}: policy {loaded.id} {loaded.version}: {len(loaded.rule)} rules, {enforcing} of them enforcing;"
            " no fault",
            err=True,
        )


@policy.command("backtest")
def backtest(
    file: Annotated[Path, typer.Argument(help="Policy (TOML, docs/reference/policy.md).")],
    on: Annotated[Path, typer.Option(help="Stored exchanges: a file, or a directory of them.")],
    verdicts: Annotated[Path | None, typer.Option(help="verdicts.jsonl, in force for the whole replay.")] = None,
    received: Annotated[Path | None, typer.Option(help="received.jsonl that `share pull` wrote.")] = None,
    accounts: Annotated[Path | None, typer.Option(help="Account records, for the policy's cohorts.")] = None,
    registry: Annotated[Path | None, typer.Option(help="Registry of authorised users (TOML).")] = None,
    labels: Annotated[Path | None, typer.Option(help="truth.json, or account_id and label (JSON Lines, CSV).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON on standard output.")] = False,
) -> None:
    """Replay stored exchanges through a policy: who would have been hit, labelled hits, collateral.

    Every rule is heard as the file has it, and as if all rules enforced for everybody. The outcome is kept beside the
    policy, as FILE.backtest.json, where `serve` looks for it.

    Example: stillwatch policy backtest policy.toml --on state/exchanges --verdicts out/today/verdicts.jsonl
    """
    from datetime import UTC, datetime

    import msgspec

    from stillwatch.cli.backtest_table import print_outcome
    from stillwatch.enforcement.backtest.gate import keep
    from stillwatch.enforcement.backtest.run import BacktestRequest
    from stillwatch.enforcement.backtest.run import backtest as run_backtest
    from stillwatch.errors import InputRejectedError

    request = BacktestRequest(
        policy=file,
        on=on,
        verdicts=verdicts,
        received=received,
        accounts=accounts,
        registry=registry,
        labels=labels,
    )
    result = run_backtest(request)
    if as_json:
        typer.echo(msgspec.json.encode(result.outcome).decode())
    else:
        print_outcome(result.outcome)
    counts = result.counts
    if counts.rejected > _MAX_REJECTS * counts.read:
        raise InputRejectedError(
            f"{counts.rejected:,} of {counts.read:,} records were rejected, more than {_MAX_REJECTS:.0%}; the outcome"
            " is not kept",
            hint=f"stillwatch ingest {on} --out DIR writes the place and the reason of each to rejects.jsonl",
        )
    typer.echo(f"Kept in {keep(result.outcome, file, datetime.now(UTC))}", err=True)
