import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.hub.visibility import EVERYONE, audience_of, defined_level, level_of, narrowed, recipients_of
from stillwatch.sharing.objects.extensions import SHARING
from stillwatch.sharing.objects.tlp import EXTENSION_ID, LEVEL_OF_ID, MARKING_ID, Tlp, marking_definition

OWNER, OTHER, THIRD = (f"identity--{number}" for number in range(3))
STATEMENT, CUSTOM_RED, UNKNOWN = "marking-definition--s", "marking-definition--r", "marking-definition--u"
KNOWN = {STATEMENT: None, CUSTOM_RED: Tlp.RED}
REFS = [*LEVEL_OF_ID, STATEMENT, CUSTOM_RED, UNKNOWN]


def oracle(item: dict[str, Any]) -> frozenset[str] | None:
    """Return who sees an object, None for everyone: the contract's sentences, one after the other."""
    refs = [*item.get("object_marking_refs", []), *(part["marking_ref"] for part in item.get("granular_markings", []))]
    sharing = item.get("extensions", {}).get(SHARING, {})
    if "recipients" in sharing:
        return frozenset([OWNER, *sharing["recipients"]])
    if UNKNOWN in refs or CUSTOM_RED in refs or any(LEVEL_OF_ID.get(ref) is Tlp.RED for ref in refs):
        return frozenset([OWNER])
    return None


refs = st.lists(st.sampled_from(REFS), min_size=1, max_size=3)
items = st.fixed_dictionaries(
    {},
    optional={
        "object_marking_refs": refs,
        "granular_markings": st.lists(
            st.builds(lambda ref: {"marking_ref": ref, "selectors": ["name"]}, st.sampled_from(REFS)), max_size=2
        ),
        "extensions": st.fixed_dictionaries(
            {},
            optional={
                SHARING: st.fixed_dictionaries({}, optional={"recipients": st.lists(st.sampled_from([OTHER, THIRD]))})
            },
        ),
    },
)


@given(items)
def test_the_audience_is_that_of_the_contract(item: dict[str, Any]) -> None:
    found = audience_of(item, KNOWN, OWNER)
    assert (None if found is EVERYONE else found) == oracle(item)


@given(items, st.sampled_from(REFS))
def test_one_more_marking_never_widens_the_audience(item: dict[str, Any], ref: str) -> None:
    before = audience_of(item, KNOWN, OWNER)
    for more in (
        {"object_marking_refs": [*item.get("object_marking_refs", []), ref]},
        {"granular_markings": [*item.get("granular_markings", []), {"marking_ref": ref, "selectors": ["name"]}]},
    ):
        after = audience_of({**item, **more}, KNOWN, OWNER)
        assert before is EVERYONE or (after is not EVERYONE and after <= before)


@given(st.lists(st.sampled_from(list(LEVEL_OF_ID))))
def test_the_strictest_marking_counts(found: list[str]) -> None:
    expected = max((LEVEL_OF_ID[ref] for ref in found), default=Tlp.AMBER_STRICT)
    assert level_of({"object_marking_refs": found}, {}) == expected


@pytest.mark.parametrize(
    "item",
    [
        {"object_marking_refs": "x"},
        {"object_marking_refs": [7]},
        {"object_marking_refs": [MARKING_ID[Tlp.CLEAR], None]},
        {"granular_markings": "x"},
        {"granular_markings": [7]},
        {"granular_markings": [{"selectors": []}]},
        {"granular_markings": [{"marking_ref": 7}]},
        {"extensions": 7},
        {"extensions": {SHARING: 7}},
        {"extensions": {SHARING: {"recipients": None}}},
        {"extensions": {SHARING: {"recipients": []}}},
        {"extensions": {SHARING: {"recipients": [7]}}},
    ],
)
def test_what_cannot_be_read_is_for_its_owner_alone(item: dict[str, Any]) -> None:
    assert audience_of(item, KNOWN, OWNER) == {OWNER}


def test_a_language_hides_nothing() -> None:
    assert audience_of({"granular_markings": [{"lang": "fr", "selectors": ["name"]}]}, {}, OWNER) is EVERYONE


def test_recipients_hold_also_for_red() -> None:
    named = {SHARING: {"recipients": [OTHER]}}
    for level in Tlp:
        item = {"object_marking_refs": [MARKING_ID[level]], "extensions": named}
        assert audience_of(item, {}, OWNER) == {OWNER, OTHER}
    assert recipients_of({"extensions": {"x": {}}}) is None


@pytest.mark.parametrize("level", list(Tlp))
def test_the_published_definitions_are_understood(level: Tlp) -> None:
    assert defined_level(marking_definition(level)) == (True, level)


@pytest.mark.parametrize(
    ("definition", "told"),
    [
        ({"definition_type": "statement"}, (True, None)),
        ({"definition_type": "tlp", "definition": {"tlp": "white"}}, (True, Tlp.CLEAR)),
        ({"definition_type": "tlp", "definition": {"tlp": "amber"}}, (True, Tlp.AMBER)),
        ({"definition_type": "tlp", "definition": {"tlp": "pink"}}, (False, None)),
        ({"definition_type": "tlp", "definition": "red"}, (False, None)),
        ({"definition_type": "secret"}, (False, None)),
        ({}, (False, None)),
        ({"extensions": {EXTENSION_ID: {"tlp_2_0": "amber+strict"}}}, (True, Tlp.AMBER_STRICT)),
        ({"extensions": {EXTENSION_ID: 7}}, (False, None)),
        ({"extensions": 7}, (False, None)),
        ({"definition_type": "statement", "extensions": {"extension-definition--other": {}}}, (False, None)),
    ],
)
def test_what_a_definition_stands_for(definition: dict[str, Any], told: tuple[bool, Tlp | None]) -> None:
    assert defined_level(definition) == told


def test_levels_are_ordered() -> None:
    assert all(low < high for low, high in itertools.pairwise(Tlp))


AUDIENCES = st.none() | st.frozensets(st.integers(1, 5))


@given(AUDIENCES, st.lists(AUDIENCES, max_size=3), st.integers(1, 5))
def test_markings_narrow_and_never_shut_the_owner_out(
    readers: frozenset[int] | None, markings: list[frozenset[int] | None], owner: int
) -> None:
    everyone = frozenset(range(1, 6))
    found = narrowed(None if readers is None else readers | {owner}, markings, owner)
    expected = everyone if readers is None else readers
    for one in markings:
        expected &= everyone if one is None else one
    assert (everyone if found is None else found) == expected | {owner}
