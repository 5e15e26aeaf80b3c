"""Taking objects back: at each place that has them, by a version without content, or where there is none by deletion.

A place is a collection of a hub. Whoever never had an object is told nothing of it, and no basis is needed to take it
back from who had it.
"""

from collections.abc import Callable

import msgspec

from stillwatch.errors import PolicyRefusedError, UsageError
from stillwatch.sharing.clearance.counsel import person
from stillwatch.sharing.clearance.drafting import later_than
from stillwatch.sharing.clearance.events import ObjectMade
from stillwatch.sharing.clearance.outbox import Outbox
from stillwatch.sharing.clearance.places import Place
from stillwatch.sharing.objects.build import Object, canonical, revoke
from stillwatch.sharing.objects.extensions import SHARING

_CONTENT = {"description", "external_references", "confidence", "first_seen", "last_seen"}
_REQUIRED = {"content": "withdrawn", "pattern": "[x-withdrawn:value = 'nothing']"}


def is_observable(object_id: str) -> bool:
    """Return whether an id is that of an observable, which has no versions and so cannot be revoked (STIX 2.1, 3.6)."""
    return object_id.partition("--")[0] in ("autonomous-system", "user-account")


def revocation(body: Object, *, at: float) -> Object:
    """Return the version that revokes a version of an object, for the same audience, without its content."""
    emptied: Object = {
        name: _REQUIRED.get(name, value) for name, value in revoke(body, at=at).items() if name not in _CONTENT
    }
    shared = {name: part for name, part in emptied.get("extensions", {}).items() if name == SHARING}
    return {**emptied, "extensions": shared}


def withdraw(outbox: Outbox, object_id: str, *, by: str, reason: str, now_s: float) -> ObjectMade:
    """Take an object back, for good. It needs one person's word; what has it is told by the next push there.

    Raises:
        UsageError: it says no person or no reason.
        PolicyRefusedError: nothing of that id was cleared here, or it was withdrawn already.
    """
    person(by)
    if not reason.strip():
        raise UsageError("a withdrawal needs a reason", hint="say why with --reason")
    last = outbox.latest_of(object_id)
    if last is None or last.withdrawn is not None:
        raise PolicyRefusedError(
            f"{object_id} was not cleared here, or was withdrawn already", hint="`share status` lists what was"
        )
    at = later_than(last, now_s, anonymous=last.anonymous)
    withdrawn = msgspec.structs.replace(last, ts=at, withdrawn=f"{by}: {reason}")
    outbox.record([withdrawn], max(at, now_s))
    return withdrawn


def versions_at(outbox: Outbox, place: Place, *, anonymous: bool) -> list[str]:
    """Return the SHA-256 of each version that a place has of what was withdrawn, and that is owed a revocation."""
    return [
        version
        for last in outbox.withdrawn()
        if last.anonymous == anonymous and not is_observable(last.object_id)
        for version in outbox.places.versions_at(last.object_id, place)
    ]


def revocation_of(outbox: Outbox, version: str, read: Callable[[str], bytes], now_s: float) -> str:
    """Return the SHA-256 of the revocation of a version; it is made where there is none yet.

    `read` returns the bytes of a version by its SHA-256.
    """
    known = outbox.revocation_of(version)
    if known is not None:
        return known.sha256
    taken_back = outbox.made[version]
    last = outbox.latest_of(taken_back.object_id) or taken_back
    at = later_than(last, now_s, anonymous=last.anonymous)
    file, [sha256] = outbox.keep_objects([canonical(revocation(msgspec.json.decode(read(version)), at=at))])
    made = msgspec.structs.replace(last, ts=at, file=file, sha256=sha256, revokes=version, audience=taken_back.audience)
    outbox.record([made], max(at, now_s))
    return made.sha256


def deletions_at(outbox: Outbox, place: Place, *, anonymous: bool) -> list[str]:
    """Return the observables that were withdrawn and that a place still has: no version of them could say so."""
    return [
        made.object_id
        for made in outbox.withdrawn()
        if made.anonymous == anonymous and is_observable(made.object_id)
        if outbox.places.versions_at(made.object_id, place)
    ]


def still_at(outbox: Outbox) -> dict[Place, list[str]]:
    """Return what was withdrawn and not yet taken back, by where it still is."""
    left: dict[Place, list[str]] = {}
    for made in outbox.withdrawn():
        for place in outbox.places.of(made.object_id):
            left.setdefault(place, []).append(made.object_id)
    return left
