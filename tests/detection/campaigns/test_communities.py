import numpy as np
from tests.detection.campaigns.test_infrastructure import Held, everyday
from tests.detection.factories import ids, links_table, numbers_only, records

from stillwatch.detection.campaigns.communities import find_communities
from stillwatch.detection.campaigns.infrastructure import index_links
from stillwatch.detection.owners import resolve_owners

NAMES = ids(1500)


def communities(held: Held, organisation: dict[str, str] | None = None) -> list[list[str]]:
    people = numbers_only(NAMES)
    rows = [{"account_id": account, "org_id": org} for account, org in (organisation or {}).items()]
    owners = resolve_owners(people, records(rows) if rows else None)
    found = find_communities(index_links(links_table(held), people, owners), seed=0)
    return [[NAMES[number] for number in group] for group in found]


def pool(size: int, start: int = 600) -> Held:
    """Accounts that overlap in cards and devices, so that no one value holds all of them."""
    names = NAMES[start : start + size]
    held: Held = {}
    for number in range(0, size, 4):
        held["payment", f"card-{start}-{number}"] = names[number : number + 6]
        held["device", f"rack-{start}-{number}"] = names[max(0, number - 2) : number + 4]
    return held


def test_a_university_address_does_not_glue_its_users_together() -> None:
    university = NAMES[:200]
    held: Held = {("ip", "university"): university, ("subnet", "university"): university}
    assert communities(held) == []


def test_everyday_sharing_makes_no_community_beyond_families() -> None:
    held = everyday(np.random.default_rng(3))
    assert max((len(group) for group in communities(held)), default=0) <= 4


def test_a_planted_pool_is_one_community_also_beside_a_university() -> None:
    held = everyday(np.random.default_rng(4))
    taken = {name for (kind, _), holders in held.items() if kind != "ip" for name in holders}
    names = [name for name in NAMES if name not in taken][:24]
    for number in range(0, 24, 4):
        held["payment", f"card-{number}"] = names[number : number + 6]
        held["device", f"rack-{number}"] = names[max(0, number - 2) : number + 4]
    found = [group for group in communities(held) if set(group) & set(names)]
    assert {name for group in found for name in group} <= set(names)
    assert sum(len(group) for group in found) >= 20


def test_what_one_declared_owner_shares_makes_no_community() -> None:
    firm = dict.fromkeys(NAMES[600:624], "one firm")
    assert communities(pool(24)) != []
    assert communities(pool(24), firm) == []


def test_two_pools_stay_apart_and_come_in_a_fixed_order() -> None:
    held = pool(24) | pool(12, start=900)
    found = communities(held)
    assert {name for group in found for name in group} <= {*NAMES[600:624], *NAMES[900:912]}
    assert not [group for group in found if {*group} & {*NAMES[600:624]} and {*group} & {*NAMES[900:912]}]
    assert [len(group) for group in found] == sorted((len(group) for group in found), reverse=True)
    assert communities(dict(reversed(held.items()))) == found


def test_no_links_no_community() -> None:
    assert communities({}) == []
    assert communities({("asn_client", "common"): NAMES[:3]}) == []
