"""Where objects are: which collection of which hub has which version of an object, or may have it."""

import contextlib
import uuid
from typing import NamedTuple


class Place(NamedTuple):
    """A collection of a hub, by the hub's address and the collection's id.

    Old entries of the log name no collection. It is empty then, and stands for whichever collection of that hub takes
    the withdrawal. Ids of collections are UUIDs, so the same under another address is that of a hub that moved.
    """

    hub: str
    collection: str = ""

    def is_same(self, other: "Place") -> bool:
        """Return whether this is another place too."""
        return self == other or (self.collection == other.collection and _is_uuid(self.collection))

    def may_be(self, other: "Place") -> bool:
        """Return whether what is noted here may be at another place."""
        return self.is_same(other) or self == Place(other.hub)

    def __str__(self) -> str:
        return f"{self.hub} {self.collection or '(in which of its collections, the log does not say)'}"


class _Claim:
    """Why a place may have a version: it took it, or it was sent to it so many times and no answer came."""

    def __init__(self) -> None:
        self.taken = False
        self.unanswered = 0


class Places:
    """What the log says of where objects are, by audience: each audience that has a version is to learn of its end."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[tuple[Place, str], dict[str, _Claim]]] = {}

    def sending(self, object_id: str, place: Place, audience: str, sha256: str) -> None:
        """Take note that a version goes to a place: from now on it may be there, even if the push is killed."""
        self._claim(object_id, place, audience, sha256).unanswered += 1

    def taken(self, object_id: str, place: Place, audience: str, sha256: str) -> None:
        """Take note that a place has a version."""
        self._claim(object_id, place, audience, sha256).taken = True

    def refused(self, object_id: str, place: Place, audience: str, sha256: str) -> None:
        """Take note that a place refused a version as it was sent last; of what was sent before, nobody knows."""
        found = self._versions.get(object_id, {})
        versions = found.get((place, audience), {})
        claim = versions.get(sha256)
        if claim is None:
            return
        claim.unanswered -= 1
        if not claim.taken and claim.unanswered <= 0:
            del versions[sha256]
        if not versions:
            del found[place, audience]

    def _claim(self, object_id: str, place: Place, audience: str, sha256: str) -> _Claim:
        versions = self._versions.setdefault(object_id, {}).setdefault((place, audience), {})
        claim = versions.pop(sha256, None) or _Claim()
        versions[sha256] = claim  # it is the last one now
        return claim

    def gone(self, object_id: str, place: Place, audience: str | None = None) -> None:
        """Take note that an audience of a place, or all of it, knows that the object was taken back."""
        found = self._versions.get(object_id, {})
        for at, of in list(found):
            if at.may_be(place) and audience in (of, None):
                del found[at, of]

    def of(self, object_id: str) -> list[Place]:
        """Return where an object is, or may be."""
        return list(dict.fromkeys(place for place, _ in self._versions.get(object_id, ())))

    def versions_at(self, object_id: str, place: Place) -> list[str]:
        """Return the SHA-256 of the last version that each audience of a place has, or may have."""
        found = self._versions.get(object_id, {})
        last = (next(reversed(versions)) for (at, _), versions in found.items() if at.may_be(place))
        return list(dict.fromkeys(last))


def _is_uuid(name: str) -> bool:
    with contextlib.suppress(ValueError):
        return str(uuid.UUID(name)) == name.lower()
    return False
