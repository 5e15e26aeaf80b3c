"""Signed checkpoints: what a log commits to, as C2SP tlog-checkpoint, signed-note and tlog-cosignature write it.

A log signs twice with one key: the note itself, and the note with a time (cosignature/v1), so that a log that stands
still can be told from one that is withheld. Witnesses add lines of the second kind.
"""

import re
from typing import NamedTuple

from stillwatch.errors import PolicyRefusedError
from stillwatch.transparency.keys import KeyKind, SigningKey, VerifyingKey, decode, encode, is_name
from stillwatch.transparency.tree import HASH_SIZE

MAX_NOTE = 65_536
_MAX_LINES = 128
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_DASH = "— "
_TIMED = "cosignature/v1"
_TIME_SIZE = 8


class Checkpoint(NamedTuple):
    """A state of a log: whose log, number of entries, root of the tree over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{encode(self.root)}\n"


class SignatureLine(NamedTuple):
    """A line below a note: who, with which key, and the signature, which for timed kinds begins with the time."""

    name: str
    key_id: bytes
    signature: bytes


class SignedCheckpoint(NamedTuple):
    """A checkpoint as it was read: with its exact text and the lines below, which prove nothing until `verify`."""

    checkpoint: Checkpoint
    text: bytes
    lines: tuple[SignatureLine, ...]


def is_origin(origin: str) -> bool:
    """Say whether a log may call itself so: a name, and not the word that sets timed signatures apart."""
    return is_name(origin) and origin != _TIMED


def sign(checkpoint: Checkpoint, key: SigningKey, now: float) -> bytes:
    """Return the note with the log's two signatures; `now` in Unix seconds."""
    text = checkpoint.text.encode()
    plain = _line(key.verifying, key.sign(text))
    return text + b"\n" + plain + _timed_line(text, key, now)


def cosign(signed: SignedCheckpoint, key: SigningKey, now: float) -> bytes:
    """Return a witness's line for a checkpoint, to be put below its note; `now` in Unix seconds.

    It signs whatever it is given: who wants to see growth only asks a `Witness`.
    """
    return _timed_line(signed.text, key, now)


def parse(note: bytes) -> SignedCheckpoint:
    """Read a signed checkpoint. Lines of extension are kept in the text and mean nothing here.

    Raises:
        ValueError: it is none; says why.
    """
    if len(note) > MAX_NOTE:
        raise ValueError(f"longer than {MAX_NOTE:,} bytes")
    whole = note.decode("utf-8")  # UnicodeDecodeError is a ValueError
    if any(sign < " " and sign != "\n" for sign in whole):
        raise ValueError("a control character")
    text, blank, below = whole.rpartition("\n\n")
    if not blank or not below.endswith("\n"):
        raise ValueError("no signature below a blank line")
    lines = below[:-1].split("\n")
    if len(lines) > _MAX_LINES:
        raise ValueError(f"more than {_MAX_LINES} signatures")
    return SignedCheckpoint(_checkpoint(text), f"{text}\n".encode(), tuple(_signature(line) for line in lines))


def verify(signed: SignedCheckpoint, key: VerifyingKey) -> int | None:
    """Check that a key signed; lines of other keys are passed over.

    Returns:
        The time that was signed, Unix seconds; None for a key of plain notes.

    Raises:
        PolicyRefusedError: the key did not sign this, or a line under its name is forged.
    """
    times = [
        _check(signed.text, line, key) for line in signed.lines if (line.name, line.key_id) == (key.name, key.key_id)
    ]
    if not times:
        raise PolicyRefusedError(f"no signature of the key {key.name}+{key.key_id.hex()}")
    return times[-1]


def _check(text: bytes, line: SignatureLine, key: VerifyingKey) -> int | None:
    time, signature, message = None, line.signature, text
    if key.kind is KeyKind.TIMED:
        time = int.from_bytes(line.signature[:_TIME_SIZE], "big")
        signature, message = line.signature[_TIME_SIZE:], _timed_message(text, time)
    if not key.verifies(signature, message):
        raise PolicyRefusedError(f"the signature of {key.name}+{key.key_id.hex()} is not over this checkpoint")
    return time


def _timed_line(text: bytes, key: SigningKey, now: float) -> bytes:
    time = int(now)
    signature = key.sign(_timed_message(text, time))
    return _line(key.verifying.timed(), time.to_bytes(_TIME_SIZE, "big") + signature)


def _timed_message(text: bytes, time: int) -> bytes:
    return f"{_TIMED}\ntime {time}\n".encode() + text


def _line(key: VerifyingKey, signature: bytes) -> bytes:
    return f"{_DASH}{key.name} {encode(key.key_id + signature)}\n".encode()


def _checkpoint(text: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) < 3 or not all(lines):
        raise ValueError("not origin, size and root on a line each")
    origin, size, root, *_ = lines
    if _SIZE.fullmatch(size) is None:
        raise ValueError("the size is no number")
    digest = decode(root)
    if len(digest) != HASH_SIZE:
        raise ValueError(f"the root is not of {HASH_SIZE} bytes")
    return Checkpoint(origin, int(size), digest)


def _signature(line: str) -> SignatureLine:
    name, space, data = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not is_name(name):
        raise ValueError("a line below the blank one is no signature")
    signature = decode(data)
    if len(signature) <= 4:
        raise ValueError("a signature is too short")
    return SignatureLine(name, signature[:4], signature[4:])
