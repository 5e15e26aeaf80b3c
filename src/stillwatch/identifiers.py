"""Names that stay the same: digests of values that must not be written, and ids of campaigns."""

import hashlib
from collections.abc import Iterable


def digest(value: str) -> str:
    """Return a short digest (64 bits, hex) under which a shared key is shown instead of its value."""
    return hashlib.blake2b(value.encode(), digest_size=8).hexdigest()


def campaign_id(anchors: Iterable[str]) -> str:
    """Return the id of a campaign from what identifies it, in any order."""
    joined = "\n".join(sorted(anchors))
    return "cmp-" + hashlib.blake2b(joined.encode(), digest_size=8).hexdigest()
