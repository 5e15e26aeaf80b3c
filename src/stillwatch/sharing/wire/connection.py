"""A member's connection to a hub: HTTPS with a token, safe retries, errors that a person can act on."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple, Self
from urllib.parse import urljoin, urlsplit

import msgspec
import urllib3
from urllib3.util import Retry, Timeout

from stillwatch.errors import RemoteError, UsageError

JSON = "application/json"
TAXII = "application/taxii+json;version=2.1"
_ATTEMPTS = 6
_NOT_DONE = 300
_BUSY = (429, 502, 503, 504)
_LONGEST_WAIT_S = 20
_MOST_BYTES = 256 * 1024 * 1024
_LOOPBACK = frozenset(("127.0.0.1", "::1", "localhost"))


class RefusedError(RemoteError):
    """The hub answered and refused this one request (400 to 499); others may fare better."""


class AbsentError(RefusedError):
    """It is not there, or not for this member (404)."""


class ForbiddenError(RefusedError):
    """This member may not do that (403)."""


class Credentials(NamedTuple):
    """What a hub knows a member by: a token, and where the hub wants it a certificate with its key (PEM files).

    `authority` is a file of certificates that are trusted instead of the system's.
    """

    token: str
    certificate: str | None = None
    key: str | None = None
    authority: str | None = None


class Reply(NamedTuple):
    """An answer that is no error."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """Calls to one hub. Requests are repeated while the hub is busy or away, which all of its routes allow.

    Raises:
        UsageError: the address is none, or would send the token in clear over a network.
    """

    def __init__(self, url: str, credentials: Credentials) -> None:
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{url!r} is no address of a hub", hint="give one such as https://hub.example")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise UsageError(
                f"{url} would send the token in clear", hint="give an https address; http is for this machine alone"
            )
        self.url = url.rstrip("/") + "/"
        self._origin = (parts.scheme, parts.netloc)
        self._headers = {"authorization": f"Bearer {credentials.token}", "accept-encoding": "gzip"}
        self._pool = urllib3.PoolManager(
            timeout=Timeout(connect=10, read=120),
            retries=Retry(
                total=_ATTEMPTS,
                status_forcelist=_BUSY,
                allowed_methods=None,
                backoff_factor=0.3,
                backoff_max=_LONGEST_WAIT_S,
                backoff_jitter=0.2,
                retry_after_max=_LONGEST_WAIT_S,  # a quota that is spent for today is told, not waited for
                raise_on_status=False,
            ),
            cert_file=credentials.certificate,
            key_file=credentials.key,
            ca_certs=credentials.authority,
        )

    @classmethod
    def from_environment(cls, url: str, token: str | None) -> Self:
        """Connect with a token, and the certificates that STILLWATCH_HUB_CERTIFICATE, _KEY and _AUTHORITY name.

        Raises:
            UsageError: there is no token.
        """
        token = (token or "").strip()  # a file that it was read from ends with a line end
        if not token or not token.isascii() or not token.isprintable():
            what = "no token for the hub" if not token else "the token for the hub holds what no token holds"
            raise UsageError(what, hint="set STILLWATCH_HUB_TOKEN to what `hub member add` printed")
        named = (os.environ.get(f"STILLWATCH_HUB_{name}") for name in ("CERTIFICATE", "KEY", "AUTHORITY"))
        return cls(url, Credentials(token, *named))

    def get(self, path: str, query: Mapping[str, str] | None = None, media_type: str = JSON) -> Reply:
        """Ask for a resource below the hub's address, or at an address that the hub gave."""
        return self._call("GET", path, query=query, media_type=media_type)

    def post(self, path: str, body: bytes, media_type: str = JSON) -> Reply:
        """Post a body."""
        return self._call("POST", path, body=body, media_type=media_type)

    def delete(self, path: str, media_type: str = JSON) -> Reply:
        """Delete what is at a path."""
        return self._call("DELETE", path, media_type=media_type)

    def ask(self, path: str, body: Any, kind: Any) -> Any:
        """Post a value as JSON and decode the answer.

        Raises:
            RemoteError: the hub refused, or answered something else.
        """
        return self.decode(self.post(path, msgspec.json.encode(body)), kind)

    def decode(self, reply: Reply, kind: Any) -> Any:
        """Decode the JSON of an answer."""
        try:
            return msgspec.json.decode(reply.body, type=kind)
        except msgspec.MsgspecError as error:
            raise RemoteError(f"{self.url} answered what no hub does: {error}", hint="is it a hub?") from error

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self.close()

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        media_type: str = JSON,
    ) -> Reply:
        try:
            address = urljoin(self.url, path)
            origin = urlsplit(address)[:2]
        except ValueError:
            address, origin = "", ("", "")
        if origin != self._origin:  # a hub cannot send the token elsewhere
            raise RemoteError(f"{self.url} names an address that is not its own", hint="tell the hub's operator")
        headers = {**self._headers, "accept": media_type} | ({} if body is None else {"content-type": media_type})
        try:
            answer = self._pool.request(
                method,
                address,
                body=body,
                fields=None if body is not None else dict(query or {}),
                headers=headers,
                redirect=False,  # the token goes to no address but the hub's
                preload_content=False,
            )
            content = answer.read(_MOST_BYTES + 1, decode_content=True)
            answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise RemoteError(
                f"{self.url} cannot be reached: {type(error).__name__}", hint="is the hub up, and the address right?"
            ) from error
        if len(content) > _MOST_BYTES:
            raise RemoteError(f"{self.url} answers more than {_MOST_BYTES:,} bytes at once", hint="tell its operator")
        if answer.status >= _NOT_DONE:
            raise _refusal(self.url, answer.status, content)
        return Reply(answer.status, {name.lower(): value for name, value in answer.headers.items()}, content)


class _Problem(msgspec.Struct):
    title: str = ""
    description: str = ""


def _refusal(url: str, status: int, content: bytes) -> RemoteError:
    try:
        told = msgspec.json.decode(content, type=_Problem)
    except msgspec.MsgspecError:
        told = _Problem()
    words = " ".join(f"{told.title}: {told.description}".split())[:300].rstrip(": ")
    hint = {
        401: "the token is not known, or has run out: `hub member rotate` makes a new one",
        403: "this member may not do that",
        404: "it is not there, or not for this member",
    }.get(status, "the hub says why")
    refused = RefusedError if 400 <= status < 500 and status not in (401, *_BUSY) else RemoteError
    kind = {403: ForbiddenError, 404: AbsentError}.get(status, refused)
    return kind(f"{url} refused ({status}){': ' + words if words else ''}", hint=hint)
