import numpy as np
import pytest
from tests.detection.factories import casefile, evidence, ids, links_table, model_days, numbers_only

from stillwatch.detection.campaigns.assemble import Parts, assemble, members_of, sent_by, tied_accounts
from stillwatch.detection.campaigns.casefile import Casefile
from stillwatch.detection.campaigns.infrastructure import index_links
from stillwatch.detection.findings.model import Campaign, Kind
from stillwatch.detection.owners import resolve_owners

NAMES = ids(400)
CARD, GUESTS = np.arange(6), np.arange(200, 206)


@pytest.fixture(scope="module")
def case() -> Casefile:
    """400 accounts that appear one second after another; six have one card, the second of them was taken over."""
    first = np.arange(len(NAMES)) * 1_000_000
    people = numbers_only(NAMES, first_us=first, last_us=first + 10_000_000, exchanges=np.full(len(NAMES), 5))
    owners = resolve_owners(people, None)
    links = index_links(links_table({("payment", "card"): [NAMES[number] for number in CARD]}), people, owners)
    return casefile(people, owners=owners, links=links, victims=np.arange(len(NAMES)) == 1, model_days=model_days())


def campaign(case: Casefile, kind: Kind, bits: float) -> Campaign:
    parts = Parts(
        campaign_id="camp_0",
        kind=kind,
        p_value=0.01,
        sent=sent_by(case.population, CARD, {"small", "large"}),
        members=members_of(case, CARD, 1.0, "linked"),
        evidence=[evidence("shared_identity", bits)],
        alternatives=[],
        tied=tied_accounts(case, CARD),
        may_block=True,
    )
    return assemble(case, parts)


def test_all_that_accounts_sent_is_counted(case: Casefile) -> None:
    found = campaign(case, "unclear", 1.0)
    assert found.exchanges == 30
    assert (found.first_seen, found.last_seen) == ("1970-01-01T00:00:00Z", "1970-01-01T00:00:15Z")
    assert found.models == ["large", "small"]
    assert [key.key_kind for key in found.shared_keys] == ["payment"]


def test_only_of_a_harvest_the_evidence_says_how_sure_it_is(case: Casefile) -> None:
    kinds: tuple[Kind, ...] = ("harvest", "unclear", "public_benchmark")
    found = [campaign(case, kind, 50.0) for kind in kinds]
    assert [one.confidence for one in found] == ["high", "low", "moderate"]
    assert [one.recommended_action for one in found] == ["block", "watch", "allow"]
    assert campaign(case, "harvest", 1.0).confidence == "low"


def test_who_was_taken_over_is_a_victim_whatever_the_others_are(case: Casefile) -> None:
    members = members_of(case, CARD[:3], np.array([0.5, 1.0, 1.5]), "harvester")
    assert [(member.role, member.share) for member in members] == [
        ("harvester", 0.5),
        ("victim", 1.0),
        ("harvester", 1.0),
    ]


def test_only_what_is_shared_beyond_chance_ties(case: Casefile) -> None:
    assert tied_accounts(case, CARD).tolist() == CARD.tolist()
    assert tied_accounts(case, GUESTS).size == 0
