from hypothesis import given
from hypothesis import strategies as st

from stillwatch.hub.standings import Version, readers_text, standings_of
from stillwatch.hub.storage.schema import DEPENDS, EVERYONE, LATEST

READERS = (1, 2, 3)
audiences = st.none() | st.frozensets(st.sampled_from(READERS), min_size=1)


@given(st.lists(st.tuples(st.integers(1, 4), audiences), max_size=6, unique_by=lambda one: one[0]))
def test_a_reader_finds_the_latest_version_that_it_may_see(given: list[tuple[int, frozenset[int] | None]]) -> None:
    versions = [
        Version(seq=seq, id="x", owner=1, version=version, type=1, size=1, readers=readers)
        for seq, (version, readers) in enumerate(given)
    ]
    told = standings_of(versions)
    for reader in READERS:
        visible = sorted(one.version for one in versions if one.visible_to(reader))
        sure = [one.version for one, who, standing in told if who in {EVERYONE, reader} and standing == LATEST]
        open_ones = [one.version for one, who, standing in told if who == EVERYONE and standing == DEPENDS]
        found = sure + [version for version in open_ones if version == visible[-1]]
        assert found == visible[-1:]


def test_an_audience_is_kept_as_text() -> None:
    assert readers_text(None) is None
    assert readers_text(frozenset({3, 1})) == "[1,3]"
