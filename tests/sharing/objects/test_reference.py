"""docs/reference/stix.md and the code name the same properties, words, ids and versions."""

import re
from pathlib import Path
from typing import get_args

import pytest

from stillwatch.sharing.objects import vocabulary
from stillwatch.sharing.objects.atlas import mapping, references
from stillwatch.sharing.objects.extensions import SCHEMA_FILES, schema
from stillwatch.sharing.objects.tlp import EXTENSION_ID, MARKING_ID, Tlp
from stillwatch.sharing.objects.vocabulary import CONFIDENCE

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "stix.md").read_text("utf-8")


def rows(marker: str) -> dict[str, str]:
    """Return the table behind a marker: what its first column names, and the rest of each row."""
    found = {}
    for line in PAGE.partition(f"<!-- {marker} -->\n")[2].splitlines()[2:]:
        if not line.startswith("|"):
            break
        _, name, rest = line.split("|", 2)
        found[name.strip().strip("`")] = rest
    return found


PARTS = [(key, None) for key in SCHEMA_FILES] + [
    (key, name) for key in SCHEMA_FILES for name, body in schema(key)["$defs"].items() if "properties" in body
]


@pytest.mark.parametrize(("key", "part"), PARTS)
def test_page_and_schemas_name_the_same_properties(key: str, part: str | None) -> None:
    body = schema(key) if part is None else schema(key)["$defs"][part]
    told = rows(f"properties: {SCHEMA_FILES[key]}" + (f" {part}" if part else ""))
    assert told.keys() == body["properties"].keys()
    for name, rule in body["properties"].items():
        words = rule.get("enum", rule.get("items", {}).get("enum", ()))
        if name != "explanation" and not name.endswith(("_band", "_bucket")):
            assert re.findall(r"`([a-z-]+)`", told[name])[: len(words)] == list(words), name


@pytest.mark.parametrize("key", SCHEMA_FILES)
def test_every_extension_is_named(key: str) -> None:
    assert f"`{key}`" in PAGE


@pytest.mark.parametrize("words", ["Band", "Lifetime", "Explanation"])
def test_every_word_is_told(words: str) -> None:
    for word in get_args(getattr(vocabulary, words)):
        assert f"`{word}`" in PAGE


def test_markings_are_told() -> None:
    assert EXTENSION_ID in PAGE
    for level in Tlp:
        assert f"| `{level.label}` | `{MARKING_ID[level]}` |" in PAGE


def test_the_scale_of_confidence_is_told() -> None:
    assert ", ".join(f"{value} {word}" for word, value in CONFIDENCE.items()) in PAGE


def test_the_mapping_to_atlas_is_told() -> None:
    assert f"Mapping version `{mapping().version}`, made from ATLAS data `{mapping().atlas_version}`." in PAGE
    told = rows("techniques")
    assert list(told) == list(mapping().technique)
    for word, technique in mapping().technique.items():
        (reference,) = references([word])
        assert told[word] == f" `{reference['external_id']}` | {technique.use} |"
