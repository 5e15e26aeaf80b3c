"""Writes cli.md, the reference of all commands, from the commands themselves: `make docs`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.main import get_command

from stillwatch.cli.main import app
from stillwatch_range.cli import app as range_app
from stillwatch_range.cli import demo

PAGE = Path(__file__).with_name("cli.md")
PREFACE = """\
# Commands

Made from the commands' own help by `make docs`; a test keeps the two equal.

A setting is taken from the flag, else from the environment variable beside it, else from `stillwatch.toml` in the
working directory ([registry.md](registry.md#stillwatchtoml)), else it has its default. What a person reads goes to
standard error; with `--json`, what a program reads goes to standard output.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | internal error, a bug: `STILLWATCH_DEBUG=1` shows the whole trace |
| 2 | wrong use or configuration, or a file that is not there |
| 3 | more of the input was rejected than `--max-rejects` allows; what was accepted has been written |
| 4 | another party refused or could not be reached |
| 5 | a rule forbids what was asked |
| 130 | stopped by the user |
"""


def reference() -> str:
    """Return the whole page."""
    return "\n".join([PREFACE, *_commands()])


def _commands() -> Iterator[str]:
    root: Any = get_command(app)
    commands = dict(root.commands)
    commands["demo"] = _alone(demo)
    commands["range"] = get_command(range_app)
    for name, command in sorted(commands.items()):  # whether or not this process has run a verb before
        yield from _verb(name, command)


def _verb(name: str, command: Any) -> Iterator[str]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield from _section(name, command)
        return
    for called, leaf in inner.items():
        yield from _verb(f"{name} {called}", leaf)


def _alone(verb: Any) -> Any:
    """Return one verb as a command, as `stillwatch` would add it."""
    single = typer.Typer(rich_markup_mode=None, add_completion=False)
    single.command("demo")(verb)
    return get_command(single)


def _section(name: str, command: Any) -> Iterator[str]:
    about, _, example = command.help.partition("Example:")
    yield f"## stillwatch {name}\n"
    yield f"{' '.join(about.split())}\n"
    if example.strip():
        yield f"```\n{' '.join(example.split())}\n```\n"
    yield "| option | meaning | default | environment |\n|---|---|---|---|"
    for parameter in command.params:
        if parameter.name != "help":
            yield _row(name, parameter)
    yield ""


def _row(name: str, parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        shown = "`" + (parameter.metavar or parameter.name.upper()) + "`"
        variable = ""
    else:
        shown = ", ".join(f"`{option}`" for option in parameter.opts)
        variable = f"`{parameter.envvar or _variable(name, parameter)}`"
    return f"| {shown} | {parameter.help or ''} | {_default(parameter)} | {variable} |"


def _variable(name: str, parameter: Any) -> str:
    called = max(parameter.opts, key=len).lstrip("-")
    return "_".join(("STILLWATCH", *name.split(), called)).replace("-", "_").upper()


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    return "" if parameter.default is None or parameter.default is False else f"`{parameter.default}`"


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
