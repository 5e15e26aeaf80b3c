"""Prompt templates that are public (benchmarks, well-known tools), which many strangers may share innocently."""

from pathlib import Path
from typing import Annotated

import msgspec

from stillwatch.errors import Location, RecordError, UsageError
from stillwatch.records.lines import Defect, read_lines
from stillwatch.records.reasons import REASONS
from stillwatch.records.row import decode_object

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
    for item in read_lines(path):
        if isinstance(item, Defect):
            raise _wrong(path, item.line, REASONS[item.reason])
        for index, line in enumerate(item.lines):
            if not line.strip():
                continue
            number, _ = item.place(index)
            template = _to_template(line, path, number)
            if template.name in templates:
                raise _wrong(path, number, f"the name {template.name!r} is taken")
            templates[template.name] = template
    return tuple(templates.values())


def _to_template(line: bytes, path: Path, number: int) -> PublicTemplate:
    try:
        return msgspec.convert(decode_object(line), PublicTemplate)
    except (RecordError, msgspec.ValidationError) as error:
        raise _wrong(path, number, str(error)) from error


def _wrong(path: Path, line: int, message: str) -> UsageError:
    return UsageError(message, where=Location(str(path), line=line), hint=_HINT)
