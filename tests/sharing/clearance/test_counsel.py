import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sharing.clearance.factories import ANN, BEN, word

from stillwatch.errors import PolicyRefusedError, UsageError
from stillwatch.sharing.clearance.counsel import Reviews, person


@given(st.text(min_size=1))
def test_writing_a_name_otherwise_makes_no_other_person(name: str) -> None:
    try:
        form = person(name)
    except UsageError:
        return
    for again in (f"  {name} ", name.casefold(), f"{name}.", " ".join(reversed(name.split()))):
        assert person(again) == form


@pytest.mark.parametrize("other", ["Ann Li", "Anna Lee", "Ben Lee", "A. Lee", "李安"])
def test_other_names_are_other_persons(other: str) -> None:
    assert person(other) != person(ANN)


def test_two_releases_count_and_one_refusal_ends_them() -> None:
    reviews = Reviews([word("k", ANN), word("k", "ANN LEE"), word("other", BEN)])
    assert not reviews.released("k", "", ())
    reviews.add(word("k", BEN))
    assert reviews.released("k", "", ())
    reviews.add(word("k", "Cy Dunn", "refuse"))
    assert not reviews.released("k", "", ())
    assert reviews.refused("k")
    assert len(reviews.of("k")) == 4
    assert reviews.of("nothing") == []


def test_a_refusal_is_taken_from_who_released() -> None:
    reviews = Reviews([word("k", ANN)])
    reviews.check(word("k", ANN, "refuse"))
    with pytest.raises(PolicyRefusedError, match="already"):
        reviews.check(word("k", ANN))
