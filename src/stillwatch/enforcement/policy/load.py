"""Reads a policy (TOML). A file with any fault is refused whole, every fault named with its line."""

import re
import tomllib
from importlib import resources
from pathlib import Path

import msgspec

from stillwatch.enforcement.policy.check import Fault, find_faults
from stillwatch.enforcement.policy.model import Policy
from stillwatch.errors import Location, UsageError

_TABLE = re.compile(r"^\s*\[\[\s*(\w+)\s*\]\]", re.MULTILINE)


class PolicyError(UsageError):
    """A policy that must not be used.

    Attributes:
        faults: what is wrong, each with its place in the file.
    """

    def __init__(self, faults: list[tuple[Location, Fault]]) -> None:
        lines = [f"{where}: {fault.place}: {fault.message}\n  -> {fault.hint}" for where, fault in faults]
        super().__init__("\n".join(lines))
        self.faults = faults


def load_policy(path: Path) -> Policy:
    """Read and check a policy.

    Raises:
        UsageError: the file cannot be read.
        PolicyError: it holds what no policy has, or a rule that can never matter or goes too far.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="give a TOML file") from error
    except UnicodeDecodeError as error:
        raise UsageError("the file is not UTF-8", where=Location(str(path)), hint="save it as UTF-8") from error
    return parse_policy(text, str(path))


def standard_policy() -> Policy:
    """Return the policy that ships with the package (standard.toml)."""
    file = resources.files("stillwatch.enforcement.policy").joinpath("standard.toml")
    return parse_policy(file.read_text("utf-8"), file.name)


def parse_policy(text: str, name: str) -> Policy:
    """Read a policy from text; `name` is the file that errors name. Raises as `load_policy`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        where = Location(name, line=int(found[1]) if found else None)
        raise UsageError(f"no valid TOML: {error}", where=where, hint="see docs/reference/policy.md") from error
    try:
        policy = msgspec.convert(document, Policy)
    except msgspec.ValidationError as error:
        where = Location(name, line=_line_of_error(text, document, str(error)))
        raise UsageError(
            str(error), where=where, hint="see docs/reference/policy.md for what a policy holds"
        ) from error
    faults = find_faults(policy)
    if faults:
        raise PolicyError([(Location(name, line=_line_of(text, fault.place)), fault) for fault in faults])
    return policy


def _tables(text: str, kind: str) -> list[re.Match[str]]:
    return [found for found in _TABLE.finditer(text) if found[1] == kind]


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _line_of(text: str, place: str) -> int | None:
    """Return the line of the table that a fault names, `kind "id"` or `budget of "cohort"`."""
    found = re.fullmatch(r'(\w+)(?: of)? "(.*)"', place)
    if found is None:
        return None
    key = "cohort" if found[1] == "budget" else "id"
    named = re.compile(rf'^\s*{key}\s*=\s*["\']{re.escape(found[2])}["\']', re.MULTILINE)
    for table in _tables(text, found[1]):
        following = _TABLE.search(text, table.end())
        if named.search(text, table.end(), following.start() if following else len(text)):
            return _line(text, table.start())
    return None


def _line_of_error(text: str, document: dict[str, object], message: str) -> int | None:
    """Return the line of the first table of the kind that a decoding error names which does not decode by itself."""
    found = re.search(r"`\$\.(\w+)\[", message)
    if found is None:
        return None
    rows, tables = document.get(found[1]), _tables(text, found[1])
    if not isinstance(rows, list) or len(rows) != len(tables):
        return None
    for row, table in zip(rows, tables, strict=True):
        try:
            msgspec.convert({"id": "x", "version": "x", found[1]: [row]}, Policy)
        except msgspec.ValidationError:
            return _line(text, table.start())
    return None
