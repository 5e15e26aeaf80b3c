from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from tests.detection.factories import ids, links_table, numbers_only, records

from stillwatch.detection.campaigns.infrastructure import (
    ADDRESS_KINDS,
    IDENTITY_KINDS,
    Links,
    index_links,
    shared_keys,
    shared_values,
)
from stillwatch.detection.owners import resolve_owners
from stillwatch.identifiers import digest

Held = dict[tuple[str, str], Sequence[str]]
NAMES = ids(1500)
ALL = IDENTITY_KINDS | ADDRESS_KINDS


def links_of(held: Held, organisation: dict[str, str] | None = None) -> Links:
    people = numbers_only(NAMES)
    rows = [{"account_id": account, "org_id": org} for account, org in (organisation or {}).items()]
    return index_links(links_table(held), people, resolve_owners(people, records(rows) if rows else None))


def everyday(rng: np.random.Generator) -> Held:
    """What innocent accounts share: families a card and two devices, offices eight addresses, phones a carrier's."""
    held: Held = {}
    shuffled = rng.permutation(NAMES).tolist()
    for number in range(120):
        family = [shuffled.pop() for _ in range(rng.integers(2, 5))]
        for value in ("payment", "device", "device", "ip"):
            held[value, f"family-{number}-{len(held)}"] = family
    for number in range(18):
        office = [shuffled.pop() for _ in range(30)]
        held["subnet", f"office-{number}"] = office
        for address in range(8):
            held["ip", f"office-{number}-{address}"] = [name for name in office if rng.random() < 0.6]
    for number in range(25):
        held["ip", f"carrier-{number}"] = rng.choice(NAMES, 150, replace=False).tolist()
    held["ip", "university"] = rng.choice(NAMES, 180, replace=False).tolist()
    return held


@pytest.fixture(scope="module")
def ordinary() -> Links:
    return links_of(everyday(np.random.default_rng(1)))


@pytest.mark.parametrize("size", [8, 30, 120, 400])
@pytest.mark.parametrize("kinds", [IDENTITY_KINDS, ADDRESS_KINDS])
def test_random_accounts_share_no_more_than_chance_gives(ordinary: Links, size: int, kinds: frozenset[str]) -> None:
    rng = np.random.default_rng(size)
    p_values = np.array(
        [
            shared_values(ordinary, np.sort(rng.choice(len(NAMES), size, replace=False)), kinds).p_value
            for _ in range(200)
        ]
    )
    for level in (0.001, 0.01, 0.05, 0.2):
        assert (p_values <= level).sum() <= stats.binom.ppf(1 - 1e-5, p_values.size, level)


def planted(pool: npt.NDArray[np.int64], every: int) -> Held:
    """Let each `every` accounts of a pool share a card."""
    names = [NAMES[number] for number in pool]
    return {("payment", f"pool-{start}"): names[start : start + every] for start in range(0, len(names), every)}


def test_a_pool_behind_few_cards_is_found() -> None:
    rng = np.random.default_rng(2)
    pool = np.sort(rng.choice(len(NAMES), 24, replace=False))
    links = links_of(everyday(rng) | planted(pool, every=6))
    found = shared_values(links, pool, IDENTITY_KINDS)
    assert found.p_value < 1e-9
    assert "payment" in found.kinds
    assert set(found.accounts) == set(pool)
    assert found.ties >= 20
    assert found.expected < 1
    half_innocent = np.union1d(pool, rng.choice(len(NAMES), 24, replace=False))
    assert shared_values(links, half_innocent, IDENTITY_KINDS).p_value < 1e-9


def test_what_one_declared_owner_shares_does_not_count() -> None:
    pool = np.arange(24)
    shared = planted(pool, every=6)
    firm = dict.fromkeys((NAMES[number] for number in pool), "one firm")
    found = shared_values(links_of(shared, firm), pool, IDENTITY_KINDS)
    assert (found.p_value, found.ties, found.kinds, found.accounts.size) == (1.0, 0, (), 0)
    partly = dict(list(firm.items())[:5])
    assert shared_values(links_of(shared, partly), pool, IDENTITY_KINDS).ties == 20 - 4


def test_colleagues_who_share_many_addresses_are_tied_once() -> None:
    two = [NAMES[0], NAMES[1]]
    links = links_of({("ip", f"address-{number}"): two for number in range(20)})
    assert shared_values(links, np.arange(30), ADDRESS_KINDS).ties == 1


def test_kinds_that_are_not_asked_about_are_not_looked_at() -> None:
    links = links_of(planted(np.arange(24), every=6))
    assert shared_values(links, np.arange(24), ADDRESS_KINDS).p_value == 1.0


def test_no_links_at_all() -> None:
    links = links_of({})
    found = shared_values(links, np.arange(10), ALL)
    assert (found.p_value, found.kinds, found.ties) == (1.0, (), 0)
    assert shared_keys(links, np.arange(10), NAMES) == []
    assert links.population == len(NAMES)


def test_the_p_value_pays_for_every_kind_tried() -> None:
    alone = links_of(planted(np.arange(6), every=3))
    more = links_of(planted(np.arange(6), every=3) | {("device", "x"): NAMES[100:102], ("key", "y"): NAMES[102:104]})
    one, three = (shared_values(links, np.arange(6), IDENTITY_KINDS).p_value for links in (alone, more))
    assert three == pytest.approx(3 * one)


def test_shared_keys_are_digests_rarest_first() -> None:
    card, office = NAMES[:3], NAMES[:40]
    links = links_of({("payment", "card 1234"): card, ("ip", "203.0.113.9"): office, ("device", "d"): NAMES[90:99]})
    keys = shared_keys(links, np.arange(5), NAMES)
    assert [(key.key_kind, key.digest, key.accounts) for key in keys] == [
        ("payment", digest("card 1234"), card),
        ("ip", digest("203.0.113.9"), NAMES[:5]),
    ]
    assert "1234" not in repr(keys)


def test_no_more_keys_are_listed_than_a_person_reads() -> None:
    links = links_of({("device", f"d{number}"): NAMES[:3] for number in range(80)})
    assert len(shared_keys(links, np.arange(3), NAMES)) == 50


def test_one_open_payer_can_be_left_out_and_several_cards_cannot() -> None:
    members = NAMES[:12]
    accounts = np.arange(12)
    one = links_of({("payment", "agency"): members})
    assert shared_values(one, accounts, IDENTITY_KINDS).p_value < 1e-6
    assert shared_values(one, accounts, IDENTITY_KINDS, without_payer=True).p_value == 1.0
    several = links_of({("payment", f"card-{number}"): members[number * 3 : number * 3 + 3] for number in range(4)})
    assert shared_values(several, accounts, IDENTITY_KINDS, without_payer=True).p_value < 1e-6
