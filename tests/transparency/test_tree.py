import functools
import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from stillwatch.transparency.tree import (
    EMPTY_ROOT,
    Node,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    parent_hash,
    root_at,
    root_of,
    verify_consistency,
    verify_inclusion,
)

MOST = 600
ENTRIES = [b"%d" % index for index in range(MOST)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def node(height: int, index: int) -> bytes:
    return root_of(LEAVES[index << height : (index + 1) << height])


def remembering(find: Node) -> Node:
    known: dict[tuple[int, int], bytes] = {}

    def found(height: int, index: int) -> bytes:
        if (height, index) not in known:
            known[height, index] = find(height, index)
        return known[height, index]

    return found


NODE = remembering(node)
ROOTS = [root_at(size, NODE) for size in range(MOST + 1)]


@pytest.fixture(scope="module")
def peer() -> InmemoryTree:
    return InmemoryTree.init_from_entries(ENTRIES, algorithm="sha256")


def inclusion_cases() -> Iterator[tuple[int, int]]:
    for size in range(1, MOST + 1):
        for index in {0, size // 3, size // 2, size - 2, size - 1} & set(range(size)):
            yield index, size


def test_hashes_of_the_standard() -> None:
    assert hashlib.sha256(b"").digest() == EMPTY_ROOT == root_of([]) == ROOTS[0]
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert parent_hash(b"a", b"b") == hashlib.sha256(b"\x01ab").digest()


def test_every_root_is_that_of_an_independent_tree(peer: InmemoryTree) -> None:
    for size in range(1, MOST + 1):
        assert ROOTS[size] == peer.get_root(size) == root_of(LEAVES[:size])


def test_inclusion_proofs_are_those_of_an_independent_tree(peer: InmemoryTree) -> None:
    for index, size in inclusion_cases():
        proof = inclusion_proof(index, size, NODE)
        assert proof == peer.prove_inclusion(index + 1, size).path[1:]
        assert verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])
        assert not verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size - 1])
        assert not verify_inclusion(LEAVES[(index + 1) % MOST], index, size, proof, ROOTS[size])


def test_every_leaf_of_a_tree_is_proven_at_its_own_place_only() -> None:
    for size in range(1, 40):
        for index in range(size):
            proof = inclusion_proof(index, size, NODE)
            places = [
                place for place in range(size) if verify_inclusion(LEAVES[index], place, size, proof, ROOTS[size])
            ]
            assert places == [index]


@functools.cache
def root_between(start: int, end: int) -> bytes:
    return bytes(InmemoryTree.init_from_entries(ENTRIES[start:end], algorithm="sha256").get_root())


def subproof(old: int, start: int, end: int, *, seen_whole: bool) -> list[bytes]:
    """RFC 6962, section 2.1.2, word for word, over hashes of the independent tree, which lays out its own otherwise."""
    if old == end - start:
        return [] if seen_whole else [root_between(start, end)]
    part = next(1 << power for power in range(20) if 1 << power < end - start <= 2 << power)
    if old <= part:
        return [*subproof(old, start, start + part, seen_whole=seen_whole), root_between(start + part, end)]
    return [*subproof(old - part, start + part, end, seen_whole=False), root_between(start, start + part)]


def test_consistency_proofs_are_those_of_the_standard() -> None:
    for new in range(1, MOST + 1):
        for old in {1, 2, new // 3, new // 2, new - 1} & set(range(1, new)):
            proof = consistency_proof(old, new, NODE)
            assert proof == subproof(old, 0, new, seen_whole=True)
            assert verify_consistency(old, ROOTS[old], new, ROOTS[new], proof)
            assert not verify_consistency(old, ROOTS[old + 1], new, ROOTS[new], proof)
            assert not verify_consistency(old, ROOTS[old], new, ROOTS[new - 1], proof)


def test_every_pair_of_small_trees_is_consistent() -> None:
    for new in range(70):
        for old in range(new + 1):
            proof = consistency_proof(old, new, NODE)
            assert verify_consistency(old, ROOTS[old], new, ROOTS[new], proof)
            assert not verify_consistency(old, b"\x00" * 32, new, ROOTS[new], proof)
            assert not verify_consistency(old, ROOTS[old], new, ROOTS[new], [*proof, ROOTS[1]])


@given(st.data())
def test_a_changed_proof_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, MOST))
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, NODE)
    place = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 255))
    changed = [*proof]
    changed[place] = (int.from_bytes(proof[place], "big") ^ (1 << bit)).to_bytes(32, "big")
    assert not verify_inclusion(LEAVES[index], index, size, changed, ROOTS[size])
    assert not verify_inclusion(LEAVES[index], index, size, proof[:place], ROOTS[size])
    assert not verify_inclusion(LEAVES[index], index, size, [*proof, proof[place]], ROOTS[size])


@given(st.data())
def test_a_changed_consistency_proof_is_refused(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, MOST))
    old = data.draw(st.integers(1, new - 1))
    proof = consistency_proof(old, new, NODE)
    place = data.draw(st.integers(0, len(proof) - 1))
    changed = [*proof]
    changed[place] = data.draw(st.binary(min_size=32, max_size=32))
    if changed != proof:
        assert not verify_consistency(old, ROOTS[old], new, ROOTS[new], changed)
    assert not verify_consistency(old, ROOTS[old], new, ROOTS[new], proof[:place])


@given(st.integers(-3, 9), st.integers(-3, 9), st.lists(st.binary(min_size=31, max_size=33), max_size=4))
def test_nonsense_is_refused_and_never_raises(index: int, size: int, proof: list[bytes]) -> None:
    if not 0 <= index < size or proof != inclusion_proof(index, size, NODE):
        assert not verify_inclusion(LEAVES[0], index, size, proof, ROOTS[5])
    if index != 0:
        assert not verify_consistency(index, b"\x01" * 32, size, ROOTS[5], proof)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_no_proof_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(index, size, NODE)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3)])
def test_no_proof_that_a_larger_tree_is_the_beginning(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="not the beginning"):
        consistency_proof(old, new, NODE)
