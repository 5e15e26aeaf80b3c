"""Signatures on objects: taken from their owners, given to those who see the objects."""

import base64
import binascii
import hashlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from sqlalchemy import Connection, select

from stillwatch.errors import PolicyRefusedError, UsageError
from stillwatch.hub.anonymity import is_anonymous
from stillwatch.hub.api import bodies
from stillwatch.hub.api.journal import write_down
from stillwatch.hub.api.members import LIVE_KEYS, keys_of
from stillwatch.hub.api.subjects import Seen, look
from stillwatch.hub.api.tables import signature
from stillwatch.hub.http import Answer, Call, json_answer
from stillwatch.hub.hub import Hub
from stillwatch.hub.operations import Operation
from stillwatch.hub.storage import schema
from stillwatch.sharing.objects.build import canonical
from stillwatch.sharing.signing import PAYLOAD_TYPE, Envelope, EnvelopeSignature, Signer, verify

MOST = 1000
ANONYMOUS = "anonymous"
_MOST_SIGNATURES = 4096


class Signature(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The envelope over the payload that has this SHA-256: the canonical bytes of an object."""

    sha256: bodies.Digest
    envelope: Envelope


class Signatures(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Signatures by keys of the caller; they may come before the objects."""

    signatures: Annotated[list[Signature], msgspec.Meta(min_length=1, max_length=MOST)]


class Refused(msgspec.Struct, kw_only=True):
    """A signature that is not taken, and why."""

    sha256: str
    message: str


class Outcome(msgspec.Struct, kw_only=True):
    """How many signatures were taken, and the others."""

    accepted: int
    refused: list[Refused]


class Wanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Digests of objects."""

    sha256: Annotated[list[bodies.Digest], msgspec.Meta(min_length=1, max_length=MOST)]


class Signed(msgspec.Struct, kw_only=True):
    """A signature: by whom, and with which key. Of an anonymous contribution it is the hub's."""

    envelope: Envelope
    member_id: str
    public_key: str


class Found(msgspec.Struct, kw_only=True):
    """The signatures that there are, by SHA-256."""

    signatures: dict[str, Signed]


class _Named(msgspec.Struct):
    id: bodies.ObjectId


class _Good(msgspec.Struct, frozen=True):
    sha256: bytes
    object_id: str
    public_key: str
    signatures: bytes


class Book:
    """Handlers for signatures."""

    def __init__(self, hub: Hub, signer: Signer) -> None:
        self._hub, self._signer = hub, signer

    def operations(self) -> list[Operation]:
        """Return the operations."""
        errors = (400, 413, 422)
        return [
            Operation("/v1/signatures", "post", "Sign objects.", self.add, Signatures, ((200, Outcome),), errors),
            Operation(
                "/v1/signatures/query",
                "post",
                "The signatures on objects that one may see.",
                self.query,
                Wanted,
                ((200, Found),),
                errors,
            ),
        ]

    def add(self, call: Call) -> Answer:
        """Take signatures, each for itself."""
        given = bodies.read(call.body, Signatures).signatures
        with self._hub.storage.reading() as db:
            keys = keys_of(db, call.member)[:LIVE_KEYS]
        good: dict[bytes, _Good] = {}
        refused: list[Refused] = []
        for one in given:
            try:
                made = _checked(one, keys)
                good[made.sha256] = made
            except PolicyRefusedError as error:
                refused.append(Refused(sha256=one.sha256, message=error.message))
        if good:
            with self._hub.storage.writing() as db:
                self._keep(db, call, good)
        return json_answer(Outcome(accepted=len(given) - len(refused), refused=refused))

    def query(self, call: Call) -> Answer:
        """Answer the signatures of owners on objects that the caller may see."""
        wanted = {bytes.fromhex(one) for one in bodies.read(call.body, Wanted).sha256}
        found: dict[str, Signed] = {}
        with self._hub.storage.reading() as db:
            rows = db.execute(select(signature).where(signature.c.sha256.in_(sorted(wanted)))).all()
            names = _names(db, {row.member for row in rows})
            signed: dict[tuple[str, int], list[Any]] = defaultdict(list)
            for row in rows:
                signed[row.object_id, row.member].append(row)
            for one in look(db, call.member, {row.object_id for row in rows}, every=True):
                for row in signed[one.found.id, one.owner]:
                    payload = _payload(one, bytes(row.sha256))
                    if payload is not None:
                        found[bytes(row.sha256).hex()] = self._signed(one, payload, row, names)
        return json_answer(Found(signatures=found))

    def _keep(self, db: Connection, call: Call, good: dict[bytes, _Good]) -> None:
        table, mine = signature, signature.c.member == call.member.number
        db.execute(table.delete().where(mine, table.c.sha256.in_(sorted(good))))
        rows = [{**msgspec.structs.asdict(one), "member": call.member.number} for one in good.values()]
        db.execute(table.insert(), rows)
        digests = [one.hex() for one in sorted(good)]
        write_down(db, self._hub.storage, "statement.added", member=call.member.member_id, signed=digests)

    def _signed(self, one: Seen, payload: bytes, row: Any, names: dict[int, str]) -> Signed:
        if is_anonymous(one.item):
            envelope = self._signer.sign(payload)
            return Signed(envelope=envelope, member_id=ANONYMOUS, public_key=self._signer.public_key)
        signatures = msgspec.json.decode(row.signatures, type=list[EnvelopeSignature])
        envelope = Envelope(payload=_base64(payload), payload_type=PAYLOAD_TYPE, signatures=signatures)
        return Signed(envelope=envelope, member_id=names[row.member], public_key=row.public_key)


def _checked(given: Signature, keys: list[str]) -> _Good:
    """Return a signature that is what it says.

    Raises:
        PolicyRefusedError: it is not; says why.
    """
    try:
        payload = base64.b64decode(given.envelope.payload, validate=True)
        name = msgspec.json.decode(payload, type=_Named).id
    except (binascii.Error, ValueError, UnicodeError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise PolicyRefusedError("the payload is no object of STIX") from error
    if hashlib.sha256(payload).hexdigest() != given.sha256:
        raise PolicyRefusedError("the payload has another SHA-256")
    signatures = msgspec.json.encode(given.envelope.signatures)
    if len(signatures) > _MOST_SIGNATURES:
        raise PolicyRefusedError("its signatures are too long")
    return _Good(bytes.fromhex(given.sha256), name, _key_of(given.envelope, payload, keys), signatures)


def _key_of(envelope: Envelope, payload: bytes, keys: list[str]) -> str:
    refused = PolicyRefusedError("you have no key to sign with", hint="POST /v1/keys")
    for public_key in keys:
        try:
            verify(envelope, payload, public_key)
        except (PolicyRefusedError, UsageError) as error:
            refused = PolicyRefusedError(error.message)
        else:
            return public_key
    raise refused


def _payload(one: Seen, sha256: bytes) -> bytes | None:
    """Return the bytes of an object that have this digest: as it was posted, or canonical."""
    if hashlib.sha256(one.found.raw).digest() == sha256:
        return one.found.raw
    try:
        made = canonical(one.item)
    except UsageError:
        return None
    return made if hashlib.sha256(made).digest() == sha256 else None


def _names(db: Connection, numbers: Iterable[int]) -> dict[int, str]:
    """Return the ids of members, also of those who left: what they signed stays."""
    table = schema.member
    rows = db.execute(select(table.c.number, table.c.member_id).where(table.c.number.in_(sorted(numbers))))
    return {row.number: row.member_id for row in rows}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
