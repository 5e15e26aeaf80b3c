"""Tokens of an OIDC provider: signed by it, for this hub, now."""

import json
import logging
import threading
from pathlib import Path
from typing import Any, TypeGuard

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from stillwatch.errors import Location, UsageError

ALGORITHMS = ("EdDSA", "Ed25519", "ES256", "ES384", "PS256", "RS256")
"""What a token may be signed with: no shared secrets, and never nothing."""
_LEEWAY_S = 30
_log = logging.getLogger(__name__)


class Provider:
    """An OIDC provider whose tokens are taken.

    Args:
        issuer: what its tokens name as `iss`.
        audience: what they must name as `aud`.
        jwks: file with its public keys, what its `jwks_uri` names; read anew whenever it changes.

    Raises:
        UsageError: the file is absent or holds no public keys.
    """

    def __init__(self, issuer: str, audience: str, jwks: Path) -> None:
        self._issuer, self._audience, self._jwks = issuer, audience, jwks
        self._turn = threading.Lock()
        self._seen = _change_of(jwks)
        self._keys = _read(jwks)

    def claims(self, token: str, now: float) -> dict[str, Any] | None:
        """Return what a token says, None where it is not one of this provider for this hub, now."""
        self._look()
        try:
            read = jwt.decode(token, self._keys, algorithms=list(ALGORITHMS)).claims
        except (JoseError, ValueError):
            return None
        aud = read.get("aud")
        fits = self._audience == aud or (isinstance(aud, list) and self._audience in aud)
        ends, begins = read.get("exp"), read.get("nbf", 0)
        if read.get("iss") != self._issuer or not fits or not _is_time(ends) or not _is_time(begins):
            return None
        return read if begins - _LEEWAY_S <= now < ends + _LEEWAY_S else None

    def _look(self) -> None:
        """Take the keys of a file that has changed; one that cannot be read leaves those that there were."""
        if _change_of(self._jwks) == self._seen:
            return
        with self._turn:  # else the keys of an older change could come last
            change = _change_of(self._jwks)
            if change == self._seen:
                return
            self._seen = change
            try:
                self._keys = _read(self._jwks)
            except UsageError as error:
                _log.warning("%s; the keys of before stay", error)


def _change_of(path: Path) -> tuple[int, int, int] | None:
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_mtime_ns, told.st_size, told.st_ino


def _read(jwks: Path) -> KeySet:
    try:
        keys = KeySet.import_key_set(json.loads(jwks.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError, RecursionError, JoseError) as error:
        hint = "the file that the provider's jwks_uri names"
        raise UsageError("no JWKS can be read", where=Location(str(jwks)), hint=hint) from error
    if any(key.key_type == "oct" for key in keys.keys):
        raise UsageError("a JWKS with a shared secret is not taken", where=Location(str(jwks)))
    return keys


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
