"""The hub's API for members, beside TAXII: signatures, corrections, keys of members."""

from collections.abc import Iterator, Sequence

import msgspec

from stillwatch.errors import RemoteError
from stillwatch.sharing.clearance.release import Cleared
from stillwatch.sharing.objects.build import is_member_id
from stillwatch.sharing.signing import Envelope, Signer
from stillwatch.sharing.wire.connection import Connection

_AT_ONCE = 500


class Refused(msgspec.Struct):
    """A signature that the hub did not take, and why."""

    sha256: str
    message: str


class _Taken(msgspec.Struct):
    accepted: int
    refused: list[Refused] = []


class Signed(msgspec.Struct, frozen=True):
    """The signature on an object: its envelope, who vouches, and with which key (32 bytes, hex)."""

    envelope: Envelope
    member_id: str
    public_key: str


class _Signatures(msgspec.Struct):
    signatures: dict[str, Signed]


class Correction(msgspec.Struct, frozen=True):
    """What was said later of an object: withdrawn or corrected by its owner, disputed by a reader."""

    object_id: str
    kind: str
    reason: str = ""
    at: str = ""


class _Corrections(msgspec.Struct):
    corrections: list[Correction]
    next: str | None = None
    more: bool = False


class _Members(msgspec.Struct):
    anonymous: str


def hidden_by(connection: Connection) -> str:
    """Return the identity that stands at the hub for members that are not named.

    Raises:
        RemoteError: the hub cannot be reached, or names none.
    """
    found: _Members = connection.decode(connection.get("v1/members"), _Members)
    if not is_member_id(found.anonymous):
        raise RemoteError(f"{connection.url} names nobody for members that are not named", hint="tell its operator")
    return found.anonymous


def register_key(connection: Connection, signer: Signer) -> None:
    """Tell the hub the key by which others can know what this member sends."""
    connection.ask("v1/keys", {"public_key": signer.public_key}, dict)


def sign(connection: Connection, signer: Signer, objects: Sequence[Cleared]) -> None:
    """Send signatures on objects, ahead of the objects, so that nobody sees one without the other.

    Raises:
        RemoteError: the hub took a signature not.
    """
    for start in range(0, len(objects), _AT_ONCE):
        body = {
            "signatures": [
                {"sha256": one.sha256, "envelope": msgspec.to_builtins(signer.sign(one.body))}
                for one in objects[start : start + _AT_ONCE]
            ]
        }
        taken: _Taken = connection.ask("v1/signatures", body, _Taken)
        if taken.refused:
            raise RemoteError(
                f"the hub refused the signature of {taken.refused[0].sha256}: {taken.refused[0].message}",
                hint="is the outbox's signing.key the one that was registered?",
            )


def signatures(connection: Connection, digests: Sequence[str]) -> dict[str, Signed]:
    """Return the signatures on objects, by SHA-256, as far as there are any for this member to see."""
    found: dict[str, Signed] = {}
    for start in range(0, len(digests), _AT_ONCE):
        body = {"sha256": list(digests[start : start + _AT_ONCE])}
        found |= connection.ask("v1/signatures/query", body, _Signatures).signatures
    return found


def corrections(connection: Connection, cursor: str | None) -> Iterator[tuple[list[Correction], str | None]]:
    """Yield corrections since a cursor, each page with the cursor from which to go on once it is kept."""
    while True:
        query = {} if cursor is None else {"after": cursor}
        page: _Corrections = connection.decode(connection.get("v1/corrections", query), _Corrections)
        cursor = page.next or cursor
        yield page.corrections, cursor
        if not page.more:
            return
