"""The OASIS schemas of STIX 2.1, compiled: those that stix2-validator ships, read as files and without its code."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

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

# What the schemas leave open: another version, and a maker that nobody can be.
_HEAD = {
    "spec_version": {"const": "2.1"},
    "created_by_ref": {"type": "string", "pattern": "^identity--"},
}


class Names(NamedTuple):
    """The properties that STIX gives a type: on the object itself, and anywhere within it."""

    top: frozenset[str]
    within: frozenset[str]


class Standard:
    """One compiled schema per type of object, and two for types of other people's; each checks our extensions too.

    Attributes:
        observables: the types of observables.
        names: what STIX defines, by type.
        core_names: what it defines for every other type.
    """

    def __init__(self) -> None:
        files = {file.stem: _load(file) for folder in _FOLDERS for file in _files(folder)}
        ours = [schema(key) for key in SCHEMA_FILES]
        registry = Registry([(body["$id"], body) for body in [*files.values(), *ours]])
        objects = {file.stem for folder in _FOLDERS[1:] for file in _files(folder)} | _OF_COMMON
        self.by_type = {name: _compiled(files[name], registry) for name in sorted(objects)}
        self.cores = tuple(_compiled(files[name], registry) for name in _CORES)
        self.observables = frozenset(file.stem for file in _files("observables"))
        self.names = {name: _names(files[name], files) for name in objects}
        self.core_names = _names(files["core"], files)


@cache
def standard() -> Standard:
    """Return the compiled schemas, made once per process (about a third of a second)."""
    return Standard()


def _compiled(body: dict[str, Any], registry: Registry) -> Draft202012Validator:
    extensions = {key: {"$ref": schema(key)["$id"]} for key in SCHEMA_FILES}
    ours = {
        **dict.fromkeys(_TIMES, _TIME),
        **_HEAD,
        "extensions": {"type": "object", "properties": extensions},
    }
    return Draft202012Validator(
        {"allOf": [{"$ref": body["$id"]}, {"properties": ours}]},
        validate_formats=True,
        registry=registry,
        mask=_HIDDEN,
        pattern_options=RegexOptions(),  # an engine that cannot backtrack: what it is given is anybody's
    )


def _names(body: dict[str, Any], files: Mapping[str, dict[str, Any]]) -> Names:
    within: set[str] = set()
    seen: set[str] = set()
    left: list[dict[str, Any]] = [body]
    while left:
        for part in _parts(left.pop()):
            within.update(part.get("properties", ()))
            name = _file_of(part)
            if name in files and name not in seen:
                seen.add(name)
                left.append(files[name])
    return Names(frozenset(_top(body, files)), frozenset(within))


def _top(body: dict[str, Any], files: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    yield from body.get("properties", ())
    for one in (*body.get("allOf", ()), *body.get("anyOf", ()), *body.get("oneOf", ())):
        yield from _top(one, files)
    name = _file_of(body)
    if name in files:
        yield from _top(files[name], files)


def _parts(body: object) -> Iterator[dict[str, Any]]:
    """Yield every object of a schema, whose values are schemas, lists of them, or something else."""
    if isinstance(body, dict):
        yield body
    for inner in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
        yield from _parts(inner)


def _file_of(part: Mapping[str, Any]) -> str:
    """Return the name of the file that a part of a schema refers to; empty for none or for the part's own."""
    ref = part.get("$ref")
    return ref.partition("#")[0].rpartition("/")[2].removesuffix(".json") if isinstance(ref, str) else ""


def _files(folder: str) -> list[Path]:
    package = find_spec("stix2validator")  # finds without importing, which would take seconds
    if package is None or package.origin is None:
        raise UsageError("the schemas of STIX 2.1 are missing", hint="install stix2-validator, which ships them")
    return sorted(Path(package.origin).with_name("schemas-2.1").joinpath("schemas", folder).glob("*.json"))


def _load(file: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return body
