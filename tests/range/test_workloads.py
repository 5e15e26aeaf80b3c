import random
from collections import Counter
from dataclasses import replace

import pytest

from stillwatch.errors import UsageError
from stillwatch_range.families.base import Source
from stillwatch_range.ids import Identifiers
from stillwatch_range.material import Material
from stillwatch_range.metadata import World
from stillwatch_range.populations import Account, Conversations
from stillwatch_range.text import invent_populations
from stillwatch_range.workloads import WORKLOADS, Workload, heavy_accounts, known_workloads

OWN = sorted(set(known_workloads()) - {workload.name for workload in WORKLOADS})
CLASSIFIER = Workload("classifier", accounts=6, strangers=False, items=20, earlier_items=10)


def accounts_of(material: Material, workload: Workload, *, known: bool = False) -> list[Account]:
    ids = Identifiers(1)
    world = World(random.Random(1), ids, 0, population=500)
    source = Source(random.Random(1), Conversations(random.Random(1), invent_populations(3, 900)))
    return heavy_accounts(world, source, ids, material, workload, known=known, release_day=3.0)


def prompts(accounts: list[Account]) -> list[list[str]]:
    return [[turn.prompt for work in account.window for turn in work.dialogue] for account in accounts]


@pytest.mark.parametrize("known", [True, False])
def test_a_firms_keys_ask_each_item_once(material: Material, known: bool) -> None:  # noqa: FBT001 - a parameter
    accounts = accounts_of(material, CLASSIFIER, known=known)
    asked = [work.dialogue for account in accounts for work in account.window]
    assert len(asked) == len({id(talk) for talk in asked})
    assert {account.cohort for account in accounts} == {"classifier" if known else "new:classifier"}
    assert all(bool(account.history) == known for account in accounts)


def test_the_uses_that_guidance_mistakes_for_attacks_are_all_there() -> None:
    assert set(OWN) >= {
        *("nightly_eval", "synthetic_data", "ci_review", "rag_backfill", "fallback_router", "drift_monitor"),
        *("shared_key", "llm_gateway", "release_chaser", "reasoning_audit", "support_bot"),
        *("students", "agency_clients", "agent_fleet", "red_team", "academic_eval", "enthusiasts"),
    }


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("known", [True, False])
def test_every_use_can_be_built(material: Material, name: str, known: bool) -> None:  # noqa: FBT001 - a parameter
    workload = known_workloads()[name]
    accounts = accounts_of(material, workload, known=known)
    assert len(accounts) == workload.accounts
    assert all(account.window for account in accounts)
    returned = known and workload.earlier_items > 0
    assert all(bool(account.history) == returned for account in accounts)
    assert {account.cohort for account in accounts} == {name if returned else f"new:{name}"}
    sent = sum(len(account.window) for account in accounts) / len(accounts) / workload.repeats
    assert 0.55 * workload.items <= sent <= 1.5 * workload.items
    assert not [text for own in prompts(accounts) for text in own if "{" in text.replace("diff --git", "") or not text]


def test_a_nightly_suite_asks_the_same_every_night(material: Material) -> None:
    (account,) = accounts_of(material, known_workloads()["nightly_eval"])
    assert set(Counter(prompts([account])[0]).values()) == {6}


def test_strangers_draw_from_one_pool_and_have_nothing_else_in_common(material: Material) -> None:
    accounts = accounts_of(material, known_workloads()["release_chaser"])
    counts = Counter(text for own in prompts(accounts) for text in own)
    assert len(counts) <= 90
    assert max(counts.values()) > 3
    assert len({account.party.identity.org_id for account in accounts}) == 10
    assert all(account.eager for account in accounts)
    assert {work.shift.days for account in accounts for work in account.window if work.shift} == {(3.0, 4.5)}


def test_an_agencys_clients_are_tied_by_its_card_alone(material: Material) -> None:
    accounts = accounts_of(material, known_workloads()["agency_clients"])
    assert len({account.party.identity.org_id for account in accounts}) == 12
    assert len({account.party.identity.payment_id for account in accounts}) == 1
    texts = [text for own in prompts(accounts) for text in own]
    assert len(set(texts)) == len(texts)


def test_students_are_people_on_a_campus(material: Material) -> None:
    accounts = accounts_of(material, known_workloads()["students"])
    assert {account.rhythm for account in accounts} == {"human"}
    assert all(account.party.identity.email_domain.startswith(("campus", "firm")) for account in accounts)
    assert len({account.party.identity.email_domain for account in accounts}) < 6


def test_a_shared_key_is_used_from_many_places(material: Material) -> None:
    (account,) = accounts_of(material, known_workloads()["shared_key"])
    clients = {id(work.shift.client): work.shift.client for work in account.window if work.shift}
    addresses = {client.addresses[0] for client in clients.values() if client}
    assert len(addresses) > 6
    assert {client.key_id for client in clients.values() if client} == {account.party.client.key_id}


def test_some_stand_in_the_registry(material: Material) -> None:
    assert {account.licence for account in accounts_of(material, known_workloads()["red_team"])} == {"researcher"}
    assert {account.licence for account in accounts_of(material, known_workloads()["unlisted_red_team"])} == {None}


def test_a_red_team_is_refused_like_an_attacker(material: Material) -> None:
    accounts = accounts_of(material, known_workloads()["red_team"])
    refused = [turn.refused for account in accounts for work in account.window for turn in work.dialogue]
    assert 0.6 < sum(refused) / len(refused) < 0.8


def test_an_unknown_use_is_an_error(material: Material) -> None:
    with pytest.raises(UsageError, match="unknown workload 'poetry'"):
        accounts_of(material, replace(CLASSIFIER, name="poetry"))


def test_a_client_of_an_agency_stays_the_same_client(material: Material) -> None:
    accounts = prompts(accounts_of(material, known_workloads()["agency_clients"]))
    clients = [{text.split("Client: ")[1].split("\n")[0] for text in own} for own in accounts]
    assert all(len(own) == 1 for own in clients)
    assert len(set.union(*clients)) > len(clients) / 2
    assert all(len(set(own)) > 1 for own in accounts)
