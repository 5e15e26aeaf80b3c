from pathlib import Path

from tests.enforcement.factories import NOW, policy

from stillwatch.enforcement.record.budgets import Budgets
from stillwatch.enforcement.record.rulings import Rulings
from stillwatch.enforcement.record.store import Store

DAY = 86_400


def budgets_in(directory: Path) -> Budgets:
    store = Store(directory / "s.db")
    return Budgets(POLICY, store, Rulings(store))


POLICY = policy(
    '[[cohort]]\nid = "paying"\nplans = ["team"]',
    '[[budget]]\ncohort = "paying"\noverturned = 2\nper_days = 7',
    '[[budget]]\ncohort = "everybody"\nrefused_share = 0.05',
)


def test_overturned_decisions_within_the_period(tmp_path: Path) -> None:
    budgets = budgets_in(tmp_path)
    assert not budgets.overturn("paying", "r", NOW - 8 * DAY)
    assert not budgets.overturn("paying", "r", NOW)
    assert budgets.overturn("paying", "r", NOW + 1)
    assert not budgets.overturn("paying", "r", NOW + 2)
    assert not budgets.overturn("unbudgeted", "r", NOW)
    assert not budgets.overturn("everybody", "r", NOW)
    assert "2 decisions were overturned within 7 days" in budgets.fallen["paying"]


def test_a_fall_outlives_a_restart_and_ends_by_hand(tmp_path: Path) -> None:
    for ts in (NOW, NOW + 1):
        budgets_in(tmp_path).overturn("paying", "r", ts)
    budgets = budgets_in(tmp_path)
    assert budgets.fallen
    assert budgets.reset("paying", NOW + 2)
    assert not budgets.fallen
    assert not budgets.overturn("paying", "r", NOW + 3)


def test_a_share_of_refused_accounts_from_a_hundred_on(tmp_path: Path) -> None:
    budgets = budgets_in(tmp_path)
    early = [budgets.watch("everybody", f"r{number}", refused=True, now_s=NOW) for number in range(5)]
    assert not any(early)
    for number in range(120):
        assert not budgets.watch("everybody", f"a{number}", refused=False, now_s=NOW)
    assert not budgets.watch("everybody", "r5", refused=True, now_s=NOW)
    assert budgets.watch("everybody", "r6", refused=True, now_s=NOW)
    assert not budgets.watch("paying", "b", refused=True, now_s=NOW)
    assert "7 of 127 accounts" in budgets.fallen["everybody"]


def test_every_day_begins_anew(tmp_path: Path) -> None:
    budgets = budgets_in(tmp_path)
    for number in range(100):
        budgets.watch("everybody", f"a{number}", refused=number < 5, now_s=NOW)
    assert not budgets.watch("everybody", "new", refused=True, now_s=NOW + DAY)
