from tests.detection.factories import account_table, empty_store, ids, numbers_only, records

from stillwatch.detection.owners import Owners, resolve_owners
from stillwatch.detection.population import Population


def same(owners: Owners, left: int, right: int) -> bool:
    return bool(owners.number[left] == owners.number[right])


def test_accounts_without_an_organisation_own_themselves() -> None:
    owners = resolve_owners(numbers_only(ids(3)), None)
    assert len(set(owners.number.tolist())) == 3
    assert owners.organisation == [None, None, None]
    assert not owners.known


def test_the_log_tells_who_belongs_together() -> None:
    owners = resolve_owners(numbers_only(ids(3), org_id=["o", "o", None]), None)
    assert same(owners, 0, 1)
    assert not same(owners, 1, 2)
    assert owners.known


def test_the_account_record_comes_before_the_log() -> None:
    rows = [{"account_id": name, "org_id": org} for name, org in zip(ids(2), ("p", None), strict=True)]
    owners = resolve_owners(numbers_only(ids(2), org_id=["o", "o"]), records(rows))
    assert owners.organisation == ["p", "o"]


def test_parents_are_followed_to_the_top() -> None:
    declared = [("o1", "o2"), ("o2", "o3"), ("o3", None), ("x", None)]
    rows = [
        {"account_id": name, "org_id": org, "parent_org_id": parent}
        for name, (org, parent) in zip(ids(4), declared, strict=True)
    ]
    owners = resolve_owners(numbers_only(ids(4)), records(rows))
    assert owners.organisation == ["o3", "o3", "o3", "x"]
    assert owners.declared == ["o1", "o2", "o3", "x"]
    assert same(owners, 0, 2)
    assert not same(owners, 0, 3)


def test_a_parent_counts_also_where_the_account_names_no_organisation() -> None:
    rows = [{"account_id": name, "parent_org_id": "group"} for name in ids(2)]
    owners = resolve_owners(numbers_only(ids(3)), records(rows))
    assert same(owners, 0, 1)
    assert not same(owners, 1, 2)


def test_parents_in_a_circle_end() -> None:
    rows = [
        {"account_id": "a000000", "org_id": "o1", "parent_org_id": "o2"},
        {"account_id": "a000001", "org_id": "o2", "parent_org_id": "o1"},
        {"account_id": "a000002", "org_id": "o4", "parent_org_id": "o4"},
    ]
    assert resolve_owners(numbers_only(ids(3)), records(rows)).organisation[2] == "o4"


def test_an_account_named_like_an_organisation_is_somebody_else() -> None:
    people = Population.of(account_table(["o", "x"], org_id=[None, "o"]), empty_store(), frozenset())
    assert not same(resolve_owners(people, None), 0, 1)


def test_long_names_cost_no_more_than_their_length() -> None:
    """A fixed-width array would take the longest name's room for every account: 400 MB here."""
    people = numbers_only(ids(100_000), org_id=["o" * 1_000, *[None] * 99_999])
    assert len(set(resolve_owners(people, None).number.tolist())) == 100_000


def _payers(count: int, **fields: object) -> list[dict[str, object]]:
    return [{"account_id": name, "org_id": f"o{name}"} | fields for name in ids(count)]


def test_one_card_and_one_mail_domain_of_its_own_are_one_small_firm() -> None:
    rows = _payers(6, payment_id="card", email_domain="firm.example")
    owners = resolve_owners(numbers_only(ids(7)), records(rows))
    assert len(set(owners.number[:6].tolist())) == 1
    assert not same(owners, 0, 6)


def test_a_card_behind_several_domains_joins_nobody() -> None:
    rows = [row | {"email_domain": f"d{number}.example"} for number, row in enumerate(_payers(6, payment_id="card"))]
    assert len(set(resolve_owners(numbers_only(ids(6)), records(rows)).number.tolist())) == 6


def test_a_domain_that_others_use_with_their_own_cards_joins_nobody() -> None:
    rows = _payers(6, payment_id="card", email_domain="mail.example")
    rows[5] |= {"payment_id": "another"}
    assert len(set(resolve_owners(numbers_only(ids(6)), records(rows)).number.tolist())) == 6


def test_a_large_group_is_a_firm_only_if_it_is_verified() -> None:
    rows = _payers(40, payment_id="card", email_domain="firm.example")
    assert len(set(resolve_owners(numbers_only(ids(40)), records(rows)).number.tolist())) == 40
    known = [row | {"verification": "organisation"} for row in rows]
    assert len(set(resolve_owners(numbers_only(ids(40)), records(known)).number.tolist())) == 1
