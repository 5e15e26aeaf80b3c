import hashlib

from hypothesis import given
from hypothesis import strategies as st

from stillwatch.identifiers import campaign_id, digest


def test_digests_stay_the_same() -> None:
    assert digest("203.0.113.7") == hashlib.blake2b(b"203.0.113.7", digest_size=8).hexdigest()
    assert campaign_id(["a-1", "b-2"]) == "cmp-" + hashlib.blake2b(b"a-1\nb-2", digest_size=8).hexdigest()


@given(st.lists(st.text(max_size=8), max_size=6), st.randoms(use_true_random=False))
def test_a_campaign_is_the_same_whatever_the_order_of_its_anchors(anchors: list[str], chance: object) -> None:
    shuffled = list(anchors)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert campaign_id(shuffled) == campaign_id(anchors)
    assert campaign_id(iter(anchors)) == campaign_id(anchors)


@given(st.sets(st.text(max_size=20), min_size=2, max_size=20))
def test_different_values_have_different_digests_that_do_not_show_them(values: set[str]) -> None:
    digests = {digest(value) for value in values}
    assert len(digests) == len(values)
    assert all(len(shown) == 16 and int(shown, 16) >= 0 for shown in digests)
