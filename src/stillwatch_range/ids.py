"""Identifiers and random streams: every identifier comes from one hash stream, so none tells whose it is."""

import hashlib
import random


def stream(seed: int, *names: object) -> random.Random:
    """Return a random generator of its own for one purpose; adding a purpose leaves the others unchanged."""
    return random.Random(_digest(seed, *names, size=16))


class Identifiers:
    """Makes identifiers of one shape for everybody; the same seed gives the same ones in the same order."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._taken = 0

    def take(self, prefix: str, size: int = 10) -> str:
        """Return `prefix` and the hex digits of `size` bytes never returned before."""
        self._taken += 1
        return prefix + _digest(self._seed, self._taken, size=size)


def _digest(*parts: object, size: int) -> str:
    return hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=size).hexdigest()
