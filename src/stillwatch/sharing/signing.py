"""Signatures over shared objects: DSSE envelopes (secure-systems-lab/dsse v1) with Ed25519, over canonical bytes.

STIX 2.1 has no property for a signature, so the envelope travels beside the object. What is signed are the bytes of
RFC 8785, which everybody can make from the object again; a hub stores and serves the bytes as they came.
"""

import base64
import contextlib
import os
import secrets
import stat
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from securesystemslib import dsse
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import CryptoSigner, Signature, SSlibKey  # type: ignore[attr-defined] # its __init__ re-exports

from stillwatch.errors import Location, PolicyRefusedError, UsageError

PAYLOAD_TYPE = "application/stix+json"
MAX_ENVELOPE = 2_097_152
"""Largest envelope in bytes."""
_MAX_SIGNATURES = 8


class EnvelopeSignature(msgspec.Struct, frozen=True, kw_only=True):
    """One signature: which key (`keyid` names it, and is not trusted) and its bytes in base64."""

    keyid: str = ""
    sig: str


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A DSSE envelope as it travels, in JSON: `payload` and each `sig` in base64."""

    payload: str
    payload_type: str = msgspec.field(name="payloadType")
    signatures: list[EnvelopeSignature]


class Signer:
    """Signs with one Ed25519 key, which lies in a file of its own that nobody else may read."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public_key = raw.hex()
        self._signer = CryptoSigner(key, _public(self.public_key))

    @classmethod
    def make(cls, path: Path) -> "Signer":
        """Make a key and write it to a new file with mode 0600.

        Raises:
            UsageError: the file is there already; a key is never written over.
        """
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write_once(path, pem)
        return cls(key)

    @classmethod
    def load(cls, path: Path) -> "Signer":
        """Read a key from its file.

        Raises:
            UsageError: there is no such file, others may read it, or it holds no Ed25519 key.
        """
        try:
            with path.open("rb") as stream:
                mode, pem = os.fstat(stream.fileno()).st_mode, stream.read(8192)
        except OSError as error:
            raise UsageError(
                f"the signing key cannot be read: {error.strerror}", where=Location(str(path)), hint="make one first"
            ) from error
        if stat.S_IMODE(mode) & 0o077:
            raise UsageError(
                "others may read or write the signing key", where=Location(str(path)), hint=f"chmod 600 {path}"
            )
        with contextlib.suppress(ValueError, TypeError, UnsupportedAlgorithm):
            key = load_pem_private_key(pem, password=None)
            if isinstance(key, Ed25519PrivateKey):
                return cls(key)
        raise UsageError("the file holds no Ed25519 key in PEM", where=Location(str(path)))

    def sign(self, payload: bytes) -> Envelope:
        """Return the envelope over a payload, the canonical bytes of an object."""
        envelope = dsse.Envelope(payload, PAYLOAD_TYPE, {})
        envelope.sign(self._signer)
        return msgspec.convert(envelope.to_dict(), Envelope)


def verify(envelope: Envelope, payload: bytes, public_key: str) -> None:
    """Check that an envelope holds exactly this payload and that this key (32 bytes, hex) signed it.

    Raises:
        PolicyRefusedError: the payload is another, its type is not ours, or no valid signature of the key is there.
        UsageError: the public key is none.
    """
    key = _public(public_key)
    if envelope.payload_type != PAYLOAD_TYPE:
        raise PolicyRefusedError(f"the envelope is not over {PAYLOAD_TYPE}")
    if len(envelope.signatures) > _MAX_SIGNATURES:
        raise PolicyRefusedError(f"an envelope has at most {_MAX_SIGNATURES} signatures")
    if _decoded(envelope.payload) != payload:
        raise PolicyRefusedError("the envelope holds another payload than the object")
    signed = dsse.Envelope(payload, PAYLOAD_TYPE, {}).pae()
    for one in envelope.signatures:
        # The library compares ids of keys, which DSSE calls a hint that nobody may rely on: so each has our key's id.
        signature = Signature(key.keyid, _decoded(one.sig).hex())
        with contextlib.suppress(UnverifiedSignatureError):
            key.verify_signature(signature, signed)
            return
    raise PolicyRefusedError("the object is not signed with the key of its producer")


def read_envelope(raw: bytes) -> Envelope:
    """Return the envelope that bytes of JSON hold.

    Raises:
        PolicyRefusedError: they hold none.
    """
    if len(raw) > MAX_ENVELOPE:
        raise PolicyRefusedError(f"an envelope has at most {MAX_ENVELOPE} bytes")
    try:
        return msgspec.json.decode(raw, type=Envelope)
    except (msgspec.DecodeError, RecursionError) as error:
        raise PolicyRefusedError("these bytes are no DSSE envelope") from error


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise PolicyRefusedError("the envelope is malformed") from error


def _public(public_key: str) -> SSlibKey:
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
    except ValueError as error:
        raise UsageError("a public key is 32 bytes in hex") from error
    return SSlibKey.from_crypto(key)


def _write_once(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, and never in place of another."""
    work = path.with_name(f".work-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        descriptor = os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(f"the signing key cannot be written: {error.strerror}", where=Location(str(path))) from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(work, path)
    except FileExistsError as error:
        raise UsageError("there is a signing key already", where=Location(str(path)), hint="load it") from error
    finally:
        work.unlink()
