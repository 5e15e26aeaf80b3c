from collections import Counter
from dataclasses import replace

import msgspec
import pytest

from stillwatch_range.campaigns import CampaignPlan
from stillwatch_range.enrolment import populate
from stillwatch_range.material import Material
from stillwatch_range.plan import Scenario

OPENING = 1_772_409_600_000_000


@pytest.fixture
def plain(small: Scenario) -> Scenario:
    return msgspec.structs.replace(small, campaigns=(), hard_negatives="none")


def test_customers_that_return_are_in_both_periods_and_keep_to_their_population(
    material: Material, plain: Scenario
) -> None:
    cast = populate(material, msgspec.structs.replace(plain, returning=0.4), 1, OPENING)
    both = [account for account in cast.accounts if account.history and account.window]
    assert len(both) == 0.4 * 150
    assert sum(bool(account.window) for account in cast.accounts) == 150
    assert sum(bool(account.history) for account in cast.accounts) == 150
    home = {talk: name for name, pile in material.populations.items() for talk in pile}
    loyal = 0
    for account in both:
        before, now = (Counter(home[work.dialogue] for work in part) for part in (account.history, account.window))
        loyal += bool(set(before) & set(now))
    assert loyal > 0.7 * len(both)


def test_nobody_is_lost_or_counted_twice(material: Material, plain: Scenario) -> None:
    plans = (
        CampaignPlan(family="tags", accounts=9, exchanges=40, pool="p"),
        CampaignPlan(family="grading", accounts=5, exchanges=30, pool="p"),
        CampaignPlan(family="tasks", accounts=4, exchanges=30, stolen=True),
    )
    scenario = msgspec.structs.replace(plain, campaigns=plans, returning=0.5)
    cast = populate(material, scenario, 1, OPENING)
    names = [account.account_id for account in cast.accounts]
    assert len(names) == len(set(names)) == 150 + 75 + 9
    assert sorted(cast.families.values()) == ["grading", "tags", "tasks"]
    assert Counter(account.label for account in cast.accounts) == {"benign": 150 + 75 - 4, "campaign": 13}


def test_a_drifting_population_may_be_an_invented_one(material: Material, plain: Scenario) -> None:
    scenario = msgspec.structs.replace(plain, drift="invented abroad", invented_talks=800)
    cast = populate(replace(material), scenario, 1, OPENING)
    assert sum(account.cohort == "drift" for account in cast.accounts) == 45
