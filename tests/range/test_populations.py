import random
from statistics import median

import pytest

from stillwatch.errors import UsageError
from stillwatch_range.ids import Identifiers
from stillwatch_range.material import Material, Turn
from stillwatch_range.metadata import World
from stillwatch_range.populations import Conversations, crowd, ordinary_work, sessions


def world() -> World:
    return World(random.Random(1), Identifiers(1), 0, population=500)


def test_each_conversation_is_handed_out_once() -> None:
    talks = Conversations(random.Random(1), {"a": [(Turn(f"a{n}"),) for n in range(5)], "b": [(Turn("b"),)]})
    taken = [talks.take("b" if number % 2 else None) for number in range(6)]
    assert len(set(taken)) == 6
    assert talks.left() == 0
    with pytest.raises(UsageError, match="too few"):
        talks.take()


def test_a_population_can_be_split_off() -> None:
    talks = Conversations(random.Random(1), {"a": [(Turn("a"),)] * 3, "b": [(Turn("b"),)] * 2})
    rest = talks.without("b")
    assert (talks.left(), rest.left()) == (2, 3)
    assert {rest.take()[0].prompt for _ in range(3)} == {"a"}
    assert talks.take()[0].prompt == "b"


def test_an_account_keeps_mostly_to_its_own_population(material: Material) -> None:
    talks = Conversations(random.Random(2), material.populations)
    home = {talk: name for name, pile in material.populations.items() for talk in pile}
    loyal = total = 0
    for _ in range(200):
        work = [home[item.dialogue] for item in ordinary_work(random.Random(total), talks)]
        loyal += max(work.count(name) for name in work)
        total += len(work)
    assert 0.6 < loyal / total < 0.95


def test_sizes_are_small_with_a_long_tail() -> None:
    sizes = [sessions(random.Random(seed)) for seed in range(4000)]
    assert min(sizes) == median(sizes) == 2
    assert 2.2 < sum(sizes) / len(sizes) < 3
    assert max(sizes) > 15


def test_a_crowd_has_the_size_asked_for() -> None:
    assert len(crowd(world(), random.Random(3), 137)) == 137
