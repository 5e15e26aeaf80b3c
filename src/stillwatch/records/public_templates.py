"""Prompt templates that are public (benchmarks, well-known tools), which many strangers may share innocently."""

from pathlib import Path
from typing import Annotated

import msgspec

from stillwatch.errors import UsageError
from stillwatch.records.listed import ListedFile

_HINT = 'each line is an object with "name" and "text", the parts that vary written as {slot}'
_Text = Annotated[str, msgspec.Meta(min_length=1)]


class PublicTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A template that anybody can have: its name, and its text with `{slot}` marks where it varies."""

    name: _Text
    text: _Text


def load_public_templates(path: Path) -> tuple[PublicTemplate, ...]:
    """Read a JSON Lines file of public templates, in file order.

    Raises:
        UsageError: the file is not there, or a line is wrong; says which.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist", hint="--public-templates takes a JSON Lines file")
    templates: dict[str, PublicTemplate] = {}
    listed = ListedFile(path, PublicTemplate, _HINT)
    for number, template in listed:
        if template.name in templates:
            raise listed.wrong(number, f"the name {template.name!r} is taken")
        templates[template.name] = template
    return tuple(templates.values())
