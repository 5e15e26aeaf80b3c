from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.detection.factories import (
    Traffic,
    casefile,
    ids,
    links_table,
    model_days,
    numbers_only,
    population,
    records,
    replays,
)

from stillwatch.detection.campaigns.casefile import Casefile
from stillwatch.detection.campaigns.communities import find_communities
from stillwatch.detection.campaigns.identity import KnownCampaigns
from stillwatch.detection.campaigns.infrastructure import index_links
from stillwatch.detection.campaigns.pools import build_pools
from stillwatch.detection.findings.model import Campaign
from stillwatch.detection.owners import resolve_owners
from stillwatch.records.registry import Release

NAMES = ids(600)
POOL = np.arange(300, 316)
DAY_US = 86_400_000_000
NONE = np.empty(0, np.int64)


def case(
    *, together: bool = False, firm: bool = False, kinds: tuple[str, ...] = ("payment", "device"), **changes: Any
) -> Casefile:
    """600 accounts that appear over ten days, 16 of whom share what is asked for."""
    rng = np.random.default_rng(1)
    first = rng.integers(0, 10 * DAY_US, len(NAMES))
    if together:
        first[POOL] = 5 * DAY_US + np.arange(POOL.size)
    people = numbers_only(NAMES, first_us=first, last_us=first + DAY_US, exchanges=np.full(len(NAMES), 5))
    held = {(kind, "shared"): [NAMES[number] for number in POOL] for kind in kinds}
    firms = [{"account_id": NAMES[number], "org_id": "firm"} for number in POOL] if firm else []
    owners = resolve_owners(people, records(firms) if firms else None)
    return casefile(people, owners=owners, links=index_links(links_table(held), people, owners), **changes)


def pools(found: Casefile, taken: npt.NDArray[np.int64] = NONE) -> list[Campaign]:
    return build_pools(found, find_communities(found.links, 0), taken, KnownCampaigns(Path("absent")))


def test_a_large_pool_that_did_nothing_together_is_unclear() -> None:
    (pool,) = pools(case())
    assert pool.kind == "unclear"
    assert pool.recommended_action == "watch"
    assert {member.role for member in pool.accounts} == {"linked"}
    assert {member.account_id for member in pool.accounts} <= {NAMES[number] for number in POOL}
    assert pool.shared_keys


def test_a_pool_that_appeared_together_is_a_harvest_and_is_not_blocked() -> None:
    (pool,) = pools(case(together=True))
    assert pool.kind == "harvest"
    assert pool.recommended_action in {"throttle", "challenge"}


def test_what_explains_a_pool_makes_it_none() -> None:
    assert pools(case(firm=True)) == []
    assert pools(case(), taken=POOL) == []
    covered = np.full(len(NAMES), -1, np.int64)
    covered[POOL[3]] = 0
    assert pools(case(covered=covered)) == []


@pytest.mark.parametrize("kinds", [("payment",), ("ip", "subnet"), ("ip", "client", "subnet")])
def test_one_kind_of_value_or_one_place_is_not_enough(kinds: tuple[str, ...]) -> None:
    assert pools(case(kinds=kinds)) == []


def test_victims_are_named() -> None:
    victims = np.zeros(len(NAMES), np.bool_)
    victims[POOL[2]] = True
    (pool,) = pools(case(victims=victims))
    assert [member.account_id for member in pool.accounts if member.role == "victim"] == [NAMES[POOL[2]]]


def test_a_pool_keeps_its_name() -> None:
    assert pools(case())[0].campaign_id == pools(case(together=True))[0].campaign_id


def test_a_pool_is_blocked_only_for_something_beside_the_sharing(tmp_path: Any) -> None:
    past = Traffic(2)
    past.strangers(10)
    earlier = population(tmp_path, past.rows)
    (alone,) = pools(case(together=True, history=earlier))
    assert alone.recommended_action == "challenge"
    released = Release(model="sable-3", released_at=datetime(2026, 5, 3, tzinfo=UTC))
    moved = model_days([(NAMES[number], "sable-3", 20_576, 9) for number in POOL])
    (pivoted,) = pools(case(together=True, history=earlier, releases=(released,), model_days=moved))
    assert pivoted.recommended_action == "challenge"
    assert pivoted.models == ["sable-3"]
    shown = replays([NAMES[number] for number in POOL])
    (replaying,) = pools(case(together=True, history=earlier, replays=shown))
    assert replaying.recommended_action == "block"
