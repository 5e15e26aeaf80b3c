"""Entry point: the list of verbs, and what happens to errors."""

import sys
from importlib.metadata import entry_points

import typer

from stillwatch import __version__
from stillwatch.cli.ingest import ingest
from stillwatch.errors import StillwatchError

app = typer.Typer(
    name="stillwatch",
    help="Find harvesting of a model's answers in API traffic, and act on it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"stillwatch {__version__}")
        raise typer.Exit


@app.callback()
def _root(version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True)) -> None:
    """Find harvesting of a model's answers in API traffic, and act on it."""


app.command("ingest")(ingest)


def _add_verbs() -> None:
    for plugin in entry_points(group="stillwatch.verbs"):
        verb = plugin.load()
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, name=plugin.name)
        else:
            app.command(plugin.name)(verb)


def main() -> None:
    """Run the command line; every error that is meant for a person becomes text and an exit code."""
    _add_verbs()
    try:
        app()
    except StillwatchError as error:
        typer.echo(f"stillwatch: {error}", err=True)
        sys.exit(error.exit_code)
