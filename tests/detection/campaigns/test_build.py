from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.detection.factories import FIRM, FRAME, Traffic, casefile, facts, harvest_window, history, population

from stillwatch.detection.campaigns.build import build_campaigns, innocent_frames, judge_families
from stillwatch.detection.campaigns.identity import KnownCampaigns
from stillwatch.detection.findings.model import Campaign
from stillwatch.detection.owners import resolve_owners
from stillwatch.detection.population import Population

NONE: list[np.ndarray] = []


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Population:
    traffic, _ = harvest_window(strangers=60, harvesters=12)
    traffic.together(["small-1", "small-2", "small-3", "small-4"], FIRM, each=2)
    return population(tmp_path_factory.mktemp("people"), traffic.rows)


def campaigns(people: Population, communities: list[np.ndarray] = NONE, **changes: object) -> list[Campaign]:
    case = casefile(people, **changes)
    found = build_campaigns(case, judge_families(case), communities, KnownCampaigns(Path("absent")))
    return [one.campaign for one in found]


def test_a_harvest_is_built_with_its_evidence(people: Population) -> None:
    (harvest,) = campaigns(people)
    assert harvest.kind == "harvest"
    assert len(harvest.accounts) == 12
    assert all(0.4 < member.share < 0.8 and member.role == "harvester" for member in harvest.accounts)
    assert harvest.exchanges == harvest.exposure.exchanges == sum(template.exchanges for template in harvest.templates)
    assert harvest.exposure.capabilities == ["reasoning_elicitation"]
    signals = [piece.signal for piece in harvest.evidence]
    assert len(set(signals)) == len(signals)
    assert {"template_linkage", "repeat_use", "partition", "harvest_intent"} <= set(signals)
    assert not [alternative for alternative in harvest.alternatives if alternative.kept]
    assert harvest.first_seen < harvest.last_seen


def test_everyday_coincidences_are_left_out(people: Population) -> None:
    assert not [c for c in campaigns(people) if "small-1" in {member.account_id for member in c.accounts}]


def test_accounts_of_the_same_community_are_linked_and_victims_named(people: Population) -> None:
    pool = [number for number, name in enumerate(people.ids) if name.startswith("pool-")]
    guests = [number for number, name in enumerate(people.ids) if name.startswith("guest-")][:2]
    victims = np.zeros(len(people), np.bool_)
    victims[pool[0]] = True
    (harvest,) = campaigns(people, [np.sort(np.array(pool[:5] + guests))], victims=victims)
    roles = {member.account_id: (member.role, member.share) for member in harvest.accounts}
    assert [roles[people.ids[number]] for number in guests] == [("linked", 0.0)] * 2
    assert roles[people.ids[pool[0]]][0] == "victim"
    assert [member.account_id for member in harvest.accounts] == sorted(roles)


def test_one_victim_does_not_link_its_office(people: Population) -> None:
    pool = [number for number, name in enumerate(people.ids) if name.startswith("pool-")]
    guests = [number for number, name in enumerate(people.ids) if name.startswith("guest-")][:5]
    (harvest,) = campaigns(people, [np.sort(np.array([pool[0], *guests]))])
    assert {member.role for member in harvest.accounts} == {"harvester"}


def test_a_known_harvest_stays_one_when_each_account_sends_it_but_once(tmp_path: Path) -> None:
    first, _ = harvest_window(strangers=60, harvesters=12)
    case = casefile(population(tmp_path / "first", first.rows))
    found = build_campaigns(case, judge_families(case), NONE, KnownCampaigns(tmp_path))
    report = {"campaigns": [msgspec.to_builtins(one.campaign) for one in found]}
    (tmp_path / "campaigns.json").write_bytes(msgspec.json.encode(report))
    split = Traffic(4)
    split.strangers(60)
    split.together([f"other-{number:03}" for number in range(60)], FRAME, each=1, cover=1)
    later = casefile(population(tmp_path / "later", split.rows))
    assert {kind for _, kind in judge_families(later).families} == {"unclear"}
    assert "harvest" in {kind for _, kind in judge_families(later, KnownCampaigns(tmp_path)).families}
    listed = Traffic(5)
    listed.strangers(60)
    listed.one_list([f"other-{number:03}" for number in range(30)], FRAME, items=3)
    benchmark = casefile(population(tmp_path / "listed", listed.rows))
    assert {kind for _, kind in judge_families(benchmark, KnownCampaigns(tmp_path)).families} == {"public_benchmark"}


def test_accounts_that_the_registry_covers_are_not_looked_at(people: Population) -> None:
    covered = np.where([name.startswith("pool-") for name in people.ids], 0, -1)
    assert campaigns(people, covered=covered) == []


def test_the_rate_of_coincidence_is_measured_on_halves_of_history(people: Population, tmp_path: Path) -> None:
    past = history(strangers=60)
    quiet = population(tmp_path / "quiet", past.rows)
    past.together([f"older-{number:04}" for number in range(10)], FRAME, each=8)
    busy = population(tmp_path / "busy", past.rows)
    rates = [
        innocent_frames(casefile(people, history=one, history_owners=resolve_owners(one, None)), []).rate
        for one in (quiet, busy)
    ]
    assert rates[0] == pytest.approx(1 / (30 * 29 / 2 + 1))
    assert rates[1] == rates[0]  # both halves know the frame, so that it is no novelty in either
    one_half = Traffic(9)
    one_half.rows = history(strangers=60).rows
    names = sorted({row["account_id"] for row in one_half.rows})
    one_half.together(names[::2][:8], FRAME, each=8)
    met = population(tmp_path / "met", one_half.rows)
    assert innocent_frames(casefile(people, history=met, history_owners=resolve_owners(met, None)), []).rate > rates[0]


def test_without_history_the_rate_comes_from_the_windows_small_families(people: Population) -> None:
    case = casefile(people)
    owners = len(people)
    possible = owners * (owners - 1) / 2 + 1
    assert innocent_frames(case, []).rate == pytest.approx(1 / possible)
    small, large = facts(range(4), each=4), facts(range(12), each=9)
    assert innocent_frames(case, [small, large]).rate == pytest.approx((6 + 1) / possible)


@pytest.mark.parametrize(("of_old", "expected"), [(0, "harvest"), (15, "unclear")])
def test_a_frame_sent_once_each_is_a_harvest_of_newcomers_only(tmp_path: Path, of_old: int, expected: str) -> None:
    crew = [f"acct-{number:02}" for number in range(24)]
    now, past = Traffic(1), history()
    now.strangers(60)
    now.together(crew, FRAME, each=1, cover=2)
    for name in crew[:of_old]:
        past.add(name, "a question of the year before about nothing much")
    earlier = population(tmp_path / "past", past.rows)
    case = casefile(
        population(tmp_path / "now", now.rows), history=earlier, history_owners=resolve_owners(earlier, None)
    )
    assert [kind for family, kind in judge_families(case).families if family.accounts.size > 20] == [expected]
