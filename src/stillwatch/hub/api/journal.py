"""What the audit log keeps of a member's words: that something was said, and a digest that fits nothing else.

Sightings, opinions, proposals and disputes leave leaves of one kind, so that the log, which all members read, does not
tell at once what the counts tell late.
"""

import hashlib
import hmac
from typing import Any

import msgspec
from sqlalchemy import Connection

from stillwatch.hub.storage.storage import Storage

_encode = msgspec.json.Encoder(order="sorted").encode


def write_down(db: Connection, storage: Storage, kind: str, **record: Any) -> None:
    """Add a leaf for a record, in its transaction.

    The digest is salted with a key of the hub, so that nobody can find out by trying what was said; the operator can
    show the record and its salt to whom it must.
    """
    data = _encode({**record, "at": storage.now()})
    salt = hmac.digest(storage.secret("journal"), data, "sha256")[:16]
    storage.audit(db, kind, record=hashlib.sha256(salt + data).hexdigest())
