import pytest
from tests.enforcement.factories import NOW, policy, rule

from stillwatch.enforcement.policy.model import Policy
from stillwatch.enforcement.state.counters import Beginnings, Cost, Counters, reserved_tokens


def limited(counts: str, amount: int, cohorts: str = "") -> Policy:
    table = f'[[limit]]\nid = "l"\ncounts = "{counts}"\namount = {amount}\nper = "hour"\nburst = {amount}\n{cohorts}'
    return policy('[[cohort]]\nid = "c"\nplans = ["x"]', table, rule("r", "throttle", '{ limits = ["l"] }'))


def test_requests() -> None:
    counters = Counters(limited("requests", 2))
    for _ in range(2):
        assert not counters.exceeded("a", "everybody", Cost(), NOW)
        counters.charge("a", "everybody", Cost(), NOW)
    assert counters.exceeded("a", "everybody", Cost(), NOW) == {"l": pytest.approx(1800)}
    assert not counters.exceeded("b", "everybody", Cost(), NOW)
    assert len(counters) == 1


def test_a_limit_counts_its_cohorts_only() -> None:
    counters = Counters(limited("requests", 1, 'cohorts = ["c"]'))
    for _ in range(3):
        counters.charge("a", "everybody", Cost(), NOW)
    assert not counters.exceeded("a", "everybody", Cost(), NOW)
    assert not counters.exceeded("a", "c", Cost(), NOW)
    counters.charge("a", "c", Cost(), NOW)
    assert counters.exceeded("a", "c", Cost(), NOW)


def test_tokens_are_reserved_and_settled() -> None:
    counters = Counters(limited("tokens", 1000))
    counters.charge("a", "everybody", Cost(tokens=1000), NOW)
    assert counters.exceeded("a", "everybody", Cost(tokens=100), NOW)
    counters.settle("a", 900, NOW)
    assert not counters.exceeded("a", "everybody", Cost(tokens=100), NOW)
    assert reserved_tokens(400, 50) == 150
    assert reserved_tokens(0, None) == 1000


def test_only_unseen_templates_count() -> None:
    counters = Counters(limited("unseen_templates", 2))
    assert counters.reads_text
    for head in (7, 7, 7, 1 << 40 | 99):
        assert not counters.exceeded("a", "everybody", Cost(head=head), NOW)
        counters.charge("a", "everybody", Cost(head=head), NOW)
    assert counters.exceeded("a", "everybody", Cost(head=12345), NOW)
    assert not counters.exceeded("a", "everybody", Cost(head=7), NOW)
    assert not counters.exceeded("a", "everybody", Cost(), NOW)


def test_beginnings_start_anew_when_full_and_with_the_day() -> None:
    beginnings = Beginnings()
    for head in range(0, 2000, 3):
        beginnings.add("a", head << 20 | head)
    assert beginnings.is_new("a", 0)
    counters = Counters(limited("unseen_templates", 1))
    counters.charge("a", "everybody", Cost(head=7), NOW)
    counters.sweep(NOW + 86_400)
    assert not counters.exceeded("a", "everybody", Cost(head=7), NOW + 86_400)
    counters.charge("a", "everybody", Cost(head=7), NOW + 86_400)
    assert counters.exceeded("a", "everybody", Cost(head=8), NOW + 86_400)


def test_a_throttled_account_passes_once_in_a_while() -> None:
    counters = Counters(policy())
    waits = [counters.pace("a", 30, NOW + at) for at in (0, 10, 30, 31, 59, 61)]
    assert waits == [30, 20, 0, 29, 1, 0]
    counters.sweep(NOW + 10**6)
    assert counters.pace("a", 30, NOW + 10**6) == 30


def test_what_is_owed_outlives_a_restart() -> None:
    counters, after = Counters(limited("requests", 1)), Counters(limited("requests", 1))
    counters.charge("a", "everybody", Cost(), NOW)
    after.load(counters.dump())
    assert after.exceeded("a", "everybody", Cost(), NOW)
