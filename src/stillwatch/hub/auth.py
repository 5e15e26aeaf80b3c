"""Who asks: by a token of the hub, by a token of an OIDC provider, or by Basic for clients that know no other way."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Any

from stillwatch.hub.http import HubError
from stillwatch.hub.members import Known, Member, find_subject, find_token
from stillwatch.hub.oidc import Provider
from stillwatch.hub.storage.storage import Storage

_CHALLENGE = {"www-authenticate": 'Bearer realm="stillwatch hub", Basic realm="stillwatch hub", charset="UTF-8"'}


class Authenticator:
    """Tells who asks. Every call looks at the table, so that a member who was removed is nobody at once."""

    def __init__(
        self, storage: Storage, provider: Provider | None = None, certificate_header: str | None = None
    ) -> None:
        """`certificate_header`: where a trusted proxy puts the SHA-256 of the client's certificate (base64url)."""
        self._storage, self._provider = storage, provider
        self._certificate_header = None if certificate_header is None else certificate_header.lower()

    def member_of(self, headers: Mapping[str, str]) -> Member:
        """Return who asks.

        Raises:
            HubError: 401, nobody that is known.
        """
        kind, _, given = headers.get("authorization", "").partition(" ")
        given = given.strip()
        known = None
        if kind.lower() == "bearer" and given:
            known = self._by_token(given)
        elif kind.lower() == "basic" and given:
            known = self._by_password(given)
        if known is None or not self._holds(known.certificate, headers):
            raise HubError(401, "who asks is not known", "Authorization: Bearer, with a member's token", _CHALLENGE)
        return known.member

    def _by_token(self, token: str) -> Known | None:
        now = self._storage.now()
        if self._provider is not None and token.count(".") == 2:
            claims = self._provider.claims(token, now)
            return None if claims is None else self._by_claims(claims)
        with self._storage.reading() as db:
            return find_token(db, token, now)

    def _by_claims(self, claims: Mapping[str, Any]) -> Known | None:
        subject, bound = claims.get("sub"), claims.get("cnf")
        certificate = bound.get("x5t#S256") if isinstance(bound, dict) else None
        if not isinstance(subject, str) or (bound is not None and not isinstance(certificate, str)):
            return None  # bound to something that we cannot check
        with self._storage.reading() as db:
            member = find_subject(db, subject)
        return None if member is None else Known(member=member, certificate=certificate)

    def _by_password(self, given: str) -> Known | None:
        try:
            name, _, password = base64.b64decode(given, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        with self._storage.reading() as db:
            known = find_token(db, password, self._storage.now())
        return known if known is not None and name in {known.member.name, known.member.member_id} else None

    def _holds(self, certificate: str | None, headers: Mapping[str, str]) -> bool:
        if certificate is None:
            return True
        shown = headers.get(self._certificate_header, "") if self._certificate_header is not None else ""
        return hmac.compare_digest(certificate.rstrip("=").encode(), shown.strip().rstrip("=").encode())
