"""What a hub of competitors must not be able to carry: joint action, common thresholds, votes on somebody.

Valid STIX can say "block this", and a common tag or a custom property can say it to machines without any verb of STIX.
These rules refuse the forms in which it can be said so that software acts on it. Prose is not judged here: it leaves a
member through clearance, and a steward reads it. Invariants 1 to 4 of docs/reference/stix.md#what-cannot-be-said.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from stillwatch.sharing.objects.build import ENTITY_TYPES
from stillwatch.sharing.objects.extensions import SCHEMA_FILES
from stillwatch.sharing.objects.hub_words import name_asks, tag_asks, value_asks
from stillwatch.sharing.objects.standard import standard

STATEMENTS = frozenset(
    {
        "attack-pattern",
        "campaign",
        "indicator",
        "infrastructure",
        "malware",
        "observed-data",
        "tool",
        "vulnerability",
    }
)
"""Types that state conduct; beside them, most observables do. There are opinions on nothing else.

A note, a report or a relationship can be about somebody, and an opinion on it would be a vote on that one.
"""
_HOLDERS = frozenset({"email-addr", "user-account"})
"""Observables that stand for whoever holds them."""
_PATTERNS = frozenset({"pcre", "sigma", "stix", "yara"})
_ACTING_RULES = frozenset({"snort", "suricata"})
_ACTING_VERBS = re.compile(r"(?:drop|sdrop|block|react|reject(?:src|dst|both)?|rewrite|pass)\b")
_TAGS = frozenset({"account_type", "context", "identity_class", "labels", "roles"})
_CAPTURED = frozenset(
    {
        "additional_header_fields",
        "document_info_dict",
        "environment_variables",
        "exif_tags",
        "hashes",
        "ipfix",
        "options",
        "request_header",
        "startup_info",
    }
)
"""Dictionaries of STIX whose keys are what somebody else wrote, in a header or a file."""
_TEXTS = frozenset({"template_text", "token"})
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
        *_of_properties(decoded),
        *_of_extensions(decoded),
    ]


def states_conduct(object_id: str) -> bool:
    """Whether an id is that of an object on which there may be opinions; nothing is looked up."""
    kind = object_id.partition("--")[0]
    return kind in STATEMENTS or kind in standard().observables - _HOLDERS


def _of_type(decoded: dict[str, Any]) -> Iterator[str]:
    if decoded["type"] == "course-of-action":
        yield "course-of-action: the hub carries facts, and no advice to act"
    elif name_asks(decoded["type"]):
        yield "type: its name asks for an action or an agreement"


def _of_references(decoded: dict[str, Any]) -> Iterator[str]:
    kind = decoded["type"]
    if kind == "opinion" and not all(map(states_conduct, decoded["object_refs"])):
        yield "object_refs: an opinion is on a statement of conduct, not on somebody or on what is said of somebody"
    elif kind == "sighting" and decoded["sighting_of_ref"].partition("--")[0] in ENTITY_TYPES:
        yield "sighting_of_ref: a sighting is of conduct, not of somebody"
    elif kind == "relationship":
        if name_asks(decoded["relationship_type"]):
            yield "relationship_type: it asks for an action or an agreement"
        if any(decoded[end].startswith("course-of-action--") for end in ("source_ref", "target_ref")):
            yield "course-of-action: the hub carries facts, and no advice to act"


def _of_rules(decoded: dict[str, Any]) -> Iterator[str]:
    if decoded["type"] != "indicator" or decoded["pattern_type"] in _PATTERNS:
        return
    if decoded["pattern_type"].lower() not in _ACTING_RULES:
        yield f"pattern_type: {', '.join(sorted(_PATTERNS | _ACTING_RULES))}, and no other"
    elif not _only_alerts(decoded["pattern"]):
        yield "pattern: a rule that is shared may alert; whether it stops anything is each member's own decision"


def _only_alerts(rules: str) -> bool:
    goes_on = False
    for line in re.split(r"[\r\n]+", rules):
        text = line.strip().lower()
        if not text or text.startswith("#"):
            continue
        if _ACTING_VERBS.match(text) or not (goes_on or re.match(r"alert\b", text)):
            return False
        goes_on = not text.endswith(")")
    return True


def _of_tags(decoded: dict[str, Any]) -> Iterator[str]:
    for name, values in decoded.items():
        if (name in _TAGS or name.endswith("_types")) and _any_text(values, tag_asks):
            yield f"{name[:80]}: a tag asks for an action or an agreement, or compares something"
    if _any_text(decoded.get("extension_properties"), name_asks):
        yield "extension_properties: one asks for an action or an agreement"
    phases = decoded.get("kill_chain_phases", ())
    if isinstance(phases, list) and any(
        _any_text(list(one.values()), name_asks) for one in phases if isinstance(one, dict)
    ):
        yield "kill_chain_phases: a phase is of an attack; this one asks for an action or an agreement"


def _any_text(values: object, asks: Callable[[str], bool]) -> bool:
    told = values if isinstance(values, list) else [values]
    return any(isinstance(one, str) and asks(one) for one in told)


def _of_properties(decoded: dict[str, Any]) -> Iterator[str]:
    """Judge what STIX does not define for the type, on the object and within what it does define."""
    names = standard().names.get(decoded["type"], standard().core_names)
    within = names.within
    if decoded["type"] == "language-content":  # translates the properties of any object
        within = within.union(*(one.top for one in standard().names.values()))
    foreign = {name: value for name, value in decoded.items() if name not in names.top}
    if _asks(foreign, frozenset()):
        yield "a custom property asks for an action or an agreement, or gives advice"
    common = {name: value for name, value in decoded.items() if name in names.top and name != "extensions"}
    if _asks(common, within):
        yield "a property that STIX does not define asks for an action or an agreement, or gives advice"


def _of_extensions(decoded: dict[str, Any]) -> Iterator[str]:
    names = standard().names.get(decoded["type"], standard().core_names)
    for key, body in decoded.get("extensions", {}).items():
        if key in SCHEMA_FILES:  # closed: its names are ours
            asks = any(value_asks(text) for text in _texts(body))
        else:
            own = frozenset({"extension_type"}) if key.startswith("extension-definition--") else names.within
            asks = _asks(body, own)
        if asks:
            yield f"{key[:80]}: a property of the extension asks for an action or an agreement, or gives advice"


def _texts(body: object) -> Iterator[str]:
    """Yield the texts of an extension of ours but for those that are prose or made by a machine."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, dict):
        for name, value in body.items():
            if name not in _TEXTS:
                yield from _texts(value)
    elif isinstance(body, list):
        for value in body:
            yield from _texts(value)


def _asks(body: object, defined: frozenset[str]) -> bool:
    """Whether a property that is not defined, or a text below one, says what must not be said."""
    level: list[tuple[object, bool]] = [(body, False)]
    for _ in range(_MAX_DEPTH):
        following: list[tuple[object, bool]] = []
        for value, foreign in level:
            if isinstance(value, str) and foreign and value_asks(value):
                return True
            if isinstance(value, dict):
                if any(name_asks(name) for name in value if foreign or name not in defined):
                    return True
                following += _below(value, defined, foreign=foreign)
            elif isinstance(value, list):
                following += [(inner, foreign) for inner in value]
        level = following
        if not level:
            return False
    return True  # deeper than anything honest, so unread and refused


def _below(value: dict[str, Any], defined: frozenset[str], *, foreign: bool) -> Iterable[tuple[object, bool]]:
    for name, inner in value.items():
        if foreign or name not in defined:
            yield inner, True
        elif name not in _CAPTURED:
            yield inner, False
