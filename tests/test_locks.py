"""The locks agree with the projects that they lock, hold a hash for everything, and name no place to fetch it from."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13")


def project(path: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((REPOSITORY / path).read_text("utf-8"))["project"]
    return found


def lock_text(name: str) -> str:
    return (REPOSITORY / "requirements" / f"{name}.lock").read_text("utf-8")


def locked(name: str) -> list[tuple[Requirement, int]]:
    """Return each entry of a lock with its number of hashes."""
    entries = re.split(r"^(?=\S)", lock_text(name), flags=re.MULTILINE)
    return [
        (Requirement(entry.split("--hash", 1)[0].replace("\\\n", " ").split("#", 1)[0].strip()), entry.count("--hash="))
        for entry in entries
        if entry.strip() and not entry.startswith("#")
    ]


def versions(name: str, python: str) -> dict[str, str]:
    """Return the version of each distribution that a lock gives a Linux machine with this Python."""
    machine = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    return {
        canonicalize_name(entry.name): next(iter(entry.specifier)).version
        for entry, _ in locked(name)
        if entry.marker is None or entry.marker.evaluate(machine)
    }


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", ["run", "dev"])
def test_lock_satisfies_the_ranges_of_pyproject(name: str, python: str) -> None:
    root = project("pyproject.toml")
    wanted = root["dependencies"] + (root["optional-dependencies"]["dev"] if name == "dev" else [])
    found = versions(name, python)
    for requirement in map(Requirement, wanted):
        version = found.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not locked: make lock"
        assert requirement.specifier.contains(version), f"{requirement} is locked at {version}: make lock"


@pytest.mark.parametrize("python", PYTHONS)
def test_developers_run_what_users_run(python: str) -> None:
    assert versions("run", python).items() <= versions("dev", python).items()


def test_the_range_needs_nothing_beyond_stillwatch_itself() -> None:
    root = project("pyproject.toml")
    assert project("src/stillwatch_range/pyproject.toml")["dependencies"] == [f"stillwatch=={root['version']}"]


@pytest.mark.parametrize("name", ["run", "dev"])
def test_every_entry_is_exact_and_has_a_hash(name: str) -> None:
    for entry, hashes in locked(name):
        assert [clause.operator for clause in entry.specifier] == ["=="], entry
        assert hashes, entry


@pytest.mark.parametrize("name", ["run", "dev"])
def test_lock_names_no_index_and_no_file(name: str) -> None:
    assert not re.search(r"https?:|file:|--index|--find-links| @ |/\w+/", lock_text(name))
