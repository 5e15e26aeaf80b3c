import ipaddress
import random
from collections import Counter

from stillwatch_range.ids import Identifiers
from stillwatch_range.metadata import Party, World
from stillwatch_range.populations import crowd

OPENING = 1_772_409_600_000_000


def world(seed: int = 1) -> World:
    return World(random.Random(seed), Identifiers(seed), OPENING, population=2000)


def test_addresses_and_networks_belong_to_nobody() -> None:
    for party in crowd(world(), random.Random(1), 300):
        for address, asn in party.client.addresses:
            assert ipaddress.ip_address(address).is_reserved
            assert 64512 <= asn <= 65534
        assert party.identity.email_domain.endswith(".example")


def test_everybody_signed_up_before_the_opening() -> None:
    assert all(party.identity.created_us < OPENING for party in crowd(world(), random.Random(1), 300))


def test_an_office_shares_its_address_card_and_domain() -> None:
    parties = world().office(8)
    for value in (
        {party.identity.org_id for party in parties},
        {party.identity.payment_id for party in parties},
        {party.identity.email_domain for party in parties},
        {party.client.addresses[0] for party in parties},
    ):
        assert len(value) == 1
    assert len({party.client.key_id for party in parties}) == 8


def test_an_agency_shares_its_card_alone() -> None:
    parties = world().agency(6)
    assert len({party.identity.payment_id for party in parties}) == 1
    assert len({party.identity.org_id for party in parties}) == 6


def test_a_family_shares_its_line() -> None:
    parties = world().family(4)
    assert len({party.client.addresses[0] for party in parties}) == 1
    assert len({party.identity.org_id for party in parties}) == 4


def test_a_company_works_through_programs_and_may_hide_that_its_keys_are_one() -> None:
    together, apart = world().company(6), world().company(6, one_org=False)
    assert {party.client.channel for party in together + apart} == {"api"}
    assert all(party.client.devices == [] for party in together + apart)
    assert len({party.identity.org_id for party in together}) == 1
    assert len({party.identity.org_id for party in apart}) == 6
    assert len({party.identity.payment_id for party in apart}) == 1


def test_hubs_put_many_strangers_behind_one_address() -> None:
    homes = Counter(party.client.addresses[0] for party in crowd(world(), random.Random(1), 2000))
    hubs = {address: count for address, count in homes.items() if count > 60}
    assert len(hubs) >= 4
    assert max(hubs.values()) >= 80


def shared(parties: list[Party]) -> int:
    cards = Counter(party.identity.payment_id for party in parties if party.identity.payment_id)
    proxies = Counter(party.client.addresses[0] for party in parties)
    return sum(
        cards[party.identity.payment_id] in range(2, 7) or proxies[party.client.addresses[0]] in range(2, 7)
        for party in parties
    )


def test_a_campaign_shares_infrastructure_in_part_only() -> None:
    own = world()
    parties = [own.person() for _ in range(200)]
    before = shared(parties)
    own.share_infrastructure(parties, 0.4)
    assert 0.2 * 200 < shared(parties) - before < 0.45 * 200
    own.share_infrastructure(parties, 0.0)
    assert shared(parties) < 0.6 * 200


def test_the_same_seed_makes_the_same_world() -> None:
    assert crowd(world(4), random.Random(2), 50) == crowd(world(4), random.Random(2), 50)
    assert crowd(world(4), random.Random(2), 50) != crowd(world(5), random.Random(2), 50)
