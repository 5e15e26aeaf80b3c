from datetime import date
from typing import Any

import pytest
from tests.detection.factories import ids, model_days, numbers_only, records

from stillwatch.detection.authorised import authorised_campaigns, covered_accounts
from stillwatch.detection.findings.model import Campaign
from stillwatch.detection.owners import resolve_owners
from stillwatch.records.registry import RegistryEntry

DAY = (date(2026, 5, 1) - date(1970, 1, 1)).days
START_US = DAY * 86_400_000_000
NAMES = ids(6)
PEOPLE = numbers_only(
    NAMES,
    exchanges=[100] * 6,
    first_us=[START_US] * 6,
    last_us=[START_US + 3 * 86_400_000_000] * 6,
    org_id=["lab", "lab", None, None, "child", None],
)
OWNERS = resolve_owners(PEOPLE, records([{"account_id": NAMES[4], "org_id": "child", "parent_org_id": "holding"}]))
DAYS = [(name, "sable-2", DAY + day, 25) for name in NAMES for day in range(4)]


def entry(**changes: Any) -> RegistryEntry:
    fields: dict[str, Any] = {"id": "e1", "kind": "distillation", "holder": "A lab", **changes}
    return RegistryEntry(**fields)


def covered(*entries: RegistryEntry, days: list[tuple[str, str, int, int]] = DAYS) -> list[int]:
    found: list[int] = covered_accounts(PEOPLE, OWNERS, entries, model_days(days)).tolist()
    return found


def found(*entries: RegistryEntry, days: list[tuple[str, str, int, int]] = DAYS) -> list[Campaign]:
    table = model_days(days)
    return authorised_campaigns(PEOPLE, covered_accounts(PEOPLE, OWNERS, entries, table), entries, table)


def test_nobody_is_covered_without_a_registry() -> None:
    assert covered() == [-1] * 6
    assert found() == []


def test_an_entry_covers_accounts_organisations_and_children() -> None:
    assert covered(entry(account_ids=(NAMES[3], "stranger"))) == [-1, -1, -1, 0, -1, -1]
    assert covered(entry(org_id="lab")) == [0, 0, -1, -1, -1, -1]
    assert covered(entry(org_id="holding")) == [-1, -1, -1, -1, 0, -1]
    assert covered(entry(org_id="child")) == [-1, -1, -1, -1, 0, -1]


def test_an_account_of_its_own_entry_belongs_to_that() -> None:
    assert covered(entry(org_id="lab"), entry(id="e2", account_ids=(NAMES[1],))) == [0, 1, -1, -1, -1, -1]


@pytest.mark.parametrize(
    ("since", "until", "inside"),
    [
        (None, None, True),
        (date(2026, 5, 1), date(2026, 5, 4), True),
        (None, date(2026, 5, 3), False),
        (date(2026, 5, 2), None, False),
        (None, date(2026, 4, 30), False),
        (date(2026, 6, 1), None, False),
    ],
)
def test_an_entry_covers_nobody_outside_its_days(since: date | None, until: date | None, *, inside: bool) -> None:
    assert (covered(entry(org_id="lab", valid_from=since, valid_to=until))[0] == 0) is inside


def test_an_account_that_used_a_model_the_entry_does_not_name_is_not_covered() -> None:
    strayed = [*DAYS, (NAMES[1], "sable-3", DAY, 1)]
    assert covered(entry(org_id="lab", models=("sable-2",)), days=strayed)[:2] == [0, -1]
    assert covered(entry(org_id="lab", models=("sable-3",)), days=strayed)[:2] == [-1, -1]
    assert covered(entry(org_id="lab"), days=strayed)[:2] == [0, 0]


def test_what_is_authorised_is_named_and_counted() -> None:
    (campaign,) = found(entry(org_id="lab", max_exchanges_per_day=50))
    assert campaign.kind == "authorised"
    assert [member.account_id for member in campaign.accounts] == NAMES[:2]
    assert campaign.exchanges == 200
    assert campaign.recommended_action == "allow"
    assert (campaign.first_seen, campaign.last_seen) == ("2026-05-01T00:00:00Z", "2026-05-04T00:00:00Z")
    (alternative,) = campaign.alternatives
    assert alternative.kept
    assert "A lab" in alternative.explanation
    assert "50 exchanges on its busiest day" in alternative.why
    assert campaign.models == ["sable-2"]  # known without any text


def test_one_day_beyond_the_limit_is_watched_and_never_more() -> None:
    burst = [*DAYS, (NAMES[0], "sable-3", DAY, 10_000)]
    (within,) = found(entry(org_id="lab"), days=burst)
    assert within.recommended_action == "allow"
    (beyond,) = found(entry(org_id="lab", max_exchanges_per_day=1_000), days=burst)
    assert beyond.recommended_action == "watch"


def test_each_entry_is_a_campaign_of_its_own_with_a_lasting_id() -> None:
    both = found(entry(org_id="lab"), entry(id="e2", org_id="child"))
    assert len({campaign.campaign_id for campaign in both}) == 2
    assert [campaign.campaign_id for campaign in found(entry(org_id="lab"))] == [both[0].campaign_id]
