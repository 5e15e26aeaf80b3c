from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.transparency.logs import entries, opened

from stillwatch.errors import PolicyRefusedError, UsageError
from stillwatch.transparency.log import Log
from stillwatch.transparency.tiles import ENTRIES, Edge, Tile
from stillwatch.transparency.tree import leaf_hash, root_of, verify_consistency, verify_inclusion
from stillwatch.transparency.view import load_edge, read_bundle, read_hashes

SIZE = 66_000  # two levels of full tiles and a third that is partial
LEAVES = [leaf_hash(entry) for entry in entries(0, SIZE)]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    with opened(tmp_path_factory.mktemp("log")) as log:
        log.append(entries(0, SIZE))
        return log


SIZES = st.one_of(st.integers(1, SIZE), st.integers(1, SIZE // 256).map(lambda tiles: tiles * 256), st.just(SIZE))


@given(st.data())
@settings(deadline=None, max_examples=25)
def test_proofs_at_any_size(log: Log, data: st.DataObject) -> None:
    size = data.draw(SIZES)
    index = data.draw(st.integers(0, size - 1))
    assert verify_inclusion(leaf_hash(log.entry(index)), index, size, log.inclusion(index, size), log.root(size))
    old = data.draw(st.integers(0, size))
    assert verify_consistency(old, log.root(old), size, log.root(size), log.consistency(old, size))
    assert log.root(size) == root_of(LEAVES[:size])


def test_what_is_not_there(log: Log) -> None:
    for index in (-1, SIZE):
        with pytest.raises(UsageError, match="no entry"):
            log.entry(index)
    for index, size in ((-1, 3), (3, 3)):
        with pytest.raises(UsageError, match="no entry"):
            log.inclusion(index, size)
    for old, new in ((-1, 3), (4, 3)):
        with pytest.raises(UsageError, match="not the beginning"):
            log.consistency(old, new)
    for size in (-1, SIZE + 1):
        with pytest.raises(UsageError, match="the log holds 66000 entries"):
            log.root(size)


def test_an_edge_is_loaded_from_full_tiles(log: Log) -> None:
    for tiles in (0, 1, 255, 256, 257):
        edge = Edge()
        for leaf in LEAVES[: tiles * 256]:
            edge.add(leaf)
        loaded = load_edge(log._directory, tiles * 256)
        assert loaded.root() == edge.root()
        assert list(loaded.partial()) == list(edge.partial())


@pytest.mark.parametrize(
    ("data", "fault"),
    [(None, "missing"), (b"a" * 33, "inside a hash"), (b"a" * 32, "1 hashes instead of 256"), (b"a" * 9_000, "inside")],
)
def test_a_tile_that_is_gone_or_cut(tmp_path: Path, data: bytes | None, fault: str) -> None:
    tile = Tile(0, 0)
    if data is not None:
        (tmp_path / "tile/0").mkdir(parents=True)
        (tmp_path / tile.path).write_bytes(data)
    with pytest.raises(PolicyRefusedError, match=f"tile/0/000.*{fault}"):
        read_hashes(tmp_path, tile)


@pytest.mark.parametrize(
    ("data", "fault"), [(None, "missing"), (b"\x00", "inside an entry"), (b"\x00\x00", "1 entries instead of 256")]
)
def test_a_bundle_that_is_gone_or_cut(tmp_path: Path, data: bytes | None, fault: str) -> None:
    tile = Tile(ENTRIES, 0)
    if data is not None:
        (tmp_path / "tile/entries").mkdir(parents=True)
        (tmp_path / tile.path).write_bytes(data)
    with pytest.raises(PolicyRefusedError, match=f"tile/entries/000.*{fault}"):
        read_bundle(tmp_path, tile)
