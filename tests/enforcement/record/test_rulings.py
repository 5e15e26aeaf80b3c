from pathlib import Path

import pytest
from tests.enforcement.factories import NOW

from stillwatch.enforcement.record.rulings import Rulings
from stillwatch.enforcement.record.store import Ruling, Store


def ruling(ts: float, **body: object) -> Ruling:
    return Ruling(kind="cohort", name="c", ts=ts, until=NOW + 100, body=body)


@pytest.fixture
def rulings(tmp_path: Path) -> Rulings:
    return Rulings(Store(tmp_path / "s.db"))


def test_what_is_settled_holds_here_and_is_told(rulings: Rulings) -> None:
    applied: list[Ruling] = []
    told: list[Ruling] = []
    rulings.on("cohort", applied.append, NOW)
    rulings.settle(ruling(NOW, n=1))
    rulings.tell(told.append)
    rulings.settle(ruling(NOW, n=2))
    assert [one.body["n"] for one in applied] == [1, 2]
    assert [one.body["n"] for one in told] == [2]
    assert told[0].ts > NOW
    assert rulings.all(NOW) == told


def test_what_is_received_holds_if_it_is_later_and_is_not_told_on(rulings: Rulings) -> None:
    told: list[Ruling] = []
    rulings.tell(told.append)
    assert rulings.receive(ruling(NOW, n=1))
    assert not rulings.receive(ruling(NOW, n=1))
    assert not rulings.receive(ruling(NOW - 1, n=0))
    assert rulings.receive(ruling(NOW + 1, n=2))
    assert not told
    assert [one.body["n"] for one in rulings.all(NOW)] == [2]


def test_who_registers_hears_what_holds(rulings: Rulings) -> None:
    rulings.settle(ruling(NOW, n=1))
    applied: list[Ruling] = []
    rulings.on("cohort", applied.append, NOW)
    rulings.on("verdict", applied.append, NOW)
    assert [one.body["n"] for one in applied] == [1]
