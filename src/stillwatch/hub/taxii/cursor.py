"""The cursor that `next` carries: a place in a collection, signed, worth the same however often it is used."""

import base64
import binascii
import hashlib
import hmac
import struct

_FORM = struct.Struct(">Q16s16s")


class Cursors:
    """Makes and reads cursors.

    Args:
        secret: 32 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def make(self, seq: int, asked: str) -> str:
        """Return the cursor after a moment, for a request: its collection, resource and filters as one text."""
        name = _name(asked)
        return base64.urlsafe_b64encode(_FORM.pack(seq, name, self._sign(seq, name))).rstrip(b"=").decode()

    def read(self, cursor: str, asked: str) -> int | None:
        """Return the moment of a cursor; None where it is none of ours or belongs to another request."""
        try:
            packed = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
            seq, name, signature = _FORM.unpack(packed)
        except (binascii.Error, UnicodeEncodeError, struct.error, ValueError):
            return None
        genuine = hmac.compare_digest(signature, self._sign(seq, name))
        return int(seq) if genuine and name == _name(asked) else None

    def _sign(self, seq: int, name: bytes) -> bytes:
        return hmac.digest(self._secret, seq.to_bytes(8, "big") + name, "sha256")[:16]


def _name(asked: str) -> bytes:
    return hashlib.sha256(asked.encode()).digest()[:16]
