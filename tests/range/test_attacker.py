from dataclasses import fields, replace

import pytest

from stillwatch.errors import UsageError
from stillwatch_range.attacker import ADAPTATIONS, Feedback, Stance, find_adaptation


def changed(before: Stance, after: Stance) -> set[str]:
    return {field.name for field in fields(Stance) if getattr(before, field.name) != getattr(after, field.name)}


@pytest.mark.parametrize(
    ("kind", "touched"),
    [
        ("nothing", set()),
        ("paraphrase", {"wordings"}),
        ("split", {"accounts"}),
        ("slow_down", {"daily"}),
        ("mimic_hours", {"rhythm"}),
        ("buy_addresses", {"residential", "shared_infrastructure"}),
        ("rotate_clients", {"rotates_clients"}),
        ("drop_refused", {"drops"}),
    ],
)
def test_a_kind_of_adaptation_changes_its_own_matter_only(kind: str, touched: set[str]) -> None:
    assert changed(Stance(), ADAPTATIONS[kind](Stance())) == touched


def test_rewordings_are_used_once_and_become_more() -> None:
    stance = Stance()
    used: list[int] = []
    for _ in range(4):
        stance = ADAPTATIONS["paraphrase"](stance)
        used += range(stance.worded + 1, stance.worded + stance.wordings + 1)
    assert used == list(range(1, 16))


def test_adaptations_are_made_together() -> None:
    together = find_adaptation("split+drop_refused")(Stance())
    assert together == replace(Stance(), accounts=60, drops=True)
    everything = changed(Stance(), find_adaptation("everything")(Stance()))
    assert everything == {field.name for field in fields(Stance)} - {"mixing", "worded"}
    with pytest.raises(UsageError, match="unknown adaptation 'bribe'"):
        find_adaptation("split+bribe")


def test_accounts_do_not_grow_without_end() -> None:
    stance = Stance()
    for _ in range(20):
        stance = ADAPTATIONS["split"](stance)
    assert stance.accounts == 2000


@pytest.mark.parametrize(("refused", "caught"), [(0, False), (2, False), (3, True)])
def test_a_few_refusals_are_put_up_with(refused: int, caught: bool) -> None:  # noqa: FBT001 - a case's expectation
    feedback = Feedback(
        harvest_sent=100, harvest_refused=refused, cover_sent=50, cover_refused=50, refused_accounts=frozenset()
    )
    assert feedback.caught is caught
