from types import SimpleNamespace
from typing import Any

import pytest
from tests.detection.factories import facts

from stillwatch.detection.campaigns.alternatives import (
    alternatives_of_content,
    alternatives_of_family,
    alternatives_of_pool,
)
from stillwatch.features.overlap import Overlap

PUBLIC_LIST = Overlap(exact=0.6, near=0.0)


def content(**changes: Any) -> Any:
    """What a content community that passes for a harvest has of all that explanations look at."""
    passing = {
        "dispersal": 1.0,
        "rest": 0.9,
        "asking": 0.0,
        "owners": 12,
        "effective_owners": 12.0,
        "overlap": Overlap(0.0, 0.0),
        "per_account": 8.0,
    }
    return SimpleNamespace(**(passing | changes))


def test_every_explanation_of_a_family_says_why_it_was_kept_or_dropped() -> None:
    found = alternatives_of_family(facts(overlap=PUBLIC_LIST, public=0.9, repeating=0), 0.2, owners_known=False)
    assert [one.kept for one in found] == [False, False, True, True, True]
    assert all(any(character.isdigit() for character in one.why) for one in found)


@pytest.mark.parametrize(("alike", "kept"), [(None, False), (1.0, False), (2.0, True)])
def test_an_agency_needs_one_payer_and_a_business_of_each_account(alike: float | None, *, kept: bool) -> None:
    found = alternatives_of_family(facts(paid_dispersal=alike), 1e-9, owners_known=True)
    assert [one.kept for one in found if "agency" in one.explanation] == [kept]


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, []),
        ({"dispersal": 2.0}, ["a new group of customers, or a topic that is new to everybody"]),
        ({"rest": 0.1}, ["a new group of customers, or a topic that is new to everybody"]),
        ({"rest": 0.1, "asking": 0.9}, []),
        ({"effective_owners": 2.0}, ["one customer's application with many keys or accounts"]),
        ({"overlap": PUBLIC_LIST}, ["strangers who run one public benchmark or question list"]),
        ({"per_account": 2.0}, ["people who try something out"]),
    ],
)
def test_each_doubt_about_a_content_community_keeps_its_own_explanation(
    changes: dict[str, Any], kept: list[str]
) -> None:
    assert [one.explanation for one in alternatives_of_content(content(**changes)) if one.kept] == kept


def test_sharing_alone_never_rules_a_family_out() -> None:
    assert [one.kept for one in alternatives_of_pool("unclear")] == [True, False]
    acted, idle = (alternatives_of_pool(kind)[0].why for kind in ("harvest", "unclear"))
    assert acted != idle
