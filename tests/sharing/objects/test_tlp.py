import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.sharing.objects.tlp import DEFAULT, LEVEL_OF_ID, MARKING_ID, Tlp, level_of, marking_definition

WHITE = "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"
UNKNOWN = "marking-definition--11111111-1111-4111-8111-111111111111"


def test_the_default_excludes_clients() -> None:
    assert DEFAULT is Tlp.AMBER_STRICT > Tlp.AMBER


@pytest.mark.parametrize(
    ("refs", "level"),
    [
        ([], None),
        ([UNKNOWN], None),
        ([WHITE], Tlp.CLEAR),
        ([MARKING_ID[Tlp.GREEN], MARKING_ID[Tlp.RED], UNKNOWN], Tlp.RED),
    ],
)
def test_the_strictest_label_counts(refs: list[str], level: Tlp | None) -> None:
    assert level_of(refs) is level


@given(st.lists(st.sampled_from(sorted(LEVEL_OF_ID))), st.sampled_from(sorted(LEVEL_OF_ID)))
def test_one_more_marking_never_widens(refs: list[str], more: str) -> None:
    before = level_of(refs)
    assert before is None or level_of([*refs, more]) >= before


@pytest.mark.parametrize("level", Tlp)
def test_definitions_are_the_published_ones(level: Tlp) -> None:
    body = marking_definition(level)
    assert body["name"] == level.label
    assert body["id"] == MARKING_ID[level]
    assert body["created"] == "2022-10-01T00:00:00.000Z"


def test_labels_are_spelled_as_first_spells_them() -> None:
    assert [level.label for level in Tlp] == ["TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"]
    strict = marking_definition(Tlp.AMBER_STRICT)
    assert next(iter(strict["extensions"].values()))["tlp_2_0"] == "amber+strict"
