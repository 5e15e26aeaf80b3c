import itertools
import re

from stillwatch_range.ids import Identifiers, stream


def test_identifiers_have_one_shape_and_never_repeat() -> None:
    ids = Identifiers(1)
    taken = [ids.take("acct_") for _ in range(5000)]
    assert len(set(taken)) == 5000
    assert all(re.fullmatch(r"acct_[0-9a-f]{20}", name) for name in taken)


def test_identifiers_do_not_tell_their_order() -> None:
    ids = Identifiers(2)
    taken = [ids.take("") for _ in range(2000)]
    rising = sum(later > earlier for earlier, later in itertools.pairwise(taken))
    assert 900 < rising < 1100


def test_seeds_and_purposes_have_streams_of_their_own() -> None:
    assert stream(1, "a").random() == stream(1, "a").random()
    assert len({stream(1, "a").random(), stream(1, "b").random(), stream(2, "a").random()}) == 3
