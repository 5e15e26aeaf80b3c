from pathlib import Path

import numpy as np
import pytest
from tests.detection.factories import FIRM, FRAME, JUDGE, Traffic, facts, history, population

from stillwatch.detection.campaigns.families import FamilyFacts, find_families
from stillwatch.detection.owners import resolve_owners
from stillwatch.detection.population import Population
from stillwatch.features.store import SketchStore
from stillwatch.features.templates import text_tokens

NOTHING = np.empty(0, np.uint64)
POOL = [f"pool-{number}" for number in range(8)]


def families(
    people: Population,
    past: SketchStore | None = None,
    public: np.ndarray = NOTHING,
    left_out: tuple[str, ...] = (),
) -> list[FamilyFacts]:
    mask = np.isin(people.ids, left_out)
    return find_families(people, resolve_owners(people, None), past, public, mask)


def traffic() -> Traffic:
    made = Traffic(1)
    made.strangers(50)
    made.together(POOL, FRAME, each=5, cover=5)
    return made


def test_a_family_tells_who_sent_it_and_how_much_of_it(tmp_path: Path) -> None:
    people = population(tmp_path, traffic().rows)
    (family,) = families(people)
    assert [people.ids[number] for number in family.accounts] == POOL
    assert family.counts.tolist() == [5] * 8
    assert (family.owners, family.repeating) == (8, 8)
    assert family.effective_owners == pytest.approx(8)
    assert family.rows.size == 40
    assert (people.row_account[family.rows] == family.row_account).all()
    assert family.coverage > 0.5
    assert family.asking == 1.0
    assert (family.overlap.share, family.public) == (0.0, 0.0)


def test_accounts_of_one_owner_count_once(tmp_path: Path) -> None:
    made = Traffic(2)
    made.together(POOL[:6], FIRM, each=5, org_id="firm")
    made.together(POOL[6:], FIRM, each=5)
    (family,) = families(population(tmp_path, made.rows))
    assert (family.owners, family.accounts.size) == (3, 8)
    assert family.effective_owners < 2.1


def test_what_history_knows_is_no_family(tmp_path: Path) -> None:
    past = history()
    past.together([f"older-{number:04}" for number in range(6)], FRAME, each=3)
    earlier = population(tmp_path / "past", past.rows)
    assert families(population(tmp_path / "now", traffic().rows), earlier.store) == []


def test_public_templates_and_one_list_of_items_are_told(tmp_path: Path) -> None:
    made = Traffic(3)
    made.one_list(POOL, JUDGE, items=6)
    public = text_tokens(JUDGE.split("{slot}"))
    (family,) = families(population(tmp_path, made.rows), public=public)
    assert family.public > 0.8
    assert family.overlap.exact == 1.0


def test_who_is_left_out_is_not_looked_at(tmp_path: Path) -> None:
    people = population(tmp_path, traffic().rows)
    assert families(people, left_out=tuple(POOL)) == []
    (family,) = families(people, left_out=(POOL[0],))
    assert [people.ids[number] for number in family.accounts] == POOL[1:]


def test_one_who_tried_the_frame_once_is_no_member(tmp_path: Path) -> None:
    made = Traffic(4)
    made.together(POOL, FRAME, each=40)
    made.together(["curious"], FRAME, each=1, cover=60)
    people = population(tmp_path, made.rows)
    (family,) = families(people)
    assert "curious" not in {people.ids[number] for number in family.accounts}


def test_nobody_has_no_family(tmp_path: Path) -> None:
    assert families(population(tmp_path, [])) == []


def test_a_family_can_be_narrowed_to_some_of_its_accounts() -> None:
    narrowed = facts(range(12), each=5).within(np.array([2, 3, 99]))
    assert narrowed.accounts.tolist() == [2, 3]
    assert narrowed.counts.tolist() == [5, 5]
    assert narrowed.rows.tolist() == list(range(10, 20))
    assert narrowed.row_account.tolist() == [2] * 5 + [3] * 5
