"""Anonymous contribution: an object that is served in the hub's name, and that names its contributor nowhere.

The hub keeps whose it is, so that its contributor alone can change or withdraw it. Nobody else is told: not by a
status, an error, a header, a signature, a proposal or a correction. What was added at one moment shows that one member
added it, so what is not anonymous is not taken in the same post.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from stillwatch.sharing.objects.extensions import SHARING
from stillwatch.sharing.objects.tlp import LEVEL_OF_ID


class _Candidate(Protocol):
    @property
    def item(self) -> dict[str, Any]: ...


class _Ready(Protocol):
    @property
    def candidate(self) -> _Candidate: ...


_Item = TypeVar("_Item", bound=_Ready)


def is_anonymous(item: Mapping[str, Any]) -> bool:
    """Whether the contributor of a valid object asks to stay unnamed."""
    return bool(item.get("extensions", {}).get(SHARING, {}).get("anonymous", False))


def is_beside_others(items: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a post has something that would show whose the anonymous ones of its valid objects are.

    It depends on the post alone, and not on what of it is stored already. A published TLP marking is nobody's words.
    """
    return any(not is_anonymous(item) and item["id"] not in LEVEL_OF_ID for item in items)


def refusal(item: Mapping[str, Any], owner: str, hub: str) -> str | None:
    """Return why a valid object cannot be taken as it is marked; None where it can.

    Args:
        item: the object, decoded.
        owner: member id of its contributor.
        hub: the identity that stands for contributors who are not named.
    """
    claimed = item.get("created_by_ref")
    if not is_anonymous(item):
        return "created_by_ref: the hub's identity is for anonymous objects" if claimed == hub else None
    if claimed != hub and (claimed is not None or "created" in item):  # an observable has no creator
        return f"created_by_ref: an anonymous object has {hub}"
    if owner.encode() in msgspec.json.encode(item):
        return "it is to be anonymous and names its contributor"
    return None


def apart(ready: Sequence[_Item]) -> list[list[_Item]]:
    """Return the objects of a post in groups, of which each anonymous one is one.

    A group gets a moment, an audit leaf and a receipt of its own. What is not anonymous stays together and comes first.
    """
    named = [one for one in ready if not is_anonymous(one.candidate.item)]
    hidden = [[one] for one in ready if is_anonymous(one.candidate.item)]
    return [named, *hidden] if named else hidden
