from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detection.factories import facts

from stillwatch.detection.campaigns.alternatives import alternatives_of_family
from stillwatch.detection.campaigns.kind import kind_of, may_be_one_customer, passes_for_harvest
from stillwatch.features.overlap import Overlap

PUBLIC_LIST = Overlap(exact=0.6, near=0.0)
SAME_ITEMS_OTHER_ANSWERS = Overlap(exact=0.0, near=0.6)


def kind(p_value: float = 1e-9, *, owners_known: bool = True, **changes: Any) -> str:
    return kind_of(facts(**changes), p_value, 0.001, owners_known=owners_known)


def test_a_shared_out_work_list_of_many_owners_is_a_harvest() -> None:
    assert kind() == "harvest"
    assert kind(owners_known=False) == "harvest"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"effective_owners": 2.0}, "single_organisation"),
        ({"overlap": PUBLIC_LIST}, "public_benchmark"),
        ({"overlap": SAME_ITEMS_OTHER_ANSWERS}, "public_benchmark"),
        ({"effective_owners": 2.0, "overlap": PUBLIC_LIST}, "single_organisation"),
        ({"overlap": Overlap(exact=0.15, near=0.0)}, "unclear"),  # a class with one assignment
        ({"public": 0.9}, "unclear"),
        ({"repeating": 0}, "unclear"),
        ({"coverage": 0.05}, "unclear"),
        ({"p_value": 0.01}, "unclear"),
        ({"paid_dispersal": 2.0}, "unclear"),  # an agency and its clients
        ({"paid_dispersal": 1.0}, "harvest"),  # one hand pays for accounts that share out one list
    ],
)
def test_innocent_explanations_come_first(changes: dict[str, Any], expected: str) -> None:
    assert kind(**changes) == expected


def test_a_small_family_has_the_benefit_of_the_doubt_where_no_owner_is_known() -> None:
    six = {"accounts": range(6), "each": 12}
    assert kind(**six) == "harvest"
    assert kind(**six, owners_known=False) == "unclear"
    assert kind(**six, asking=0.9, owners_known=False) == "harvest"
    assert may_be_one_customer(facts(accounts=range(2)), owners_known=True)


def test_strangers_on_a_public_list_have_time_to_meet_before_they_are_called_a_harvest() -> None:
    begun = {"accounts": range(6), "each": 5}
    assert kind(**begun) == "unclear"
    assert kind(**begun, asking=0.9) == "harvest"
    [strangers] = [
        one
        for one in alternatives_of_family(facts(**begun), 1e-9, owners_known=True)
        if one.explanation.startswith("strangers")
    ]
    assert strangers.kept
    assert "with 30 exchanges so far" in strangers.why


@pytest.mark.parametrize(("recurring", "expected"), [(0.0, "harvest"), (0.06, "unclear")])
def test_a_list_that_is_dealt_out_has_fewer_repeats_than_strangers_leave(recurring: float, expected: str) -> None:
    assert kind(accounts=range(6), each=20, overlap=Overlap(recurring, 0.0)) == expected


def test_a_frame_that_each_sends_once_is_a_fashion_unless_newcomers_ask_for_training_material() -> None:
    once = {"repeating": 0, "newcomers": 1.0, "asking": 1.0}
    assert kind(**once) == "harvest"
    assert kind(**once | {"newcomers": 0.4}) == "unclear"
    assert kind(**once | {"asking": 0.1}) == "unclear"
    assert kind(**once | {"coverage": 0.2}) == "unclear"
    assert kind(**once | {"overlap": PUBLIC_LIST}) == "public_benchmark"


@given(
    p=st.floats(0, 1),
    overlap=st.floats(0, 1),
    public=st.floats(0, 1),
    coverage=st.floats(0, 1),
    effective=st.floats(1, 12),
    repeating=st.integers(0, 12),
    paid=st.none() | st.floats(0, 4),
    owners_known=st.booleans(),
)
def test_a_harvest_has_no_innocent_explanation_left(
    p: float,
    overlap: float,
    public: float,
    coverage: float,
    effective: float,
    repeating: int,
    paid: float | None,
    *,
    owners_known: bool,
) -> None:
    family = facts(
        overlap=Overlap(overlap, 0.0),
        public=public,
        coverage=coverage,
        effective_owners=effective,
        repeating=repeating,
        paid_dispersal=paid,
    )
    if kind_of(family, p, 0.001, owners_known=owners_known) == "harvest":
        assert p <= 0.001
        assert passes_for_harvest(family)
        assert not [one for one in alternatives_of_family(family, p, owners_known=owners_known) if one.kept]
