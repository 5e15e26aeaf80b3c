"""Invented windows: ordinary accounts that chat as history did, and a crowd that writes something new."""

import random
from pathlib import Path

import numpy as np
import pytest
from tests.detection.factories import Traffic, casefile, population, word

from stillwatch.detection.campaigns.build import judge_families
from stillwatch.detection.campaigns.casefile import Casefile
from stillwatch.detection.campaigns.content import ContentCommunity, find_content_communities, least_gain
from stillwatch.detection.campaigns.identity import KnownCampaigns
from stillwatch.detection.campaigns.kind import MAX_DISPERSAL, kind_of_content
from stillwatch.detection.campaigns.untemplated import build_untemplated, unexplained_rows
from stillwatch.detection.owners import resolve_owners

WORDS = sorted({word(random.Random(number)) for number in range(4_000)})
OLD, NEW = WORDS[:600], WORDS[600:1_000]
NOBODY = np.empty(0, np.int64)
CROWD = [f"crowd-{number:02}" for number in range(24)]


def chat(rng: random.Random, vocabulary: list[str]) -> str:
    return " ".join(rng.choice(vocabulary) for _ in range(25))


def window(own: int, cover: int, *, topics: bool = False, items: int = 0, crowd: list[str] = CROWD) -> Traffic:
    """200 ordinary accounts, and a crowd with so many new and so many ordinary prompts each.

    `topics` gives each member words of its own within the new; `items` makes them draw from one list of so many.
    """
    traffic = Traffic(1)
    for number in range(200):
        for _ in range(traffic.rng.randint(2, 8)):
            traffic.add(f"guest-{number:03}", chat(traffic.rng, OLD))
    listed = [chat(traffic.rng, NEW) for _ in range(items)]
    for name in crowd:
        vocabulary = traffic.rng.sample(NEW, 30) if topics else NEW
        asked = traffic.rng.sample(listed, own) if items else [chat(traffic.rng, vocabulary) for _ in range(own)]
        for prompt in asked + [chat(traffic.rng, OLD) for _ in range(cover)]:
            traffic.add(name, prompt)
    return traffic


def case(directory: Path, traffic: Traffic, **changes: object) -> Casefile:
    past = Traffic(2)
    for number in range(300):
        for _ in range(past.rng.randint(2, 8)):
            past.add(f"older-{number:03}", chat(past.rng, OLD))
    earlier = population(directory / "history", past.rows)
    people = population(directory / "window", traffic.rows)
    return casefile(people, history=earlier, history_owners=resolve_owners(earlier, None), **changes)


def communities(found: Casefile) -> list[ContentCommunity]:
    usable = unexplained_rows(found, judge_families(found))
    return find_content_communities(found.population, found.owners, found.history, usable)


def names(found: Casefile, community: ContentCommunity) -> set[str]:
    return {found.population.ids[account] for account in community.accounts}


@pytest.fixture(scope="module")
def harvest(tmp_path_factory: pytest.TempPathFactory) -> Casefile:
    return case(tmp_path_factory.mktemp("harvest"), window(own=8, cover=8))


def test_accounts_that_share_out_new_work_are_found_and_only_they(harvest: Casefile) -> None:
    (community,) = communities(harvest)
    assert names(harvest, community) <= set(CROWD)
    assert len(names(harvest, community)) >= 22
    assert community.dispersal < MAX_DISPERSAL
    assert 5 <= community.per_account <= 10
    assert 0.3 < np.median(community.shares) < 0.7
    assert community.p_value < 1e-6
    assert kind_of_content(community, 1e-3) == "harvest"


def test_the_campaign_names_its_members_and_never_blocks(harvest: Casefile, tmp_path: Path) -> None:
    (built,) = build_untemplated(harvest, judge_families(harvest), KnownCampaigns(tmp_path), NOBODY)
    campaign = built.campaign
    assert campaign.kind == "harvest"
    assert campaign.recommended_action in {"throttle", "challenge"}
    assert campaign.templates == []
    assert campaign.exchanges == built.rows.size == campaign.exposure.exchanges
    assert {piece.signal for piece in campaign.evidence} >= {"novel_mass", "partition"}
    assert not [alternative for alternative in campaign.alternatives if alternative.kept]
    assert all(0 < member.share <= 1 for member in campaign.accounts)


def test_customers_with_topics_of_their_own_are_no_harvest(tmp_path: Path) -> None:
    found = case(tmp_path, window(own=8, cover=8, topics=True))
    assert [kind_of_content(community, 1e-3) for community in communities(found)].count("harvest") == 0


def test_a_new_population_that_does_nothing_else_is_unclear(tmp_path: Path) -> None:
    found = case(tmp_path, window(own=10, cover=0))
    (community,) = communities(found)
    assert kind_of_content(community, 1e-3) == "unclear"
    (built,) = build_untemplated(found, judge_families(found), KnownCampaigns(tmp_path), NOBODY)
    assert built.campaign.recommended_action == "watch"
    assert any(alternative.kept for alternative in built.campaign.alternatives)


def test_people_who_try_something_new_are_no_harvest(tmp_path: Path) -> None:
    found = case(tmp_path, window(own=3, cover=5, crowd=[f"crowd-{number:02}" for number in range(60)]))
    assert [kind_of_content(community, 1e-3) for community in communities(found)].count("harvest") == 0


def test_strangers_on_one_list_are_no_harvest(tmp_path: Path) -> None:
    found = case(tmp_path, window(own=10, cover=8, items=14))
    kinds = [kind_of_content(community, 1e-3) for community in communities(found)]
    assert "harvest" not in kinds


def test_one_customer_with_many_keys_is_no_harvest(tmp_path: Path) -> None:
    found = case(tmp_path, window(own=8, cover=8))
    number = found.owners.number.copy()
    inside = np.array([name in CROWD for name in found.population.ids])
    number[inside] = number[np.flatnonzero(inside)[0]]
    usable = unexplained_rows(found, judge_families(found))
    one_owner = type(found.owners)(number, found.owners.organisation, found.owners.declared)
    (community,) = find_content_communities(found.population, one_owner, found.history, usable)
    assert community.owners == 1
    assert kind_of_content(community, 1e-3) == "single_organisation"


def test_nothing_is_found_where_nothing_is_new_or_there_is_no_history(tmp_path: Path, harvest: Casefile) -> None:
    quiet = case(tmp_path, window(own=0, cover=8))
    assert [one for one in communities(quiet) if one.p_value <= 1e-3] == []
    usable = np.ones(len(harvest.population.store), np.bool_)
    assert find_content_communities(harvest.population, harvest.owners, None, usable) == []
    assert find_content_communities(harvest.population, harvest.owners, harvest.history, ~usable) == []


def test_licensed_accounts_and_accounts_with_a_frame_are_not_looked_at(tmp_path: Path) -> None:
    traffic = window(own=8, cover=8)
    licensed = np.array([name in CROWD for name in sorted({row["account_id"] for row in traffic.rows})])
    found = case(tmp_path, traffic, covered=np.where(licensed, 0, -1))
    usable = unexplained_rows(found, judge_families(found))
    assert not usable[licensed[found.population.row_account]].any()
    assert usable.any()


def test_accounts_that_a_harvest_with_a_frame_holds_are_not_told_twice(harvest: Casefile, tmp_path: Path) -> None:
    crowd = np.array([number for number, name in enumerate(harvest.population.ids) if name in CROWD])
    assert build_untemplated(harvest, judge_families(harvest), KnownCampaigns(tmp_path), crowd) == []
    assert build_untemplated(harvest, judge_families(harvest), KnownCampaigns(tmp_path), crowd[:4]) != []


def test_members_are_taken_until_strangers_are_to_be_expected_among_them() -> None:
    usual = np.concatenate([np.zeros(990), np.linspace(3, 12, 10)])
    clear, blurred = np.full(60, 20.0), np.linspace(2.1, 8.0, 60)
    assert least_gain(clear, usual, 1_000) == 9.0  # above it lie 3 of history's 1,000; of 60 members 3 may be strangers
    level = least_gain(np.concatenate([clear, blurred]), usual, 1_000)
    members = (np.concatenate([clear, blurred]) > level).sum()
    assert (usual > level).sum() <= 0.05 * members


def test_without_anything_alike_in_history_a_little_gain_is_enough() -> None:
    assert least_gain(np.full(5, 9.0), np.zeros(100), 100) == 2.0
