"""What counsel holds, and two persons release."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.sharing.clearance.factories import (
    ANN,
    BEN,
    DAY,
    NOW,
    OTHER,
    adopted,
    clearing_of,
    fact,
    harvest,
    item,
    of_type,
    outbox_in,
    own_rules,
    without_rules,
    word,
)

from stillwatch.errors import PolicyRefusedError, UsageError
from stillwatch.sharing.clearance.outbox import Outbox
from stillwatch.sharing.objects.tlp import Tlp


def held_company(outbox: Outbox, **terms: Any) -> tuple[Any, str]:
    clearing = clearing_of(outbox, **terms)
    clearing.clear([item(fact("attribution.company", "Example Models Ltd", confidence=60, alternatives=["agency"]))])
    [held] = clearing.held()
    return clearing, held.key


def test_two_persons_release(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing, key = held_company(outbox)
        assert clearing.review(word(key, ANN)) == []
        assert clearing.held()[0].released_by == (ANN,)
        [outcome] = clearing.review(word(key, BEN))
        [ruling] = outcome.rulings
        assert (ruling.state, ruling.review, ruling.decision) == ("leaves", key, "counsel")
        assert [made.released for made in outbox.latest().values()] == [(), (key,)]
        assert len(clearing.ready()[0]) == 2
        assert clearing.held() == []
        with pytest.raises(PolicyRefusedError, match="decided"):
            clearing.review(word(key, "Cy Dunn"))
    with outbox_in(tmp_path) as outbox:
        assert len(clearing_of(outbox).ready()[0]) == 2


@pytest.mark.parametrize(
    "again",
    [
        "ann lee", "ANN  LEE", " Ann\tLee ", "Lee, Ann", "Ann\u200bLee", "AnnLee", "\u00c4nn Lee", "A\u030ann Lee",
        "Ann Lee.", "Ann\u00a0Lee", "\uff21nn Lee", "\u0410nn L\u0435e", "\U0001d400nn Lee",
    ],
)  # fmt: skip
def test_the_same_person_in_other_writing_is_one(tmp_path: Path, again: str) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing, key = held_company(outbox)
        clearing.review(word(key, ANN))
        with pytest.raises(PolicyRefusedError, match="already"):
            clearing.review(word(key, again))
        assert clearing.ready()[0] == []


def test_one_person_refuses_and_that_is_the_end(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing, key = held_company(outbox)
        clearing.review(word(key, ANN))
        clearing.review(word(key, ANN, "refuse"))
        assert clearing.held() == []
        for by in (BEN, "Cy Dunn"):
            with pytest.raises(PolicyRefusedError, match="decided"):
                clearing.review(word(key, by))
        assert clearing.ready()[0] == []


@pytest.mark.parametrize(("by", "reason"), [("", "r"), (" \u200b", "r"), ("...", "r"), (ANN, ""), (ANN, " \n")])
def test_a_review_says_who_and_why(tmp_path: Path, by: str, reason: str) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing, key = held_company(outbox)
        with pytest.raises(UsageError):
            clearing.review(word(key, by, reason=reason))


def test_nobody_reviews_what_is_not_held(tmp_path: Path) -> None:
    told = [
        fact("money.price", 40),
        fact("customer.name", "Northwind Bakery"),
        fact("cluster.accounts", 9),
        fact("odd.name", 1),
    ]
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([item(*told)])
        for one in told:
            key = outbox.key_of(item(*told), one)
            for by in (ANN, BEN):
                with pytest.raises(UsageError, match="nothing is held"):
                    clearing.review(word(key, by))


def test_a_word_in_the_log_does_not_release_what_rules_never_let_go(tmp_path: Path) -> None:
    """Even where somebody writes reviews into the log past `review`, the class decides."""
    told = item(fact("money.price", 40), fact("attribution.person", "Alice Smith"))
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        for one in told.facts:
            outbox.record([word(outbox.key_of(told, one), by) for by in (ANN, BEN)], NOW)
        [outcome] = clearing.clear([told])
        assert {ruling.state for ruling in outcome.rulings} == {"withheld"}
        assert outcome.objects == ()


def test_what_rules_once_held_and_now_never_let_go_stays(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing, key = held_company(outbox)
        clearing.review(word(key, ANN))
        clearing.review(word(key, BEN))
        stricter = clearing_of(outbox, rules=own_rules(lambda text: without_rules(text, 25)))
        ready, waiting = stricter.ready()
        assert ready == []
        assert len(waiting) == 2
        assert stricter.clear([kept.item for kept in outbox.kept()])[0].objects == ()


def test_a_changed_value_needs_new_reviews(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing, key = held_company(outbox)
        clearing.review(word(key, ANN))
        clearing.review(word(key, BEN))
        clearing.clear([item(fact("attribution.company", "Other Models Ltd", confidence=60, alternatives=["agency"]))])
        [held] = clearing.held()
        assert held.key != key
        assert clearing.ready()[0] == []


def test_a_release_is_for_the_terms_that_it_was_given_for(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        _, key = held_company(outbox, recipients=(OTHER,))
        clearing_of(outbox).review(word(key, ANN))  # whatever the terms of the reviewing process are
        [outcome] = clearing_of(outbox).review(word(key, BEN))
        [note] = of_type(outbox, "note")
        assert OTHER in json.dumps(note)
        wider = clearing_of(outbox, tlp=Tlp.CLEAR)
        wider.clear([item(fact("attribution.company", "Example Models Ltd", confidence=60, alternatives=["agency"]))])
        [held] = wider.held()
        assert held.released_by == ()
        assert held.terms.tlp is Tlp.CLEAR
        assert wider.ready()[0] == []
        assert outcome.objects


def test_a_release_falls_with_the_basis_that_held_when_it_was_given(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing, key = held_company(outbox)
        clearing.review(word(key, ANN))
        clearing.review(word(key, BEN))
        lapsed = clearing_of(outbox, adopted())
        assert lapsed.ready()[0] == []
        assert lapsed.held()[0].released_by == ()
        lapsed.review(word(key, ANN))
        lapsed.review(word(key, BEN))
        assert len(lapsed.ready()[0]) == 2


def test_reviews_count_again_when_the_log_is_read_again(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing, key = held_company(outbox)
        clearing.review(word(key, ANN))
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        with pytest.raises(PolicyRefusedError, match="already"):
            clearing.review(word(key, ANN))
        clearing.review(word(key, BEN))
        assert len(clearing.ready()[0]) == 2


def test_government_reports_do_not_go_to_a_hub_even_when_released(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([item(fact("report.government", "report of August"))])
        [held] = clearing.held()
        clearing.review(word(held.key, ANN))
        [outcome] = clearing.review(word(held.key, BEN))
        assert outcome.rulings[0].state == "leaves"
        assert outcome.rulings[0].channel == "government"
        assert outcome.objects == ()
        assert clearing.ready() == ([], [])


def test_a_finding_without_a_circumvention_is_no_threat_in_any_part(tmp_path: Path) -> None:
    """Invariant 8: "broke our terms and trained on it" alone goes to counsel, its technique numbers too."""
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        [outcome] = clearing.clear([msgspec.structs.replace(harvest(), circumvention=("broke our terms",))])
        assert {ruling.state for ruling in outcome.rulings} == {"held"}
        assert outcome.objects == ()


def test_a_person_speaks_of_many_facts_at_once_and_all_or_none_count(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([msgspec.structs.replace(harvest(name), circumvention=()) for name in ("C-1", "C-2")])
        keys = [held.key for held in clearing.held()]
        assert clearing.review(*(word(key, ANN) for key in keys)) == []
        with pytest.raises(UsageError):
            clearing.review(*(word(key, BEN) for key in (*keys, "nothing")))
        assert {held.released_by for held in clearing.held()} == {(ANN,)}
        assert len(clearing.review(*(word(key, BEN) for key in keys))) == 2
        assert len(clearing.ready()[0]) == 14  # both campaigns tell of one account and one AS number
        assert clearing.review() == []


def test_what_has_no_place_of_its_own_is_a_line_of_a_note(tmp_path: Path) -> None:
    told = item(
        fact("safety_gap.scores", {"weapons": 0.9, "bio": 0.1}),
        fact("infrastructure.hosting_provider", ["Cloudly", "Hostly"]),
        fact("cluster.age", 3 * DAY),
    )
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([told])
        [held] = clearing.held()
        for by in (ANN, BEN):
            clearing.review(word(held.key, by))
        [note] = of_type(outbox, "note")
        assert note["content"].splitlines() == [
            "cluster.age: under-1-week",
            "infrastructure.hosting_provider: Cloudly, Hostly",
            "safety_gap.scores: bio low, weapons high",
        ]
