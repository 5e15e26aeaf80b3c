import re

import pytest

from stillwatch.errors import UsageError
from stillwatch.sharing.objects.atlas import mapping, references, words_of


def test_ids_are_ids_of_atlas() -> None:
    ids = [one.id for one in mapping().technique.values() if one.id is not None]
    assert len(set(ids)) == len(ids) == 14
    assert all(re.fullmatch(r"AML\.T[0-9]{4}(\.[0-9]{3})?", one) for one in ids)


def test_every_word_becomes_a_reference_and_back() -> None:
    words = list(mapping().technique)
    assert words_of(references(words)) == words


def test_what_atlas_lacks_is_named_by_us() -> None:
    assert references(["reasoning-replay", "model-extraction", "reasoning-replay"]) == [
        {
            "source_name": "stillwatch",
            "external_id": "x-reasoning-replay",
            "description": "Replay of sealed reasoning",
        },
        {
            "source_name": "mitre-atlas",
            "external_id": "AML.T0024.002",
            "url": "https://atlas.mitre.org/techniques/AML.T0024.002",
        },
    ]


def test_unknown_references_are_passed_over() -> None:
    assert words_of([{"source_name": "mitre-atlas", "external_id": "AML.T9999"}, {"source_name": "cve"}]) == []


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(UsageError, match="no technique"):
        references(["theft"])
