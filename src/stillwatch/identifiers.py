"""Names that stay the same: digests of values that must not be written, ids of campaigns and of decisions."""

import hashlib
import os
import secrets
import uuid
from collections.abc import Iterable


def digest(value: str) -> str:
    """Return a short digest (64 bits, hex) under which a shared key is shown instead of its value."""
    return hashlib.blake2b(value.encode(), digest_size=8).hexdigest()


def campaign_id(anchors: Iterable[str]) -> str:
    """Return the id of a campaign from what identifies it, in any order."""
    joined = "\n".join(sorted(anchors))
    return "cmp-" + hashlib.blake2b(joined.encode(), digest_size=8).hexdigest()


_AT_ONCE = 64


class DecisionIds:
    """Makes UUIDs of version 7 (RFC 9562) that grow within a process, even where the clock stands or goes back."""

    def __init__(self) -> None:
        self._last_ms = 0
        self._count = 0
        self._chance = b""

    def make(self, now_s: float) -> str:
        """Return the next id for a moment (Unix seconds)."""
        now_ms = int(now_s * 1000)
        if now_ms > self._last_ms:
            self._last_ms, self._count = now_ms, secrets.randbits(11)
        else:
            self._count += 1
            if self._count > 0xFFF:  # 12 bits of one millisecond are used up: borrow the next one
                self._last_ms, self._count = self._last_ms + 1, 0
        if not self._chance:
            self._chance = os.urandom(8 * _AT_ONCE)  # one call of the system for many ids
        chance, self._chance = int.from_bytes(self._chance[:8], "big") >> 2, self._chance[8:]
        digits = f"{self._last_ms & 0xFFFFFFFFFFFF:012x}7{self._count:03x}{0x8 << 60 | chance:016x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def decision_moment(decision_id: str) -> float:
    """Return the Unix seconds at which a decision id was made.

    Raises:
        ValueError: it is no UUID of version 7.
    """
    value = uuid.UUID(decision_id)
    if value.version != 7:
        message = f"{decision_id!r} is no decision id"
        raise ValueError(message)
    return (value.int >> 80) / 1000
