from typing import Any

import numpy as np
import pytest
from tests.detection.factories import (
    casefile,
    facts,
    harvest_window,
    ids,
    links_table,
    numbers_only,
    population,
    replays,
)

from stillwatch.detection.campaigns.coincidence import InnocentFrames, coincidence_p_value
from stillwatch.detection.campaigns.evidence import group_p_value, weigh_frame, weigh_pool
from stillwatch.detection.campaigns.families import FamilyFacts
from stillwatch.detection.campaigns.grouping import Group
from stillwatch.detection.campaigns.infrastructure import index_links
from stillwatch.detection.findings.model import Evidence
from stillwatch.detection.owners import resolve_owners
from stillwatch.detection.population import Population
from stillwatch.features.overlap import Overlap
from stillwatch.statistics import MAX_BITS


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Population:
    return population(tmp_path_factory.mktemp("people"), harvest_window(strangers=60, harvesters=12)[0].rows)


def weigh(people: Population, p_value: float = 1e-9, **changes: Any) -> dict[str, Evidence]:
    rows = np.flatnonzero(people.row_account >= 60)
    family: FamilyFacts = facts(
        **{
            "rows": rows,
            "row_account": people.row_account[rows],
            "accounts": np.unique(people.row_account[rows]),
            "owners": 12,
            "repeating": 12,
            **changes,
        }
    )
    evidence, _ = weigh_frame(casefile(people), Group("harvest", [family]), p_value)
    return {piece.signal: piece for piece in evidence}


def test_each_piece_is_bounded_and_names_its_factor(people: Population) -> None:
    found = weigh(people, p_value=1e-300)
    assert found["template_linkage"].bits == MAX_BITS
    assert found["repeat_use"].bits <= 10
    assert found["partition"].bits <= 10
    assert found["harvest_intent"].bits <= 5
    assert all(piece.detail for piece in found.values())


def test_no_history_is_said(people: Population) -> None:
    assert "there is none" in weigh(people)["template_linkage"].detail


def test_items_that_recur_speak_against_a_harvest(people: Population) -> None:
    assert weigh(people)["partition"].bits > 5
    against = weigh(people, overlap=Overlap(0.8, 0.0))["partition"]
    assert (against.bits, against.p_value) == (-10.0, None)
    assert weigh(people, overlap=Overlap(0.29, 0.0))["partition"].bits == 0.0


def test_a_frame_that_is_tried_once_is_no_repeated_use(people: Population) -> None:
    assert weigh(people, repeating=2)["repeat_use"].bits == 0.0


def test_kinds_of_values_that_the_log_lacks_are_no_evidence(people: Population) -> None:
    assert {"shared_identity", "shared_address"}.isdisjoint(weigh(people))


def test_a_pool_is_weighed_without_its_text() -> None:
    names = ids(400)
    people = numbers_only(names, first_us=np.arange(400) * 10**9)
    owners = resolve_owners(people, None)
    links = index_links(links_table({("payment", "card"): names[:10], ("ip", "home"): names[:4]}), people, owners)
    case = casefile(people, owners=owners, links=links, replays=replays(names[:6]))
    found = {piece.signal: piece for piece in weigh_pool(case, np.arange(10))}
    assert list(found) == ["shared_identity", "shared_address", "first_seen_synchrony", "handle_replay"]
    assert found["shared_identity"].bits > 15
    assert found["first_seen_synchrony"].bits == 10.0
    assert "10 of 10 accounts share with another owner's: payment" in found["shared_identity"].detail


def test_a_group_has_the_p_value_of_its_most_telling_family() -> None:
    group = Group("harvest", [facts(range(5)), facts(range(9))])
    assert group_p_value(group, 1000, InnocentFrames(1e-4, ())) == len(group.families) * coincidence_p_value(
        9, 1000, 1e-4
    )


def test_no_shared_value_is_in_the_evidence() -> None:
    names = ids(100)
    people = numbers_only(names)
    owners = resolve_owners(people, None)
    links = index_links(links_table({("payment", "4111-secret"): names[:10]}), people, owners)
    found = weigh_pool(casefile(people, owners=owners, links=links), np.arange(10))
    assert "4111" not in repr(found)
