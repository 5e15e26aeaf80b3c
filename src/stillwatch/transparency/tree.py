"""The Merkle tree of RFC 6962 (section 2.1) and RFC 9162: hashes, proofs, and how a proof is checked.

A *node* is the root of a complete subtree: (0, i) is the hash of leaf i, (h, i) covers the leaves from i * 2**h up to
(i + 1) * 2**h. Proofs are made from a function that returns nodes, so that nobody needs the whole tree in memory.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256().digest()

Node = Callable[[int, int], bytes]
"""Returns the hash of a complete subtree: (height, index) -> 32 bytes."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash an entry of the log."""
    return hashlib.sha256(b"\x00" + entry).digest()


def parent_hash(left: bytes, right: bytes) -> bytes:
    """Hash two neighbours into the node above them."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root over neighbouring nodes of equal height, the last of which may be the root of less than that."""
    if not hashes:
        return EMPTY_ROOT
    row = list(hashes)
    while len(row) > 1:
        above = [parent_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=False)]
        if len(row) % 2:
            above.append(row[-1])
        row = above
    return row[0]


def root_at(size: int, node: Node) -> bytes:
    """Return the root of the tree over the first `size` leaves."""
    return _root_between(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """Return the path from leaf `index` to the root of the first `size` leaves, lowest first.

    Raises:
        ValueError: the tree of that size has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _left_part(end - start)
        if index < middle:
            path.append(_root_between(middle, end, node))
            end = middle
        else:
            path.append(_root_between(start, middle, node))
            start = middle
    return path[::-1]


def consistency_proof(old: int, new: int, node: Node) -> list[bytes]:
    """Return the nodes that show that the first `old` leaves of the tree of `new` leaves are the old tree.

    Nothing needs to be shown of an empty old tree, nor of an equal one: the proof is empty.

    Raises:
        ValueError: the old tree is the larger.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} is not the beginning of one of {new}")
    if old in (0, new):
        return []
    path, start, end = [], 0, new
    while old != end:
        middle = start + _left_part(end - start)
        if old <= middle:
            path.append(_root_between(middle, end, node))
            end = middle
        else:
            path.append(_root_between(start, middle, node))
            start = middle
    if start:  # the verifier knows the old root itself where the old tree is one complete subtree
        path.append(_root_between(start, end, node))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Say whether a leaf hash stands at `index` of the tree that has `root` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or not _are_hashes(proof):
        return False
    place, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place % 2 or place == last:
            found = parent_hash(sibling, found)
            place, last = _above(place, last)
        else:
            found = parent_hash(found, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Say whether the tree with `new_root` begins with the tree with `old_root` (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new or not _are_hashes(proof):
        return False
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    if old == new:
        return not proof and old_root == new_root
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if len(path) < 2:
        return False
    place, last = old - 1, new - 1
    while place % 2:
        place, last = place >> 1, last >> 1
    found_old = found_new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place % 2 or place == last:
            found_old, found_new = parent_hash(sibling, found_old), parent_hash(sibling, found_new)
            place, last = _above(place, last)
        else:
            found_new = parent_hash(found_new, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and found_old == old_root and found_new == new_root


def _above(place: int, last: int) -> tuple[int, int]:
    """Climb while the place is a left child without a right sibling: such a node moves up as it is."""
    while place and not place % 2:
        place, last = place >> 1, last >> 1
    return place, last


def _left_part(leaves: int) -> int:
    """Return the largest power of two below `leaves`, which is at least 2."""
    return 1 << ((leaves - 1).bit_length() - 1)


def _root_between(start: int, end: int, node: Node) -> bytes:
    """Return the root over leaves that begin at a multiple of every power of two up to their number."""
    root = None
    for height, index in _complete(start, end):
        left = node(height, index)
        root = left if root is None else parent_hash(left, root)
    return root or EMPTY_ROOT


def _complete(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the complete subtrees that make up the leaves from `start` to `end`, rightmost (smallest) first."""
    while start < end:
        height = ((end - start) & (start - end)).bit_length() - 1
        end -= 1 << height
        yield height, end >> height


def _are_hashes(proof: Sequence[bytes]) -> bool:
    return all(len(part) == HASH_SIZE for part in proof)
