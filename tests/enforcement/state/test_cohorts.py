from datetime import UTC, date, datetime

import pytest
from tests.enforcement.factories import NOW, policy

from stillwatch.enforcement.policy.load import standard_policy
from stillwatch.enforcement.state.cohorts import Cohorts, Membership, bucket_of
from stillwatch.records.registry import RegistryEntry

COHORTS = policy(
    '[[cohort]]\nid = "named"\naccount_ids = ["a"]',
    '[[cohort]]\nid = "fresh"\nnewer_than_days = 2',
    '[[cohort]]\nid = "lab"\norg_ids = ["o"]\nplans = ["team"]',
    '[[cohort]]\nid = "school"\nprogrammes = ["education"]\nverification = ["organisation"]',
    '[[exemption]]\nid = "e"\nreason = "r"\naccount_ids = ["x"]\norg_ids = ["ox"]',
    'most = "allow"\nvalid_to = 2026-09-21',
)
ACCOUNTS = {
    "new": {"created_at": datetime.fromtimestamp(NOW - 86_400, UTC)},
    "old": {"created_at": datetime.fromtimestamp(NOW - 3 * 86_400, UTC)},
    "lab": {"org_id": "o", "plan": "team"},
    "lone": {"org_id": "o", "plan": "free"},
    "pupil": {"programme": "education", "verification": "organisation"},
}


@pytest.mark.parametrize(
    ("account", "organisation", "cohort"),
    [
        ("a", None, "named"),
        ("new", None, "fresh"),
        ("old", None, "everybody"),
        ("lab", "a claim that the account file overrules", "lab"),
        ("lone", None, "everybody"),
        ("pupil", None, "school"),
        ("nobody", "o", "everybody"),
    ],
)
def test_cohorts(account: str, organisation: str | None, cohort: str) -> None:
    assert Cohorts(COHORTS, ACCOUNTS).of(account, organisation, None, NOW) == Membership(cohort, "block")


def test_exemptions_by_name_end_with_their_last_day() -> None:
    cohorts = Cohorts(COHORTS)
    assert cohorts.of("x", None, None, NOW).most == "allow"
    assert cohorts.of("y", "ox", None, NOW).most == "allow"
    assert cohorts.of("x", None, None, NOW + 2 * 86_400).most == "block"


ENTRY = RegistryEntry(id="r", kind="evaluator", holder="h", account_ids=("t",), org_id="ot", models=("m",))


@pytest.mark.parametrize(
    ("entry", "account", "organisation", "model", "most"),
    [
        (ENTRY, "t", None, "m", "watch"),
        (ENTRY, "u", "ot", "m", "watch"),
        (ENTRY, "t", None, "other", "block"),
        (ENTRY, "u", None, "m", "block"),
        (
            RegistryEntry(id="r", kind="researcher", holder="h", account_ids=("t",), valid_to=date(2020, 1, 1)),
            "t",
            None,
            "m",
            "block",
        ),
    ],
)
def test_the_registry_exempts_within_its_terms(
    entry: RegistryEntry, account: str, organisation: str | None, model: str, most: str
) -> None:
    assert Cohorts(standard_policy(), registry=[entry]).of(account, organisation, model, NOW).most == most


def test_without_cohorts_and_exemptions_everybody_is_everybody() -> None:
    assert Cohorts(policy()).of("a", None, None, NOW) == Membership("everybody", "block")


def test_buckets_are_even_and_stay() -> None:
    buckets = [bucket_of(f"acct-{number}") for number in range(4000)]
    assert bucket_of("acct-1") == bucket_of("acct-1")
    assert all(0 <= bucket < 100 for bucket in buckets)
    assert 320 < sum(bucket < 10 for bucket in buckets) < 480
