"""A STIX bundle that explains itself: the objects, and the definitions of the markings and extensions that they use."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from stillwatch.sharing.objects.build import canonical
from stillwatch.sharing.objects.extensions import PUBLISHER, SCHEMA_FILES, definition
from stillwatch.sharing.objects.tlp import MARKING_ID, marking_definition

_BUNDLES = uuid.UUID("5b9b7f6e-6f3c-4a0e-9d3f-1f5d0c8f6a52")


def bundle(objects: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a bundle of objects, each version once, after the definitions that they refer to.

    The identity of the project that publishes the extensions is among them: tools that import into an event
    (misp-stix) need an identity even where the producer of the objects is hidden. The id follows from the content.
    """
    given = {(one["id"], one.get("modified")): one for one in objects}
    body = [one for one in _definitions(given.values()) if (one["id"], one.get("modified")) not in given]
    body += given.values()
    name = canonical({"objects": body}).decode()
    return {"type": "bundle", "id": f"bundle--{uuid.uuid5(_BUNDLES, name)}", "objects": body}


def _definitions(objects: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    marked, extended = set(), set()
    for one in objects:
        marked |= set(one.get("object_marking_refs", ()))
        extended |= set(one.get("extensions", ()))
    return [
        dict(PUBLISHER),
        *(marking_definition(level) for level, identifier in MARKING_ID.items() if identifier in marked),
        *(definition(key) for key in SCHEMA_FILES if key in extended),
    ]
