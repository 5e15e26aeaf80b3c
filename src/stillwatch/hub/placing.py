"""Where the objects of one post come to lie in time, so that gaps between them tell nothing of those one cannot see.

A post gets a window of `WINDOW` microseconds, however many objects it has. Each object falls on a moment in it that a
keyed hash of its content picks, which says nothing about the others. Objects with the same audience then swap places
until they are in the order in which they were posted.
"""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Sequence

WINDOW = 1 << 14
"""Microseconds; more than objects fit into a post."""


def place(key: bytes, base: int, items: Sequence[tuple[Hashable, bytes]], window: int = WINDOW) -> list[int]:
    """Return a moment in `base` … `base + window - 1` for each item, no two the same.

    Args:
        key: secret, 32 bytes.
        base: microseconds since 1970.
        items: the audience and the digest of each object, in the order of the post; not more than the window has room.
        window: microseconds.
    """
    taken: set[int] = set()
    groups: dict[Hashable, list[tuple[int, int]]] = defaultdict(list)
    for index, (audience, digest) in enumerate(items):
        picked = hashlib.blake2b(digest + base.to_bytes(8, "big"), key=key, digest_size=8).digest()
        moment = int.from_bytes(picked, "big") % window
        while moment in taken:
            moment = (moment + 1) % window
        taken.add(moment)
        groups[audience].append((index, moment))
    placed = [0] * len(items)
    for members in groups.values():
        for (index, _), moment in zip(members, sorted(moment for _, moment in members), strict=True):
            placed[index] = base + moment
    return placed
