"""The OASIS schemas of STIX 2.1, compiled: those that stix2-validator ships, read as files and without its code."""

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft202012Validator, RegexOptions, Registry

from stillwatch.errors import UsageError
from stillwatch.sharing.objects.extensions import SCHEMA_FILES, schema

_FOLDERS = ("common", "observables", "sdos", "sros")
_OF_COMMON = frozenset({"extension-definition", "language-content", "marking-definition"})
_CORES = ("core", "cyber-observable-core")
_HIDDEN = "the value"  # stands for values in messages, which may be anybody's
_TIMES = (
    "created",
    "modified",
    "valid_from",
    "valid_until",
    "first_seen",
    "last_seen",
    "first_observed",
    "last_observed",
    "published",
    "start_time",
    "stop_time",
)
# Days that the calendar has, years and seconds that every reader's clock has.
_TIME = {"type": "string", "format": "date-time", "pattern": r"^[1-9][0-9]{3}-.*:[0-5][0-9](\.[0-9]+)?Z$"}


class Standard:
    """One compiled schema per type of object, and two for types of other people's; each checks our extensions too."""

    def __init__(self) -> None:
        files = {file.stem: _load(file) for folder in _FOLDERS for file in _files(folder)}
        ours = [schema(key) for key in SCHEMA_FILES]
        registry = Registry([(body["$id"], body) for body in [*files.values(), *ours]])
        objects = {file.stem for folder in _FOLDERS[1:] for file in _files(folder)} | _OF_COMMON
        self.by_type = {name: _compiled(files[name], registry) for name in sorted(objects)}
        self.cores = tuple(_compiled(files[name], registry) for name in _CORES)


@cache
def standard() -> Standard:
    """Return the compiled schemas, made once per process (about a third of a second)."""
    return Standard()


def _compiled(body: dict[str, Any], registry: Registry) -> Draft202012Validator:
    extensions = {key: {"$ref": schema(key)["$id"]} for key in SCHEMA_FILES}
    ours = {**dict.fromkeys(_TIMES, _TIME), "extensions": {"type": "object", "properties": extensions}}
    return Draft202012Validator(
        {"allOf": [{"$ref": body["$id"]}, {"properties": ours}]},
        validate_formats=True,
        registry=registry,
        mask=_HIDDEN,
        pattern_options=RegexOptions(),  # an engine that cannot backtrack: what it is given is anybody's
    )


def _files(folder: str) -> list[Path]:
    package = find_spec("stix2validator")  # finds without importing, which would take seconds
    if package is None or package.origin is None:
        raise UsageError("the schemas of STIX 2.1 are missing", hint="install stix2-validator, which ships them")
    return sorted(Path(package.origin).with_name("schemas-2.1").joinpath("schemas", folder).glob("*.json"))


def _load(file: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return body
