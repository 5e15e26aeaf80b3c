"""The part of `share` for a pairwise question, by private set intersection."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli.outboxes import open_or_make_outbox

if TYPE_CHECKING:
    from stillwatch.sharing.clearance.outbox import Outbox
    from stillwatch.sharing.overlap import Commit

_Outbox = Annotated[Path, typer.Argument(metavar="OUTBOX", help="Outbox whose log the offers are written to.")]
_Identifiers = Annotated[Path, typer.Option(help="E-mail, payment, phone, device by account (JSON Lines).")]
_Kind = Annotated[str, typer.Option(help="Which of them: email, payment, phone or device.")]
_Channel = Annotated[Path, typer.Option(metavar="DIR", help="New directory that both sides reach.")]
_Wait = Annotated[float, typer.Option(min=1, help="Seconds to wait for each message of the other side.")]
_By = Annotated[str, typer.Option(help="Who decided to take part.")]


def add_overlap_commands(app: typer.Typer) -> None:
    """Add the commands to the group `share`."""
    app.command("ask")(ask)
    app.command("answer")(answer)


def ask(
    outbox_dir: _Outbox,
    identifiers: _Identifiers,
    channel: _Channel,
    by: _By,
    kind: _Kind = "email",
    wait: _Wait = 3600,
    as_json: Annotated[bool, typer.Option("--json", help="Print the accounts as JSON.")] = False,
) -> None:
    """Ask one other member which of our identifiers it has too; it learns how many we have, padded, and nothing else.

    Example: stillwatch share ask outbox --identifiers holders.jsonl --channel /mnt/both/question-7 --by "R. Ames"
    """
    from stillwatch.sharing import overlap
    from stillwatch.sharing.tokens import named_by

    names = named_by(identifiers, kind)
    with open_or_make_outbox(outbox_dir) as outbox:
        found = overlap.ask(channel, list(names), _commit(outbox, by), wait)
    accounts = sorted(account for name in found for account in names[name])
    if as_json:
        typer.echo(json.dumps(accounts))
    else:
        typer.echo("\n".join(accounts))


def answer(
    outbox_dir: _Outbox,
    identifiers: _Identifiers,
    channel: _Channel,
    by: _By,
    kind: _Kind = "email",
    wait: _Wait = 3600,
) -> None:
    """Answer one other member's question; we learn how many identifiers it has, padded, and nothing else.

    Example: stillwatch share answer outbox --identifiers holders.jsonl --channel /mnt/both/question-7 --by "R. Ames"
    """
    from stillwatch.sharing import overlap
    from stillwatch.sharing.tokens import named_by

    with open_or_make_outbox(outbox_dir) as outbox:
        overlap.answer(channel, list(named_by(identifiers, kind)), _commit(outbox, by), wait)
    typer.echo("answered", err=True)


def _commit(outbox: "Outbox", by: str) -> "Commit":
    from stillwatch.sharing.clearance.counsel import person
    from stillwatch.sharing.clearance.events import OverlapOffered

    person(by)

    def write(role: str, digest: str) -> None:
        now_s = time.time()
        outbox.record([OverlapOffered(ts=now_s, role=role, sha256=digest, by=by)], now_s)

    return write
