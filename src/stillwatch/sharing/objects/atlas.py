"""Our words for techniques and their ids in MITRE ATLAS, from a versioned table (`atlas.toml`)."""

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources

import msgspec

from stillwatch.errors import UsageError

ATLAS_SOURCE = "mitre-atlas"
OWN_SOURCE = "stillwatch"


class Technique(msgspec.Struct, frozen=True, kw_only=True):
    """A technique: its ATLAS id, None where ATLAS has none; `name` as ATLAS had it, `use` as we use it."""

    id: str | None = None
    name: str
    use: str


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """The table: its own version, the version of ATLAS that it was made from, and techniques by our words."""

    version: str
    atlas_version: str
    technique: dict[str, Technique]


@cache
def mapping() -> Mapping:
    """Return the table that this version of stillwatch ships."""
    text = resources.files("stillwatch.sharing.objects").joinpath("atlas.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Mapping)


def references(words: Iterable[str]) -> list[dict[str, str]]:
    """Return the external references that name techniques, each once, in the order given.

    Raises:
        UsageError: a word is not in the table.
    """
    return [_reference(word) for word in dict.fromkeys(words)]


def words_of(external_references: Iterable[dict[str, str]]) -> list[str]:
    """Return our words for the techniques that external references name; what is not in the table is passed over."""
    known = {_reference(word)["external_id"]: word for word in mapping().technique}
    named = (one.get("external_id") for one in external_references if one.get("source_name") in _SOURCES)
    return [known[one] for one in named if one in known]


_SOURCES = frozenset({ATLAS_SOURCE, OWN_SOURCE})


def _reference(word: str) -> dict[str, str]:
    technique = mapping().technique.get(word)
    if technique is None:
        raise UsageError(f"{word!r} is no technique of the mapping", hint="docs/reference/stix.md lists them")
    if technique.id is None:
        return {"source_name": OWN_SOURCE, "external_id": f"x-{word}", "description": technique.name}
    url = f"https://atlas.mitre.org/techniques/{technique.id}"
    return {"source_name": ATLAS_SOURCE, "external_id": technique.id, "url": url}
