"""Where reasoning handles were born.

A handle is opaque to the client and of use only in its own conversation; shown by another account, in another session
or to another model, it is being farmed or replayed.
"""

import hashlib
from collections import OrderedDict
from typing import NamedTuple

_DIGEST_BYTES = 12


class Birth(NamedTuple):
    """Where a handle was issued. What the log did not tell is null and is not compared."""

    account_id: str
    session_id: str | None
    model: str | None


class Handles:
    """Births of the most recently issued handles, by digest; a handle that was forgotten is not judged."""

    def __init__(self, most: int = 1_000_000) -> None:
        """Remember at most `most` handles."""
        self._most = most
        self._births: OrderedDict[bytes, Birth] = OrderedDict()

    def __len__(self) -> int:
        return len(self._births)

    def issue(self, handle: str, birth: Birth) -> None:
        """Remember where a handle was born; the first birth stands, whatever is claimed later."""
        key = _digest(handle)
        if key in self._births:
            return
        self._births[key] = birth
        if len(self._births) > self._most:
            self._births.popitem(last=False)

    def is_foreign(self, handle: str, shown: Birth) -> bool:
        """Whether a handle is shown outside of the account, the session or the model that it was born in."""
        birth = self._births.get(_digest(handle))
        return birth is not None and (
            birth.account_id != shown.account_id
            or _differs(birth.session_id, shown.session_id)
            or _differs(birth.model, shown.model)
        )

    def dump(self) -> list[tuple[bytes, Birth]]:
        """Return all births, oldest first, to be kept over a restart."""
        return list(self._births.items())

    def load(self, births: list[tuple[bytes, Birth]]) -> None:
        """Take over what `dump` returned."""
        for key, birth in births:
            self._births.setdefault(key, birth)


def _differs(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other


def _digest(handle: str) -> bytes:
    return hashlib.blake2b(handle.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
