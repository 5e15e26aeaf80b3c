from hypothesis import given
from hypothesis import strategies as st

from stillwatch.hub.corrections import Kind, Known, Readers, has_disputed, unaware
from stillwatch.hub.storage.schema import EVERYONE

MEMBERS = range(1, 6)
some = st.frozensets(st.sampled_from(MEMBERS))
all_but = some.map(lambda left_out: frozenset({EVERYONE, *(-one for one in left_out)}))
audiences = some | all_but | st.builds(frozenset.union, some, all_but)
words = st.sampled_from(("disputed", "corrected", "withdrawn"))


def told(readers: Readers) -> set[int]:
    rest = set(MEMBERS) - {-one for one in readers if one < 0} if EVERYONE in readers else set()
    return rest | {one for one in readers if one > EVERYONE}


@given(st.lists(st.tuples(words, audiences)), audiences)
def test_each_reader_is_told_of_one_dispute_until_it_is_told_of_a_correction(
    said: list[tuple[Kind, Readers]], readers: Readers
) -> None:
    aware: set[int] = set()
    for kind, others in said:
        if kind == "disputed":
            aware |= told(others)
        elif kind == "corrected":
            aware -= told(others)
    known = [Known(kind=kind, author=1, readers=others) for kind, others in said]
    assert told(unaware(known, readers)) == told(readers) - aware


def test_a_dispute_stands_until_its_author_is_told_of_a_correction() -> None:
    dispute = Known(kind="disputed", author=2, readers=frozenset({1}))
    all_but_two = Known(kind="corrected", author=1, readers=frozenset({EVERYONE, -2}))
    everyone = Known(kind="corrected", author=1, readers=frozenset({EVERYONE}))
    assert not has_disputed([], 2)
    assert has_disputed([dispute], 2)
    assert not has_disputed([dispute], 3)
    assert has_disputed([dispute, all_but_two], 2)
    assert not has_disputed([dispute, everyone], 2)
