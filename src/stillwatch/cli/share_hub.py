"""The part of `share` that speaks to a hub: push, pull, and accounts that others reported."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli.outboxes import open_clearing, open_outbox
from stillwatch.cli.share_tables import note_expired, note_unusable
from stillwatch.errors import PolicyRefusedError, RemoteError, UsageError

if TYPE_CHECKING:
    from stillwatch.sharing.tokens import Tokeniser

_Hub = Annotated[str, typer.Option(help="Address of the hub, such as https://hub.example.")]
_Token = Annotated[
    str | None, typer.Option(envvar="STILLWATCH_HUB_TOKEN", help="Token for the hub; better not on the command line.")
]
_Collection = Annotated[str, typer.Option(help="Collection: its id, alias or title.")]
_Bases = Annotated[Path | None, typer.Option("--bases", help="Counsel's adoptions; by default those in the outbox.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]


def add_hub_commands(app: typer.Typer) -> None:
    """Add the commands to the group `share`."""
    app.command("push")(push)
    app.command("pull")(pull)
    app.command("match")(match)


def push(
    outbox_dir: Annotated[Path, typer.Argument(metavar="OUTBOX", help="Directory that `share clear` wrote.")],
    hub: _Hub,
    token: _Token = None,
    collection: _Collection = "shared",
    rules: Annotated[Path | None, typer.Option(help="Rule table (TOML) instead; `standard` ships.")] = None,
    bases: _Bases = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Send what does not name this member, and nothing else.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Send what was cleared and not sent yet; what rests on a legal basis that lapsed stays (exit code 5).

    Example: stillwatch share push outbox --hub https://hub.example
    """
    from stillwatch.sharing.exchange import push as send
    from stillwatch.sharing.wire.connection import Connection

    with open_outbox(outbox_dir) as outbox, Connection.from_environment(hub, token) as connection:
        clearing = open_clearing(outbox, rules, bases)
        outcome = send(outbox, clearing, connection, collection, time.time, anonymous=anonymous)
    note_expired(outcome.expired)
    if as_json:
        typer.echo(json.dumps(outcome._asdict()))
    else:
        typer.echo(f"{outcome.taken:,} objects sent, {outcome.deleted:,} deleted at the hub", err=True)
    if outcome.apart:
        which = "`share push`" if anonymous else "`share push --anonymous`"
        typer.echo(f"Note: {outcome.apart:,} objects wait for {which}, at another time of day", err=True)
    if outcome.other_hub:
        typer.echo(f"Note: another hub has {outcome.other_hub:,} objects; an outbox is for one hub", err=True)
    for message in outcome.elsewhere:
        typer.echo(f"Note: {message}", err=True)
    if outcome.refused:
        object_id, message = outcome.refused[0]
        raise RemoteError(f"the hub refused {len(outcome.refused):,} objects; {object_id}: {message}")
    if outcome.waiting:
        raise PolicyRefusedError(
            f"{len(outcome.waiting):,} objects stay here; {outcome.waiting[0]}",
            hint="`share clear` again puts them before counsel; `share bases` shows what is in force",
        )


def pull(
    hub: _Hub,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory for what others shared.")],
    token: _Token = None,
    collection: _Collection = "shared",
    member: Annotated[str | None, typer.Option(help="This member's id: its own objects are no news.")] = None,
    as_json: _Json = False,
) -> None:
    """Fetch what others shared since the last pull; writes received.jsonl for `detect` and `serve`.

    Example: stillwatch share pull --hub https://hub.example --out received
    """
    from stillwatch.sharing.exchange import pull as fetch
    from stillwatch.sharing.wire.connection import Connection

    try:
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"{out} cannot be made: {error.strerror}", hint="give another directory") from error
    with Connection.from_environment(hub, token) as connection:
        outcome = fetch(out, connection, collection, time.time, member)
    if as_json:
        typer.echo(json.dumps(outcome._asdict()))
        return
    typer.echo(
        f"{outcome.objects:,} new objects ({outcome.unsigned:,} that nobody vouches for), "
        f"{outcome.corrections:,} corrections; {outcome.indicators:,} indicators hold now",
        err=True,
    )
    for member_id in outcome.new_keys:
        typer.echo(f"Note: {member_id} signs with a key that was not seen before: ask it on another way", err=True)


def match(
    received: Annotated[Path, typer.Argument(metavar="DIR", help="Directory that `share pull` wrote.")],
    identifiers: Annotated[Path, typer.Option(help="E-mail, payment, phone, device by account (JSON Lines).")],
    hub: _Hub,
    trustee: Annotated[str | None, typer.Option(help="Holder of the other share of a split key.")] = None,
    token: _Token = None,
    as_json: _Json = False,
) -> None:
    """List accounts of ours whose holders others reported. It is a reason to look, and to do nothing more.

    Example: stillwatch share match received --identifiers holders.jsonl --hub https://hub.example
    """
    import msgspec

    from stillwatch.sharing.producers import read_identifiers
    from stillwatch.sharing.received import Inbox
    from stillwatch.sharing.tokens import matches, unusable

    holders = {name: msgspec.structs.asdict(one) for name, one in read_identifiers(identifiers).items()}
    if not (received / "received.sqlite").exists():
        raise UsageError(f"{received} holds nothing that was pulled", hint="run `stillwatch share pull` first")
    with Inbox(received / "received.sqlite") as inbox, token_service(hub, trustee, token) as tokenise:
        found = list(matches(holders, inbox.latest(), tokenise))
    note_unusable(unusable(holders))
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in found]))
        return
    for one in found:
        typer.echo(f"{one.account_id}: {one.kind} was reported by {one.source} in {one.object_id}", err=True)
    typer.echo(f"{len({one.account_id for one in found}):,} accounts match", err=True)


def ask_who_hides(hub: str, token: str | None) -> str:
    """Return the identity that stands at a hub for members that are not named."""
    from stillwatch.sharing.wire.connection import Connection
    from stillwatch.sharing.wire.members import hidden_by

    with Connection.from_environment(hub, token) as connection:
        return hidden_by(connection)


@contextlib.contextmanager
def token_service(hub: str, trustee: str | None, token: str | None) -> "Iterator[Tokeniser]":
    """Yield what makes tokens of identifiers, by asking the hub and, where the key is split, the trustee."""
    from stillwatch.sharing.wire.connection import Connection
    from stillwatch.sharing.wire.tokens import current_epoch, fetch_tokens, published_epochs

    with contextlib.ExitStack() as open_until_the_end:
        holders = [
            open_until_the_end.enter_context(Connection.from_environment(url, token))
            for url in (hub, trustee)
            if url is not None
        ]
        epoch = current_epoch(published_epochs(holders[0]), time.time())
        if len(epoch.public_keys) != len(holders):
            raise UsageError(
                f"the hub's key is split over {len(epoch.public_keys)} holders, {len(holders)} are named",
                hint="--trustee names the other one",
            )
        yield lambda names: [str(one) for one in fetch_tokens(holders, epoch, names)]
