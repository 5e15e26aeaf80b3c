from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.sharing.objects import vocabulary
from stillwatch.sharing.objects.extensions import HARVEST, LLM_ACCOUNT, schema
from stillwatch.sharing.objects.vocabulary import BANDS, CONFIDENCE, band_of, confidence_word, least, lifetime_of

ACTING = {"block", "ban", "deny", "suspend", "throttle", "challenge", "degrade", "vote", "threshold", "boycott"}


@given(st.integers(1, 10**12))
def test_a_band_holds_its_counts(count: int) -> None:
    band = band_of(count)
    assert least(band) <= count
    assert band == BANDS[-1] or count < 10 * least(band)


def test_nothing_has_no_band() -> None:
    with pytest.raises(ValueError, match="from one"):
        band_of(0)


@pytest.mark.parametrize(
    ("seconds", "word"),
    [(0, "under-1-hour"), (3600, "under-1-day"), (86_400 * 8, "under-1-month"), (4e7, "1-year-or-more")],
)
def test_lifetimes(seconds: float, word: str) -> None:
    assert lifetime_of(seconds) == word


def test_confidence_reads_back_as_it_was_written() -> None:
    assert {word: confidence_word(value) for word, value in CONFIDENCE.items()} == {word: word for word in CONFIDENCE}
    assert [confidence_word(value) for value in (None, 0, 1, 29, 30, 69, 70, 100)] == [
        None,
        None,
        *("low", "low", "moderate", "moderate", "high", "high"),
    ]


def test_models_and_schemas_have_the_same_words() -> None:
    harvest, account = schema(HARVEST), schema(LLM_ACCOUNT)
    parts, kinds = harvest["properties"], account["$defs"]["token"]["properties"]["kind"]["enum"]
    assert tuple(harvest["$defs"]["band"]["enum"]) == BANDS
    assert tuple(account["properties"]["requests_bucket"]["enum"]) == BANDS
    assert tuple(parts["lifetime_band"]["enum"]) == get_args(vocabulary.Lifetime)
    assert tuple(parts["synchrony"]["enum"]) == get_args(vocabulary.Synchrony)
    assert tuple(parts["capability"]["enum"]) == get_args(vocabulary.Capability)
    assert tuple(parts["circumvention"]["items"]["enum"]) == get_args(vocabulary.Circumvention)
    explanations = harvest["$defs"]["alternative"]["properties"]["explanation"]["enum"]
    assert tuple(explanations) == get_args(vocabulary.Explanation)
    assert tuple(kinds) == get_args(vocabulary.TokenKind)


def test_no_vocabulary_has_a_word_for_joint_action() -> None:
    """Invariant 1 of docs/reference/stix.md: what has no word cannot be said in a structured field."""
    words = {
        part
        for name in vocabulary.__dict__
        for value in get_args(getattr(vocabulary, name))
        for part in str(value).split("-")
    }
    assert len(words) > 50
    assert not words & ACTING
