"""Who may see an object: what its markings and its sharing extension say, and nothing else.

Everything that is unclear narrows the audience, nothing widens it.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Final

from stillwatch.sharing.objects.extensions import SHARING
from stillwatch.sharing.objects.tlp import DEFAULT, EXTENSION_ID, LEVEL_OF_ID, Tlp


class Everyone(Enum):
    """The audience that is every member of the collection."""

    EVERYONE = "everyone"


EVERYONE: Final = Everyone.EVERYONE
Audience = Everyone | frozenset[str]
"""Every member of the collection, or the ids of those members alone."""


def audience_of(item: Mapping[str, Any], known: Mapping[str, Tlp | None], owner: str) -> Audience:
    """Return who may see an object; its owner always may.

    Args:
        item: the object, decoded.
        known: the marking definitions that the owner may rely on beside the published ones, by id: their TLP level, or
            None for one that asks for nothing the hub could do, as a copyright statement.
        owner: member id.
    """
    recipients = recipients_of(item)
    if recipients is not None:
        return recipients | {owner}
    level = level_of(item, known)
    return frozenset({owner}) if level is None or level is Tlp.RED else EVERYONE


def narrowed(
    readers: frozenset[int] | None, markings: Iterable[frozenset[int] | None], owner: int
) -> frozenset[int] | None:
    """Return who sees an object and every marking definition that it refers to; None is everyone (numbers of members).

    Whoever saw it without its marking would learn that there is one that is hidden. Its owner always sees it.
    """
    for one in markings:
        if one is not None:
            readers = (one if readers is None else readers & one) | {owner}
    return readers


def level_of(item: Mapping[str, Any], known: Mapping[str, Tlp | None]) -> Tlp | None:
    """Return the strictest label on any part of an object, TLP:AMBER+STRICT where there is none.

    None: a marking cannot be resolved, so nobody can say who may see the object.
    """
    levels: list[Tlp] = []
    for ref in marking_refs(item):
        if not isinstance(ref, str):
            return None
        level = LEVEL_OF_ID.get(ref)
        if level is None:
            if ref not in known:
                return None
            level = known[ref]
        if level is not None:
            levels.append(level)
    return max(levels, default=DEFAULT)


def marking_refs(item: Mapping[str, Any]) -> Iterator[Any]:
    """Yield every marking on an object or on a part of it; None for one that is not written as it should be."""
    refs = item.get("object_marking_refs", [])
    yield from refs if isinstance(refs, list) else [None]
    granular = item.get("granular_markings", [])
    for marking in granular if isinstance(granular, list) else [None]:
        if not isinstance(marking, dict):
            yield None
        elif "marking_ref" in marking:
            yield marking["marking_ref"]
        elif "lang" not in marking:
            yield None


def recipients_of(item: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the members that the sharing extension names; None where it names none, nobody where it cannot be read."""
    extensions = item.get("extensions", {})
    if not isinstance(extensions, dict):
        return frozenset()
    sharing = extensions.get(SHARING, {})
    if not isinstance(sharing, dict):
        return frozenset()
    named = sharing.get("recipients")
    if named is None and "recipients" not in sharing:
        return None
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        return frozenset()
    return frozenset(named)


def defined_level(definition: Mapping[str, Any]) -> tuple[bool, Tlp | None]:
    """Return whether the hub understands a marking definition, and the TLP level that it stands for, if any."""
    extensions = definition.get("extensions") or {}
    if not isinstance(extensions, dict):
        return False, None
    if EXTENSION_ID in extensions:
        return _named(extensions[EXTENSION_ID].get("tlp_2_0") if isinstance(extensions[EXTENSION_ID], dict) else None)
    if extensions:  # a scheme that we do not know
        return False, None
    if definition.get("definition_type") == "tlp":
        shown = definition.get("definition")
        return _named(shown.get("tlp") if isinstance(shown, dict) else None)
    return definition.get("definition_type") == "statement", None


def _named(word: object) -> tuple[bool, Tlp | None]:
    words = {level.name.lower().replace("_", "+"): level for level in Tlp} | {"white": Tlp.CLEAR}
    level = words.get(word) if isinstance(word, str) else None
    return level is not None, level
