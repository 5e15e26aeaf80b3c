from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.transparency.logs import entries, written

from stillwatch.transparency.tiles import (
    ENTRIES,
    Edge,
    Tile,
    full_tiles,
    hashes_of,
    join_entries,
    parse_path,
    read_resource,
    split_entries,
)
from stillwatch.transparency.tree import leaf_hash, root_of

PATHS = {
    Tile(0, 0): "tile/0/000",
    Tile(0, 999): "tile/0/999",
    Tile(0, 1000): "tile/0/x001/000",
    Tile(1, 1_234_067): "tile/1/x001/x234/067",
    Tile(63, 5, 1): "tile/63/005.p/1",
    Tile(ENTRIES, 1_234, 255): "tile/entries/x001/234.p/255",
}


@pytest.mark.parametrize(("tile", "path"), PATHS.items())
def test_paths(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "tail",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/001/x002",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p/01",
        "tile/0/000.p",
        "tile/0/000/",
        "tile/0/000\n",
        "tile/0/../../lock",
        "/tile/0/000",
        "tile/0/\u0660\u0660\u0660",
        "tile/entries/x",
        "tile/0/" + "x001/" * 7 + "000",
    ],
)
def test_no_other_way_to_write_a_path(path: str) -> None:
    with pytest.raises(ValueError, match="no path"):
        parse_path(path)


@given(st.integers(0, 63), st.integers(0, 10**20), st.integers(1, 256))
def test_a_path_names_one_tile(level: int, number: int, width: int) -> None:
    tile = Tile(level, number, width)
    assert parse_path(tile.path) == tile


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_bundles(parts: list[bytes]) -> None:
    bundle = join_entries(parts)
    assert split_entries(bundle) == parts
    if parts:
        with pytest.raises(ValueError, match="inside an entry"):
            split_entries(bundle[:-1])


def test_a_bundle_that_ends_within_a_length() -> None:
    with pytest.raises(ValueError, match="inside an entry"):
        split_entries(b"\x00")


def test_a_tile_that_ends_within_a_hash() -> None:
    assert hashes_of(b"a" * 64) == [b"a" * 32] * 2
    with pytest.raises(ValueError, match="inside a hash"):
        hashes_of(b"a" * 33)


def test_the_edge_of_seventy_thousand_leaves() -> None:
    """The example of the standard: 273 full tiles and one of 112, one full and one of 17, one of 1."""
    edge, full = Edge(), []
    leaves = [leaf_hash(entry) for entry in entries(0, 70_000)]
    for leaf in leaves:
        full += edge.add(leaf)
    assert [tile for tile, _ in full if tile.level == 0] == [Tile(0, number) for number in range(273)]
    assert [tile for tile, _ in full if tile.level == 1] == [Tile(1, 0)]
    assert [tile for tile, _ in edge.partial()] == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert edge.root() == root_of(leaves)
    assert full_tiles(70_000, 0) == 273
    assert edge.row(7) == []


def test_an_edge_and_its_copy_grow_apart() -> None:
    edge = Edge()
    edge.add(leaf_hash(b"a"))
    copy = edge.copy()
    copy.add(leaf_hash(b"b"))
    assert (edge.size, copy.size) == (1, 2)
    assert edge.root() == leaf_hash(b"a")


def test_what_is_served(tmp_path: Path) -> None:
    note = written(tmp_path, 300)
    assert read_resource(tmp_path, "checkpoint") == note
    assert split_entries(read_resource(tmp_path, "tile/entries/001.p/44") or b"") == entries(256, 300)
    assert read_resource(tmp_path, "tile/0/001.p/44") == b"".join(map(leaf_hash, entries(256, 300)))
    assert len(read_resource(tmp_path, "tile/0/000") or b"") == 8_192
    for absent in ("tile/0/002", "tile/0/000.p/5", "tile/5/000", "tail", "lock", "../secret", "tile/0/000/000"):
        assert read_resource(tmp_path, absent) is None
    (tmp_path / "tile/0/x001").write_bytes(b"")
    assert read_resource(tmp_path, "tile/0/x001/000") is None
