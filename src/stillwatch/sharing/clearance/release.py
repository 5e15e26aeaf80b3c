"""What may go to the wire: bytes that the clearance log names, and nothing else.

`Cleared` is made here alone, after the bytes on the disk were compared with the log. The wire takes no other type.
"""

from collections.abc import Iterable
from typing import final

import msgspec

from stillwatch.errors import PolicyRefusedError
from stillwatch.sharing.clearance.outbox import Outbox
from stillwatch.sharing.objects.build import timestamp

_KEY = object()


@final
class Cleared:
    """An object that may be sent, byte for byte."""

    __slots__ = ("body", "object_id", "sha256")
    body: bytes
    object_id: str
    sha256: str

    def __init__(self, key: object, body: bytes, object_id: str, sha256: str) -> None:
        if key is not _KEY:
            raise PolicyRefusedError("only clearance can say that an object is cleared")
        for name, value in (("body", body), ("object_id", object_id), ("sha256", sha256)):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: what was cleared stays as it was cleared."""
        raise PolicyRefusedError("what was cleared cannot be changed")


def read_cleared(outbox: Outbox, sha256: str) -> Cleared:
    """Read an object that the log names.

    Raises:
        PolicyRefusedError: the log does not name it, or the file is not what was cleared, or is gone.
    """
    made = outbox.made.get(sha256)
    if made is None:
        raise PolicyRefusedError("no entry of the clearance log names this object")
    where = f"{made.object_id} in {outbox.object_file(made)}"
    try:
        body = outbox.object_bytes(made)
    except OSError as error:
        raise PolicyRefusedError(f"{where} was cleared but cannot be read", hint="clear its finding again") from error
    if body is None:
        raise PolicyRefusedError(f"{where} is not what was cleared: it was changed", hint="clear its finding again")
    return Cleared(_KEY, body, made.object_id, sha256)


class _Validity(msgspec.Struct):
    type: str
    valid_until: str = ""
    revoked: bool = False


def expired(objects: Iterable[Cleared], now_s: float) -> int:
    """Return how many of some objects are indicators that hold no more at a moment (Unix seconds)."""
    told = (msgspec.json.decode(one.body, type=_Validity) for one in objects)
    now = timestamp(now_s)
    return sum(one.type == "indicator" and not one.revoked and one.valid_until <= now for one in told)
