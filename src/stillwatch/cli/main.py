"""Entry point: the list of verbs, and what happens to errors."""

import os
import sys
from importlib.metadata import entry_points
from pathlib import Path

import typer
from typer.main import get_command

from stillwatch import __version__
from stillwatch.cli.detect import detect
from stillwatch.cli.ingest import ingest
from stillwatch.cli.sketch import sketch
from stillwatch.config import CONFIG_FILE, check_config, load_config
from stillwatch.errors import StillwatchError

_INTERRUPTED = 130

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
app.command("ingest")(ingest)
app.command("sketch")(sketch)


def _add_verbs() -> None:
    for plugin in entry_points(group="stillwatch.verbs"):
        verb = plugin.load()
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, name=plugin.name)
        else:
            app.command(plugin.name)(verb)


def main() -> None:
    """Run the command line; every error that is meant for a person becomes text and an exit code."""
    try:
        _add_verbs()
        command = get_command(app)
        config = Path(CONFIG_FILE)
        settings = load_config(config)
        verbs = getattr(command, "commands", {})
        check_config(settings, {name: {str(p.name) for p in verb.params} for name, verb in verbs.items()}, config)
        command(prog_name="stillwatch", default_map=settings)
    except StillwatchError as error:
        typer.echo(f"stillwatch: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("stillwatch: stopped; files that were not finished were not written", err=True)
        sys.exit(_INTERRUPTED)
    except Exception as error:
        if os.environ.get("STILLWATCH_DEBUG"):
            raise
        typer.echo(_bug(error), err=True)
        sys.exit(1)


def _bug(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "an unknown place"
    return (
        f"stillwatch: internal error, a bug: {type(error).__name__} at {place}\n"
        "  -> please report it as CONTRIBUTING.md says; STILLWATCH_DEBUG=1 shows the whole trace"
    )
