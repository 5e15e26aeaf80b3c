from hypothesis import given
from hypothesis import strategies as st

from stillwatch.hub.placing import place

KEY = b"k" * 32
items = st.lists(st.tuples(st.sampled_from("abc"), st.binary(min_size=32, max_size=32)), max_size=30)


@given(items, st.integers(0, 2**50))
def test_every_item_gets_a_moment_of_its_own_in_the_window(posted: list[tuple[str, bytes]], base: int) -> None:
    placed = place(KEY, base, posted, 32)
    assert len(set(placed)) == len(posted)
    assert all(base <= moment < base + 32 for moment in placed)


@given(items)
def test_one_audience_keeps_its_order(posted: list[tuple[str, bytes]]) -> None:
    placed = place(KEY, 0, posted)
    for audience in "abc":
        own = [moment for moment, (whose, _) in zip(placed, posted, strict=True) if whose == audience]
        assert own == sorted(own)


@given(items.filter(lambda posted: len({digest for _, digest in posted}) == len(posted)))
def test_what_others_have_posted_moves_nothing(posted: list[tuple[str, bytes]]) -> None:
    alone = [one for one in posted if one[0] == "a"]
    together = place(KEY, 0, posted, 1 << 62)
    assert [moment for moment, (whose, _) in zip(together, posted, strict=True) if whose == "a"] == place(
        KEY, 0, alone, 1 << 62
    )
