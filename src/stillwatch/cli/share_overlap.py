"""The part of `share` for a pairwise question, by private set intersection."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli.outboxes import open_outbox
from stillwatch.cli.share_tables import note_unusable
from stillwatch.errors import PolicyRefusedError, UsageError

if TYPE_CHECKING:
    from stillwatch.sharing.clearance.outbox import Outbox
    from stillwatch.sharing.overlap import Commit

_Outbox = Annotated[Path, typer.Argument(metavar="OUTBOX", help="Outbox whose log the offers are written to.")]
_Identifiers = Annotated[Path, typer.Option(help="E-mail, payment, phone, device by account (JSON Lines).")]
_Kind = Annotated[str, typer.Option(help="Which of them: email, payment, phone or device.")]
_Channel = Annotated[Path, typer.Option(metavar="DIR", help="New directory that both sides reach.")]
_Wait = Annotated[float, typer.Option(min=1, help="Seconds to wait for each message of the other side.")]
_By = Annotated[list[str], typer.Option(help="Who decided to take part; give it twice, for two persons.")]
_Reason = Annotated[str, typer.Option(help="Why they did; it goes to the log.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]


def add_overlap_commands(app: typer.Typer) -> None:
    """Add the commands to the group `share`."""
    app.command("ask")(ask)
    app.command("answer")(answer)


def ask(
    outbox_dir: _Outbox,
    identifiers: _Identifiers,
    channel: _Channel,
    by: _By,
    reason: _Reason,
    kind: _Kind = "email",
    wait: _Wait = 3600,
    as_json: _Json = False,
) -> None:
    """Ask one other member which of our identifiers it has too; it learns how many we have, padded, and nothing else.

    Example: stillwatch share ask outbox --identifiers holders.jsonl --channel /mnt/both/question-7 --by "R. Ames"
    --by "B. Lee" --reason "case 7"
    """
    from stillwatch.sharing import overlap

    names = _names(identifiers, kind)
    with open_outbox(outbox_dir) as outbox:
        found = overlap.ask(channel, list(names), _commit(outbox, by, reason), wait)
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
    reason: _Reason,
    kind: _Kind = "email",
    wait: _Wait = 3600,
    as_json: _Json = False,
) -> None:
    """Answer one other member's question; we learn how many identifiers it has, padded, and nothing else.

    Example: stillwatch share answer outbox --identifiers holders.jsonl --channel /mnt/both/question-7 --by "R. Ames"
    --by "B. Lee" --reason "case 7"
    """
    from stillwatch.sharing import overlap

    names = _names(identifiers, kind)
    with open_outbox(outbox_dir) as outbox:
        overlap.answer(channel, list(names), _commit(outbox, by, reason), wait)
    if as_json:
        typer.echo(json.dumps({"answered": len(names)}))
    typer.echo("answered", err=True)


def _names(path: Path, kind: str) -> dict[bytes, list[str]]:
    import msgspec

    from stillwatch.sharing.producers import read_identifiers
    from stillwatch.sharing.tokens import named_by, unusable

    holders = {name: msgspec.structs.asdict(one) for name, one in read_identifiers(path).items()}
    names = named_by(holders, kind)
    note_unusable(unusable(holders, [kind]))
    if not names:
        raise UsageError(f"{path} holds no {kind} to compare", hint="a line is {account_id, email, phone, …}")
    return names


def _commit(outbox: "Outbox", by: Sequence[str], reason: str) -> "Commit":
    from stillwatch.sharing.clearance.counsel import person
    from stillwatch.sharing.clearance.events import OverlapOffered
    from stillwatch.sharing.clearance.load import standard_rules

    if not reason.strip():
        raise UsageError("a comparison of customers needs a reason", hint="say why with --reason")
    if len({person(one) for one in by}) != len(by) or len(by) != 2:
        raise PolicyRefusedError("customers are compared on the word of two persons", hint="give --by twice")
    first, second = by
    version = standard_rules().version

    def write(role: str, digest: str) -> None:
        now_s = time.time()
        told = OverlapOffered(
            ts=now_s, role=role, sha256=digest, by=first, second=second, reason=reason, rules_version=version
        )
        outbox.record([told], now_s)

    return write
