import hashlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.identifiers import DecisionIds, campaign_id, decision_moment, digest


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


def test_decision_ids_grow_and_tell_their_moment() -> None:
    ids = DecisionIds()
    made = [ids.make(1_790_000_000.5) for _ in range(10_000)] + [ids.make(1_780_000_000.0)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(uuid.UUID(one).version == 7 and uuid.UUID(one).variant == uuid.RFC_4122 for one in made)
    assert decision_moment(made[0]) == 1_790_000_000.5
    assert decision_moment(made[-1]) < 1_790_000_010


def test_another_uuid_is_no_decision_id() -> None:
    with pytest.raises(ValueError, match="no decision id"):
        decision_moment(str(uuid.uuid4()))
