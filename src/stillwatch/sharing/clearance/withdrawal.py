"""What takes an object back: the version that revokes it, which tells a hub nothing that the hub did not have."""

from stillwatch.sharing.objects.build import Object, revoke
from stillwatch.sharing.objects.extensions import SHARING

_CONTENT = {"description", "external_references", "confidence", "first_seen", "last_seen"}
_REQUIRED = {"content": "withdrawn", "pattern": "[x-withdrawn:value = 'nothing']"}


def is_observable(object_id: str) -> bool:
    """Return whether an id is that of an observable, which has no versions and so cannot be revoked (STIX 2.1, 3.6)."""
    return object_id.partition("--")[0] in ("autonomous-system", "user-account")


def revocation(body: Object, *, at: float, sent: bool) -> Object:
    """Return the version that revokes an object; without its content where no hub is known to have it."""
    revoked = revoke(body, at=at)
    if sent:
        return revoked
    emptied: Object = {name: _REQUIRED.get(name, value) for name, value in revoked.items() if name not in _CONTENT}
    shared = {name: part for name, part in emptied.get("extensions", {}).items() if name == SHARING}
    return {**emptied, "extensions": shared}
