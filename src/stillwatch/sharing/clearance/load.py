"""Reads the rule table (TOML). A table with a fault is refused whole: a rule that cannot be trusted is no rule.

A member's own table may be stricter than the one that ships, and may name fields of its own. It cannot loosen what
ships (floor.py).
"""

import hashlib
import re
import tomllib
from collections import Counter
from importlib import resources
from pathlib import Path

import msgspec

from stillwatch.errors import Location, UsageError
from stillwatch.sharing.clearance.basis import Bases, standard_bases
from stillwatch.sharing.clearance.conditions import CONDITIONS
from stillwatch.sharing.clearance.floor import looser
from stillwatch.sharing.clearance.model import DataClass, RuleTable
from stillwatch.sharing.clearance.transform import TRANSFORMATIONS

_HINT = "see docs/reference/clearance.md for what a rule table holds"
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,39}")


class Rules:
    """A checked rule table, with its classes by field.

    Attributes:
        digest: SHA-256 (hex) over all that the table says, so that a change without a new version shows.
    """

    def __init__(self, table: RuleTable) -> None:
        self.version = table.version
        self.classes = table.classes
        self.digest = hashlib.sha256(msgspec.json.encode(table, order="deterministic")).hexdigest()
        self._by_field = {field: one for one in table.classes for field in one.fields}

    def class_of(self, field: str) -> DataClass | None:
        """Return the class that names a field; None where none does, so that it does not leave."""
        return self._by_field.get(field)

    def numbered(self, number: int) -> DataClass | None:
        """Return a class by its number."""
        return next((one for one in self.classes if one.number == number), None)


def standard_rules() -> Rules:
    """Return the rules that ship with the package (rules.toml)."""
    file = resources.files("stillwatch.sharing.clearance").joinpath("rules.toml")
    return parse_rules(file.read_text("utf-8"), file.name, standard_bases())


def load_rules(path: Path, bases: Bases) -> Rules:
    """Read and check a member's own rule table.

    Raises:
        UsageError: it cannot be read, holds a fault, or is looser than the rules that ship; says which and where.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read", hint="give a TOML file in UTF-8") from error
    rules, shipped = parse_rules(text, str(path), bases), standard_rules()
    faults = looser(rules.classes, shipped.classes)
    if rules.version == shipped.version and rules.digest != shipped.digest:
        faults.append(f"version {rules.version!r} is that of the rules that ship, and these are others")
    if faults:
        hint = "a table may be stricter than the one that ships, never looser; what counsel allows, opinions say"
        raise UsageError("; ".join(faults), where=Location(str(path)), hint=hint)
    return rules


def parse_rules(text: str, name: str, bases: Bases) -> Rules:
    """Read a rule table from text; `name` is the file that errors name.

    Raises:
        UsageError: it holds a fault; says which.
    """
    try:
        table = msgspec.convert(tomllib.loads(text), RuleTable)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError(str(error), where=Location(name), hint=_HINT) from error
    faults = [*_repeated(table), *(fault for one in table.classes for fault in _faults(one, bases))]
    if _VERSION.fullmatch(table.version) is None:
        faults.insert(0, "a version has at most 40 letters, digits, dots, plus signs and hyphens")
    if faults:
        raise UsageError("; ".join(faults), where=Location(name), hint=_HINT)
    return Rules(table)


def _repeated(table: RuleTable) -> list[str]:
    numbers = Counter(one.number for one in table.classes)
    fields = Counter(field for one in table.classes for field in one.fields)
    return [f"class {number} is there twice" for number, times in numbers.items() if times > 1] + [
        f"the field {field!r} stands in two classes" for field, times in fields.items() if times > 1
    ]


def _faults(one: DataClass, bases: Bases) -> list[str]:
    place = f"class {one.number}"
    faults = [f"{place}: no basis is called {name!r}" for name in one.bases if name not in bases.known]
    if one.number < 1:
        faults.append(f"{place}: classes are counted from 1")
    if not one.reason.strip() or not one.source.strip():
        faults.append(f"{place}: it says no reason or no source")
    for rule in one.rule:
        faults += [
            f"{place}: the field {field!r} is not of this class" for field in rule.fields if field not in one.fields
        ]
        faults += [f"{place}: no condition is called {name!r}" for name in rule.when if name not in CONDITIONS]
        if rule.transformation not in TRANSFORMATIONS:
            faults.append(f"{place}: no transformation is called {rule.transformation!r}")
    if not one.bases and any(rule.decision != "counsel" for rule in one.rule):
        faults.append(f"{place}: what leaves without counsel needs a legal basis, or its rules would outlive the law")
    return faults
