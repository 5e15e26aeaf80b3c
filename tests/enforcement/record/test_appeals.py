from pathlib import Path

import pytest
from tests.enforcement.factories import NOW

from stillwatch.enforcement.record.appeals import ANSWER_WITHIN_S, Appeal, Appeals, NewAppeal, NewReview
from stillwatch.enforcement.record.store import Store
from stillwatch.errors import PolicyRefusedError


@pytest.fixture
def appeals(tmp_path: Path) -> Appeals:
    return Appeals(Store(tmp_path / "s.db"))


@pytest.fixture
def appeal(appeals: Appeals) -> Appeal:
    return appeals.receive(NewAppeal(decision_id="d", contact="me@example.com", text="It was us."), "a", NOW)


def review(reviewer: str, finding: str) -> NewReview:
    return NewReview(reviewer=reviewer, finding=finding, reason="looked")  # type: ignore[arg-type]


def test_the_clock_starts_once(appeals: Appeals, appeal: Appeal) -> None:
    again = appeals.receive(NewAppeal(decision_id="d", contact="else@example.com", text="?"), "a", NOW + 99)
    assert again == appeal == appeals.get("d") == appeals.get(appeal.appeal_id)
    assert appeal.due == NOW + ANSWER_WITHIN_S
    assert appeals.all() == [appeal]
    assert appeals.get("none") is None


def test_one_reviewer_overturns(appeals: Appeals, appeal: Appeal) -> None:
    appeals.keep(appeals.review(appeal, review("ann", "overturn"), "bob", NOW))
    stored = appeals.get("d")
    assert stored is not None
    assert stored.state == "overturned"


def test_two_reviewers_uphold(appeals: Appeals, appeal: Appeal) -> None:
    once = appeals.review(appeal, review("ann", "uphold"), "bob", NOW)
    assert once.state == "open"
    assert appeals.review(once, review("eve", "uphold"), "bob", NOW).state == "upheld"


@pytest.mark.parametrize(("reviewer", "said"), [("bob", "does not review it"), ("ann", "has had a say")])
def test_who_may_not_review(appeals: Appeals, appeal: Appeal, reviewer: str, said: str) -> None:
    once = appeals.review(appeal, review("ann", "uphold"), "bob", NOW)
    with pytest.raises(PolicyRefusedError, match=said):
        appeals.review(once, review(reviewer, "uphold"), "bob", NOW)


def test_a_closed_appeal_stays_closed(appeals: Appeals, appeal: Appeal) -> None:
    closed = appeals.review(appeal, review("ann", "overturn"), None, NOW)
    with pytest.raises(PolicyRefusedError, match="overturned already"):
        appeals.review(closed, review("eve", "uphold"), None, NOW)
