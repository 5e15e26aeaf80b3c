import pytest
from tests.enforcement.factories import NOW

from stillwatch.enforcement.limits import Rate
from stillwatch.enforcement.state.leased import LEASE_S, LeasedMeter, Peers

RATE = Rate(amount=60, per_s=60, burst=10)


@pytest.fixture
def together() -> LeasedMeter:
    return LeasedMeter(RATE, Peers(lost=False, count=4))


def test_nothing_fits_before_it_is_leased(together: LeasedMeter) -> None:
    assert together.lacking("a", 2, NOW) == 2
    together.grant("a", 2.5, NOW)
    assert together.lacking("a", 2, NOW) == 0
    assert together.wait("a", 2, NOW) == 0
    together.charge("a", 2, NOW)
    assert together.lacking("a", 2, NOW) == 1.5
    assert together.lacking("b", 2, NOW) == 2


def test_a_denial_holds_for_its_time_and_for_no_smaller_request(together: LeasedMeter) -> None:
    together.deny("a", 5, 3.0, NOW)
    assert together.lacking("a", 5, NOW + 1) == 0
    assert together.wait("a", 5, NOW + 1) == pytest.approx(2.0)
    assert together.lacking("a", 1, NOW + 1) == 1
    assert together.lacking("a", 5, NOW + 3) == 5
    together.deny("a", 5, 3.0, NOW)
    together.grant("a", 1, NOW)
    assert together.lacking("a", 5, NOW) == 4


def test_what_is_not_spent_is_given_back(together: LeasedMeter) -> None:
    together.grant("a", 3, NOW)
    together.grant("b", 1, NOW)
    together.charge("a", 1, NOW)
    together.charge("b", 1, NOW)
    together.charge("c", -4, NOW)
    assert together.take_back(NOW + LEASE_S / 2) == []
    assert together.take_back(NOW + LEASE_S) == [("a", 2), ("c", 4)]
    assert together.take_back(NOW + LEASE_S) == []
    assert together.lacking("a", 1, NOW + LEASE_S) == 1


def test_a_lease_that_ran_out_is_not_spent(together: LeasedMeter) -> None:
    together.grant("a", 3, NOW)
    assert together.lacking("a", 1, NOW + LEASE_S) == 1


def test_alone_a_replica_counts_its_part_of_the_rate() -> None:
    peers = Peers(lost=True, count=2)
    meter = LeasedMeter(RATE, peers)
    passed = 0
    assert meter.lacking("a", 1, NOW) == 0
    while meter.wait("a", 1, NOW) == 0:
        meter.charge("a", 1, NOW)
        passed += 1
    assert passed == RATE.burst / 2
    assert meter.wait("a", 1, NOW) == pytest.approx(2.0)


def test_what_was_spent_together_counts_when_alone() -> None:
    peers = Peers(lost=False, count=2)
    meter = LeasedMeter(RATE, peers)
    for _ in range(5):
        meter.grant("a", 1, NOW)
        meter.charge("a", 1, NOW)
    peers.lost = True
    assert meter.wait("a", 1, NOW) > 0
