"""The verb `decisions`: what the decision service recorded."""

import json
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.errors import UsageError

decisions = typer.Typer(help="Verify the record of decisions.", no_args_is_help=True)


@decisions.callback()
def _group() -> None:
    """Verify the record of decisions."""


@decisions.command("verify")
def verify(
    data_dir: Annotated[Path, typer.Argument(help="Data directory of `serve`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the end of the chain as JSON.")] = False,
) -> None:
    """Follow the chain of recorded decisions; a line that was changed, moved or taken out ends with exit code 3.

    The end of the chain is printed: note it elsewhere, since a record cut short at its end still verifies.

    Example: stillwatch decisions verify /var/lib/stillwatch
    """
    from stillwatch.enforcement.record.ledger import verify as follow

    directory = data_dir / "decisions"
    if not directory.is_dir():
        raise UsageError(f"{data_dir} holds no record of decisions", hint="give the --data-dir of stillwatch serve")
    head = follow(directory)
    if as_json:
        typer.echo(json.dumps(head._asdict()))
    else:
        typer.echo(
            f"{head.lines:,} decisions, unchanged; the chain ends in {head.segment or 'nothing'}: {head.chain}",
            err=True,
        )
