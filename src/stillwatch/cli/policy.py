"""The verb `policy`: what a policy file is worth before it stands in front of anybody."""

import json
from pathlib import Path
from typing import Annotated

import typer

policy = typer.Typer(help="Lint a policy for enforcement.", no_args_is_help=True)


@policy.callback()
def _group() -> None:
    """Lint a policy for enforcement."""


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
