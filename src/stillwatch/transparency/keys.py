"""Ed25519 keys of signed notes, in the text format of C2SP signed-note.

A public key reads `name+id+base64`, a private one `PRIVATE+KEY+name+id+base64`. The id is the start of a hash over
name, kind and key: it finds the key to check with and proves nothing.
"""

import base64
import binascii
import contextlib
import hashlib
import os
import tempfile
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stillwatch.errors import Location, UsageError
from stillwatch.files import replace_file
from stillwatch.transparency.durable import sync_directory

_PRIVATE = "PRIVATE+KEY+"
_KEY_SIZE = 32


class KeyKind(IntEnum):
    """What a signature of a key says: a note, or a checkpoint at a time (C2SP tlog-cosignature)."""

    NOTE = 1
    TIMED = 4


class VerifyingKey(NamedTuple):
    """A public key: name, kind, and 32 bytes."""

    name: str
    kind: KeyKind
    public: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes that find this key among others."""
        return hashlib.sha256(f"{self.name}\n".encode() + bytes([self.kind]) + self.public).digest()[:4]

    @property
    def text(self) -> str:
        """The key as text."""
        return f"{self.name}+{self.key_id.hex()}+{encode(bytes([self.kind]) + self.public)}"

    def timed(self) -> "VerifyingKey":
        """Return the key under which its owner signs with a time."""
        return self._replace(kind=KeyKind.TIMED)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Say whether a signature over a message is of this key."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """A private key and its name; it never shows in text but by `text`."""

    def __init__(self, name: str, seed: bytes) -> None:
        """Take a seed of 32 bytes.

        Raises:
            UsageError: the name has a space or a plus sign, or is empty.
        """
        if not is_name(name):
            raise UsageError("the name of a key has neither spaces nor plus signs and is not empty")
        self.name = name
        self._private = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def verifying(self) -> VerifyingKey:
        """The public part, for notes; `.timed()` for what is signed with a time."""
        return VerifyingKey(self.name, KeyKind.NOTE, self._private.public_key().public_bytes_raw())

    @property
    def text(self) -> str:
        """The private key as text: a secret."""
        secret = bytes([KeyKind.NOTE]) + self._private.private_bytes_raw()
        return f"{_PRIVATE}{self.name}+{self.verifying.key_id.hex()}+{encode(secret)}"

    def sign(self, message: bytes) -> bytes:
        """Sign bytes: 64 bytes."""
        return self._private.sign(message)


def parse_verifying_key(text: str) -> VerifyingKey:
    """Read a public key.

    Raises:
        UsageError: the text is none.
    """
    name, key_id, kind, public = _fields(text.strip(), "public key")
    key = VerifyingKey(name, kind, public)
    if key.key_id != key_id:
        raise UsageError("the id in the key is not that of the key: it was changed or cut")
    return key


def parse_signing_key(text: str) -> SigningKey:
    """Read a private key.

    Raises:
        UsageError: the text is none.
    """
    stripped = text.strip()
    if not stripped.startswith(_PRIVATE):
        raise _no_key("private key")
    name, key_id, _, seed = _fields(stripped.removeprefix(_PRIVATE), "private key")
    key = SigningKey(name, seed)
    if key.verifying.key_id != key_id:
        raise UsageError("the id in the key is not that of the key: it was changed or cut")
    return key


def load_signing_key(path: Path, name: str) -> SigningKey:
    """Read the private key in a file, or make one under `name`; the file is for its owner alone (mode 0600).

    Raises:
        UsageError: the file holds no private key, or other users may read it.
    """
    with contextlib.suppress(FileNotFoundError):
        return _read(path)
    descriptor, work = tempfile.mkstemp(prefix=".work-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(SigningKey(name, os.urandom(_KEY_SIZE)).text.encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(FileExistsError):  # another process was quicker: its key is the key
            path.hardlink_to(work)
    finally:
        Path(work).unlink()
    sync_directory(path.parent)
    return _read(path)


def keep_verifying_key(directory: Path, key: SigningKey) -> None:
    """Write a log's public key beside its directory, as `<directory>.pub`, for whoever verifies it."""
    path = verifying_key_of(directory)
    text = key.verifying.text.encode() + b"\n"
    if not path.is_file() or path.read_bytes() != text:
        replace_file(path, text)


def verifying_key_of(directory: Path) -> Path:
    """Return the file in which the public key of the log in a directory is kept."""
    return directory.with_name(f"{directory.name}.pub")


def _read(path: Path) -> SigningKey:
    if path.stat().st_mode & 0o077:
        raise UsageError("a private key that others may read", where=Location(str(path)), hint="chmod 600")
    try:
        return parse_signing_key(path.read_text(encoding="utf-8"))
    except (UsageError, UnicodeDecodeError):
        raise UsageError("no private key of a log", where=Location(str(path))) from None


def _fields(text: str, what: str) -> tuple[str, bytes, KeyKind, bytes]:
    try:
        name, key_id, data = text.split("+", 2)
        decoded = decode(data)
        kind = KeyKind(decoded[0])
        identity = bytes.fromhex(key_id)
    except (ValueError, IndexError):
        raise _no_key(what) from None
    if not is_name(name) or len(decoded) != 1 + _KEY_SIZE or identity.hex() != key_id:
        raise _no_key(what)
    return name, identity, kind, decoded[1:]


def _no_key(what: str) -> UsageError:
    return UsageError(f"no {what} of a log", hint="it reads name+id+base64, on one line")


def is_name(name: str) -> bool:
    """Say whether a name may stand in a signature: no spaces, no control characters, no plus sign, not empty."""
    return bool(name) and all(sign.isprintable() and not sign.isspace() and sign != "+" for sign in name)


def encode(data: bytes) -> str:
    """Return bytes in base64."""
    return base64.b64encode(data).decode("ascii")


def decode(text: str) -> bytes:
    """Return the bytes of base64 that is written as `encode` writes it, so that equal bytes have one text.

    Raises:
        ValueError: it is not.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("no base64") from None
    if encode(data) != text:
        raise ValueError("base64 with bits to spare")
    return data
