"""Where objects are: which collection of which hub has which version of an object, or may have it."""

from typing import NamedTuple


class Place(NamedTuple):
    """A collection of a hub, by the hub's address and the collection's id.

    Old entries of the log name no collection. It is empty then, and stands for whichever collection of that hub takes
    the withdrawal.
    """

    hub: str
    collection: str = ""

    def __str__(self) -> str:
        return f"{self.hub} {self.collection or '(in which of its collections, the log does not say)'}"


class Places:
    """What the log says of where objects are, by audience: each audience that has a version is to learn of its end."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[tuple[Place, str], list[str]]] = {}

    def has(self, object_id: str, place: Place, audience: str, sha256: str) -> None:
        """Take note that a place has a version, or may have it: a push that was killed may have reached the hub."""
        self.has_not(object_id, place, audience, sha256)
        self._versions.setdefault(object_id, {}).setdefault((place, audience), []).append(sha256)

    def has_not(self, object_id: str, place: Place, audience: str, sha256: str) -> None:
        """Take note that a place refused a version."""
        found = self._versions.get(object_id, {})
        versions = [one for one in found.pop((place, audience), ()) if one != sha256]
        if versions:
            found[place, audience] = versions

    def gone(self, object_id: str, place: Place, audience: str | None = None) -> None:
        """Take note that an audience of a place, or all of it, knows that the object was taken back."""
        found = self._versions.get(object_id, {})
        for at, of in list(found):
            if at in (place, Place(place.hub)) and audience in (of, None):
                del found[at, of]

    def of(self, object_id: str) -> list[Place]:
        """Return where an object is, or may be."""
        return list(dict.fromkeys(place for place, _ in self._versions.get(object_id, ())))

    def versions_at(self, object_id: str, place: Place) -> list[str]:
        """Return the SHA-256 of the last version that each audience of a place has, or may have."""
        found = self._versions.get(object_id, {})
        return [versions[-1] for (at, _), versions in found.items() if at in (place, Place(place.hub))]
