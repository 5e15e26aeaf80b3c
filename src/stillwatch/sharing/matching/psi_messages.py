"""What the two sides of a private set intersection send each other: bytes for any channel, sizes and commitments."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from stillwatch.errors import InputRejectedError, PolicyRefusedError
from stillwatch.sharing.matching.suite import NAME

PROTOCOL = "psi-r255-v1"
SIZE_LIMIT = 1 << 20
TAG_BYTES = 16
"""Of an output, what is compared: 10^12 pairs meet by chance once in 10^26 runs."""
CHUNK = 4_096
"""Elements under one proof."""

_SMALLEST = 64
_NONCE_BYTES = 32


class Offer(msgspec.Struct, frozen=True, kw_only=True, tag="offer", forbid_unknown_fields=True):
    """First message of each side: how large its padded set is, and a commitment to it. The audit log keeps both.

    `public_key` is the answerer's one-time key; the asker has none.
    """

    protocol: str
    suite: str
    session: bytes
    size: int
    commitment: bytes
    public_key: bytes = b""


class Question(msgspec.Struct, frozen=True, kw_only=True, tag="question", forbid_unknown_fields=True):
    """The asker's blinded elements, one after the other, and the salt that opens its commitment."""

    session: bytes
    salt: bytes
    blinded: bytes


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag="answer", forbid_unknown_fields=True):
    """The evaluated elements in the question's order, a proof for each chunk, the answerer's sorted tags, its salt."""

    session: bytes
    salt: bytes
    evaluated: bytes
    proofs: bytes
    tags: bytes


Message = TypeVar("Message", Offer, Question, Answer)


def encode(message: Offer | Question | Answer) -> bytes:
    """Return a message as bytes (MessagePack)."""
    return msgspec.msgpack.encode(message)


def decode(data: bytes, kind: type[Message]) -> Message:
    """Read a message of one kind.

    Raises:
        InputRejectedError: it is none.
    """
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InputRejectedError(f"this is no {kind.__name__.lower()} of protocol {PROTOCOL}") from None


def padded_size(count: int) -> int:
    """Return the size to which a set is padded: 8 to 15 times a power of two, so it tells the count within an eighth.

    Raises:
        InputRejectedError: the set is empty or above the limit.
    """
    if not 1 <= count <= SIZE_LIMIT:
        raise InputRejectedError(f"a set has 1 to {SIZE_LIMIT} identifiers, not {count}")
    step = 1 << max(0, (max(count, _SMALLEST) - 1).bit_length() - 4)
    return -(-max(count, _SMALLEST) // step) * step


def check_offer(offer: Offer, limit: int) -> None:
    """Refuse an offer of another protocol or suite, one that is malformed, or a set above `limit` or not padded.

    Raises:
        InputRejectedError: the offer is not what the protocol says.
        PolicyRefusedError: the set is larger than this side allows.
    """
    if offer.protocol != PROTOCOL or offer.suite != NAME:
        raise InputRejectedError("the other side speaks another protocol or suite", hint=f"{PROTOCOL} with {NAME}")
    if len(offer.session) != _NONCE_BYTES or len(offer.commitment) != _NONCE_BYTES:
        raise InputRejectedError("the offer's session or commitment has a wrong length")
    if not 1 <= offer.size <= SIZE_LIMIT or padded_size(offer.size) != offer.size:
        raise InputRejectedError("the offered size is none to which a set is padded")
    if offer.size > limit:
        raise PolicyRefusedError(
            f"the other side's set of {offer.size} is above the limit of {limit}",
            hint="a large set may be a list of guesses; agree on a limit first",
        )


def split_parts(data: bytes, length: int, count: int, name: str) -> list[bytes]:
    """Cut bytes into `count` parts of equal length.

    Raises:
        InputRejectedError: they are not as many as declared.
    """
    if len(data) != length * count:
        raise InputRejectedError(f"the message does not hold the {count} {name} that were declared")
    return [data[start : start + length] for start in range(0, len(data), length)]


def commitment(role: str, session: bytes, public_key: bytes, salt: bytes, parts: Sequence[bytes]) -> bytes:
    """Return what binds a side to its padded set without telling anything of it before the salt is known."""
    digest = hashlib.sha256()
    for field in (PROTOCOL.encode(), role.encode(), session, public_key, salt, len(parts).to_bytes(4, "big")):
        digest.update(len(field).to_bytes(2, "big") + field)
    digest.update(b"".join(sorted(parts)))
    return digest.digest()


def check_commitment(offer: Offer, role: str, salt: bytes, parts: Sequence[bytes]) -> None:
    """Hold a side to what it offered.

    Raises:
        PolicyRefusedError: its set is another than the one that it committed to.
    """
    opened = len(salt) == _NONCE_BYTES and commitment(role, offer.session, offer.public_key, salt, parts)
    if opened != offer.commitment:
        raise PolicyRefusedError(
            f"the {role}'s set is not the one that it committed to", hint="end the session and tell the other side"
        )


def chunks(parts: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Return a sequence in pieces of at most CHUNK."""
    return [parts[start : start + CHUNK] for start in range(0, len(parts), CHUNK)]


def proof_count(size: int) -> int:
    """Return how many proofs cover a set of `size`."""
    return -(-size // CHUNK)
