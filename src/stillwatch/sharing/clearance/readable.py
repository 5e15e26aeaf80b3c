"""Makes items what they are after they were written down and read back, so that what is judged is what is kept.

Values come from anywhere. A fact that cannot be written down as JSON becomes one that no rule names, so it stays.
"""

from typing import Any

import msgspec

from stillwatch.errors import InputRejectedError
from stillwatch.sharing.clearance.model import Fact, Item

_LAST_S = 253_402_300_800
"""The end of the year 9999, behind which STIX cannot write a time (Unix seconds)."""
_UNREADABLE = Fact(field="", value=None)


def readable(item: Item) -> Item:
    """Return an item as JSON tells it.

    Raises:
        InputRejectedError: its name or its times cannot be written down.
    """
    facts = tuple(_reread(fact, Fact) or _UNREADABLE for fact in item.facts)
    told: Item | None = _reread(msgspec.structs.replace(item, facts=()), Item)
    if told is None or not 0 <= told.first_seen < _LAST_S or not 0 <= told.last_seen < _LAST_S:
        raise InputRejectedError("an item has a name or a time that cannot be written down")
    return msgspec.structs.replace(told, facts=facts)


def _reread(value: Any, kind: Any) -> Any:
    try:
        return msgspec.json.decode(msgspec.json.encode(value), type=kind)
    except (ValueError, TypeError, RecursionError):  # surrogates, numbers too long to write, no JSON at all, deep nests
        return None
