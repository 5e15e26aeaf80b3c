"""Entry point: the list of verbs, and what happens to errors."""

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import typer
from typer.main import get_command

from stillwatch import __version__
from stillwatch.cli.decisions import decisions
from stillwatch.cli.detect import detect
from stillwatch.cli.dev_gateway import dev_gateway
from stillwatch.cli.hub import hub
from stillwatch.cli.hub_audit import audit
from stillwatch.cli.hub_trustee import trustee
from stillwatch.cli.ingest import ingest
from stillwatch.cli.policy import policy
from stillwatch.cli.serve import serve
from stillwatch.cli.share import share
from stillwatch.cli.sketch import sketch
from stillwatch.config import CONFIG_FILE, check_config, load_config
from stillwatch.errors import StillwatchError, UsageError

_INTERRUPTED = 130
_NOT_OURS = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}
"""What the system refuses for reasons that lie outside of this program."""

app = typer.Typer(
    name="stillwatch",
    help="Find harvesting of a model's answers in API traffic, and act on it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "STILLWATCH"},
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"stillwatch {__version__}")
        raise typer.Exit


@app.callback()
def _root(version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True)) -> None:
    """Find harvesting of a model's answers in API traffic, and act on it."""


app.command("detect")(detect)
app.command("dev-gateway")(dev_gateway)
app.command("ingest")(ingest)
app.command("serve")(serve)
app.command("sketch")(sketch)
app.add_typer(policy, name="policy")
app.add_typer(decisions, name="decisions")
hub.add_typer(audit, name="audit")
hub.add_typer(trustee, name="trustee")
app.add_typer(hub, name="hub")
app.add_typer(share, name="share")


def _add_verbs() -> None:
    for plugin in entry_points(group="stillwatch.verbs"):
        verb = plugin.load()
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, name=plugin.name)
        else:
            app.command(plugin.name)(verb)


def main() -> None:
    """Run the command line; every error that is meant for a person becomes text and an exit code."""
    with _hearing_interrupts() as heard:
        try:
            _run()
        except StillwatchError as error:
            typer.echo(f"stillwatch: {error}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            _stop()
        except SystemExit as end:
            if end.code != _INTERRUPTED:
                raise
            _stop()
        except Exception as error:
            if heard:
                _stop()
            if os.environ.get("STILLWATCH_DEBUG"):
                raise
            _report(error)


@contextlib.contextmanager
def _hearing_interrupts() -> Iterator[list[int]]:
    """Yield a list that every Ctrl-C is put into, since the engine turns the interrupt into an error of its own."""
    heard: list[int] = []

    def hear(number: int, _frame: FrameType | None) -> NoReturn:
        heard.append(number)
        raise KeyboardInterrupt

    usual = signal.getsignal(signal.SIGINT)
    if usual is not signal.default_int_handler:  # ignored, as by a process in the background, or another's affair
        yield heard
        return
    signal.signal(signal.SIGINT, hear)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, usual)


def _run() -> None:
    _add_verbs()
    command = get_command(app)
    config = Path(CONFIG_FILE)
    options = {verb: _options(verb, parameters) for verb, parameters in _verbs(command)}
    command(prog_name="stillwatch", default_map=check_config(load_config(config), options, config))


def _verbs(command: Any, name: str = "") -> Iterator[tuple[str, Iterable[Any]]]:
    """Yield the parameters of each verb by its whole name, such as "share pull"."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command.params
        return
    for called, verb in inner.items():
        yield from _verbs(verb, f"{name} {called}".strip())


def _stop() -> NoReturn:
    typer.echo("stillwatch: stopped; files that were not finished were not written", err=True)
    sys.exit(_INTERRUPTED)


def _report(error: Exception) -> NoReturn:
    if isinstance(error, OSError) and error.errno in _NOT_OURS:
        typer.echo(f"stillwatch: {error.filename or 'a file'}: {error.strerror}", err=True)
        sys.exit(UsageError.exit_code)
    typer.echo(_bug(error), err=True)
    sys.exit(1)


def _options(verb: str, parameters: Iterable[Any]) -> dict[str, str]:
    """Return the parameter of each option by the name that the option is called by, in settings and environment."""
    options = {}
    for parameter in parameters:
        called = max(parameter.opts, key=len).lstrip("-").replace("-", "_")
        options[called] = str(parameter.name)
        if called != parameter.name and parameter.envvar is None:
            parameter.envvar = f"STILLWATCH_{verb}_{called}".replace(" ", "_").replace("-", "_").upper()
    return options


def _bug(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "an unknown place"
    return (
        f"stillwatch: internal error, a bug: {type(error).__name__} at {place}\n"
        "  -> please report it as CONTRIBUTING.md says; STILLWATCH_DEBUG=1 shows the whole trace"
    )
