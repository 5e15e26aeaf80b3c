"""What a hub of competitors must not be able to carry: joint action, common thresholds, votes on somebody.

Valid STIX can say "block this", and a common tag or a custom property can say it to machines without any verb of STIX.
These rules refuse the forms in which it can be said so that software acts on it. Prose is not judged here: it leaves a
member through clearance, and a steward reads it. Invariants 1 to 4 of docs/reference/stix.md#what-cannot-be-said.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from stillwatch.sharing.objects.build import ENTITY_TYPES
from stillwatch.sharing.objects.extensions import SCHEMA_FILES

_ACTIONS = frozenset(
    {
        "allowlist",
        "ban",
        "banlist",
        "banned",
        "bans",
        "blackhole",
        "blacklist",
        "blacklisted",
        "block",
        "blocked",
        "blocklist",
        "blocklisted",
        "blocks",
        "boycott",
        "boycotts",
        "challenge",
        "degrade",
        "denied",
        "denies",
        "deny",
        "denylist",
        "drop",
        "refuse",
        "refused",
        "reject",
        "rejected",
        "sinkhole",
        "suspend",
        "suspended",
        "terminate",
        "throttle",
        "whitelist",
    }
)
_AGREEMENTS = frozenset(
    {
        "ballot",
        "ballots",
        "consensus",
        "enforcement",
        "quorum",
        "ranking",
        "reciprocity",
        "threshold",
        "thresholds",
        "verdict",
        "verdicts",
        "vote",
        "voted",
        "votes",
        "voting",
    }
)
_ACTING_RULES = frozenset({"snort", "suricata"})
_ACTING_VERBS = re.compile(r"(?im)^[ \t]*(?:drop|sdrop|block|react|reject(?:src|dst|both)?|rewrite)\b")
_WORDS = re.compile(r"[a-z]+")
_TAGS = frozenset({"labels", "roles", "extension_properties"})
_MAX_DEPTH = 16


def refusals(decoded: dict[str, Any]) -> list[str]:
    """Return why a hub refuses an object that is valid STIX; empty where it does not.

    The object has passed `ObjectValidator`.
    """
    return [
        *_of_type(decoded),
        *_of_references(decoded),
        *_of_rules(decoded),
        *_of_tags(decoded),
        *_of_names(decoded),
    ]


def _of_type(decoded: dict[str, Any]) -> Iterator[str]:
    if decoded["type"] == "course-of-action":
        yield "course-of-action: the hub carries facts, and no advice to act"
    elif _asks(decoded["type"]):
        yield "type: its name asks for an action or an agreement"


def _of_references(decoded: dict[str, Any]) -> Iterator[str]:
    kind = decoded["type"]
    if kind == "opinion" and _names_somebody(decoded["object_refs"]):
        yield "object_refs: an opinion is on a statement, not on somebody"
    elif kind == "sighting" and _names_somebody([decoded["sighting_of_ref"]]):
        yield "sighting_of_ref: a sighting is of conduct, not of somebody"
    elif kind == "relationship":
        if _asks(decoded["relationship_type"]):
            yield "relationship_type: it asks for an action or an agreement"
        if any(decoded[end].startswith("course-of-action--") for end in ("source_ref", "target_ref")):
            yield "course-of-action: the hub carries facts, and no advice to act"


def _names_somebody(refs: Iterable[str]) -> bool:
    return any(ref.partition("--")[0] in ENTITY_TYPES for ref in refs)


def _of_rules(decoded: dict[str, Any]) -> Iterator[str]:
    if decoded["type"] != "indicator" or decoded["pattern_type"].lower() not in _ACTING_RULES:
        return
    if _ACTING_VERBS.search(decoded["pattern"]):
        yield "pattern: a rule that is shared may alert; whether it stops anything is each member's own decision"


def _of_tags(decoded: dict[str, Any]) -> Iterator[str]:
    for name, values in decoded.items():
        tags = values if (name in _TAGS or name.endswith("_types")) and isinstance(values, list) else ()
        if any(isinstance(tag, str) and _asks(tag) for tag in tags):
            yield f"{name}: a tag asks for an action or an agreement"


def _of_names(decoded: dict[str, Any]) -> Iterator[str]:
    if any(map(_asks, decoded)):
        yield "a custom property asks for an action or an agreement"
    for key, body in decoded.get("extensions", {}).items():
        if key not in SCHEMA_FILES and _any_name_asks(body):
            yield f"{key[:80]}: a property of the extension asks for an action or an agreement"


def _any_name_asks(body: object) -> bool:
    level: list[object] = [body]
    for _ in range(_MAX_DEPTH):
        named = [one for one in level if isinstance(one, dict)]
        if any(_asks(name) for one in named for name in one):
            return True
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return False
    return True  # deeper than anything honest, so unread and refused


def _inside(one: object) -> Iterable[object]:
    return one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()


@lru_cache(maxsize=8192)
def _asks(name: str) -> bool:
    """Whether a name is about an action or an agreement.

    An action word leads it, perhaps after the name of a vendor; or a word for an agreement is anywhere in it.
    """
    words = _WORDS.findall(name[:250].lower())
    leading = words[1:3] if words[:1] == ["x"] else words[:2]
    return not _ACTIONS.isdisjoint(leading) or not _AGREEMENTS.isdisjoint(words)
