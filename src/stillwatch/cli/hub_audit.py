"""The verb `hub audit`: whether an audit log holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.errors import Location, UsageError

if TYPE_CHECKING:
    from stillwatch.transparency.checkpoint import SignedCheckpoint
    from stillwatch.transparency.keys import VerifyingKey

audit = typer.Typer(help="Verify an audit log.", no_args_is_help=True)


@audit.callback()
def _group() -> None:
    """Verify an audit log."""


@audit.command("verify")
def verify(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The log, or the data directory of a hub.")],
    key: Annotated[
        str | None, typer.Option(metavar="FILE|TEXT", help="Public key of the log, got from elsewhere than DIR.")
    ] = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A checkpoint kept elsewhere; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Check every entry, tile and checkpoint of a log offline; one that does not hold ends with exit code 5.

    Give the key and the checkpoints that you or a witness kept: only they show a log that was cut, or rewritten by who
    has its key. Without --key the public key that lies beside the log is taken, and said to be.

    Example: stillwatch hub audit verify /var/lib/hub --key hub.pub --checkpoint monday.txt
    """
    import msgspec

    from stillwatch.transparency.keys import verifying_key_of
    from stillwatch.transparency.verify import verify_log

    log = _log_below(directory)
    beside = verifying_key_of(log)
    given = key if key is not None else str(beside) if beside.is_file() else None
    found = verify_log(
        log,
        None if given is None else _read_key(given),
        {str(path): _read_checkpoint(path) for path in checkpoint or ()},
    )
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    elif found.key is None:
        typer.echo(f"{found.size:,} entries, unchanged; no signature was checked: there is no key", err=True)
    else:
        whose = "" if key is not None else f" by the key in {beside}, which lies beside the log: keep a copy elsewhere"
        typer.echo(f"{found.size:,} entries of {found.entries:,}, unchanged; signed at {found.time}{whose}", err=True)


def _log_below(directory: Path) -> Path:
    from stillwatch.transparency.tail import TAIL
    from stillwatch.transparency.tiles import CHECKPOINT

    for place in (directory, directory / "log"):
        if any((place / name).exists() for name in (CHECKPOINT, TAIL, "tile")):
            return place
    raise UsageError(f"{directory} holds no audit log", hint="give the --data-dir of stillwatch hub serve, or a log")


def _read_key(given: str) -> "VerifyingKey":
    from stillwatch.transparency.keys import parse_verifying_key

    try:
        text = Path(given).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError("no public key of a log", where=Location(given)) from None
    except (OSError, ValueError):  # ValueError: a NUL in the name
        text = given
    if text == given and "+" not in given:
        raise UsageError("no such file, and no public key of a log", where=Location(given))
    return parse_verifying_key(text)


def _read_checkpoint(path: Path) -> "SignedCheckpoint":
    from stillwatch.transparency.checkpoint import MAX_NOTE, parse
    from stillwatch.transparency.tiles import read_limited

    note = read_limited(path, MAX_NOTE)
    if note is None:
        raise UsageError("no such file", where=Location(str(path)))
    try:
        return parse(note)
    except ValueError as error:
        raise UsageError(f"no signed checkpoint: {error}", where=Location(str(path))) from None
