"""Private keys of the token service: a number or a seed, whole or as two shares that two parties hold."""

import secrets
from typing import NoReturn

from stillwatch.errors import InputRejectedError
from stillwatch.sharing.matching import group
from stillwatch.sharing.matching.suite import SCALAR_BYTES
from stillwatch.sharing.matching.suite_rbcl import SodiumEvaluator

SEED_BYTES = 32


class Key:
    """A private key, given as a number (32 bytes, little-endian). It does not show itself, and is not pickled.

    Raises:
        InputRejectedError: zero, or not below the order of the group.
    """

    __slots__ = ("_scalar", "evaluator")

    def __init__(self, scalar: bytes) -> None:
        self.evaluator = SodiumEvaluator(scalar)
        self._scalar = scalar

    @property
    def public_key(self) -> bytes:
        """The element that stands for the key, 32 bytes."""
        return self.evaluator.public_key

    @property
    def public_hex(self) -> str:
        """The public key as it is published."""
        return self.public_key.hex()

    def secret_hex(self) -> str:
        """Return the number, for the file of its holder and nothing else."""
        return self._scalar.hex()

    def __repr__(self) -> str:
        return f"Key(public {self.public_hex})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")

    def split(self) -> tuple["Key", "Key"]:
        """Return two shares whose evaluations add up to this key's; neither says anything about it alone."""
        while True:
            share = group.random_scalar()
            rest = group.subtract_scalars(self._scalar, share)
            if any(rest):  # pragma: no branch - once in 2^252 splits
                return Key(share), Key(rest)


def derive(seed: bytes, info: bytes) -> Key:
    """Return the key of a seed and a public label (DeriveKeyPair of RFC 9497, 3.2.1).

    Raises:
        InputRejectedError: the seed has another length than 32 bytes, or the label is too long.
    """
    if len(seed) != SEED_BYTES or len(info) > 1024:
        raise InputRejectedError(f"a key is derived from {SEED_BYTES} bytes and a label of at most 1,024")
    return Key(group.derive_scalar(seed, info))


def generate() -> Key:
    """Return a new key."""
    return derive(secrets.token_bytes(SEED_BYTES), b"")


def read_key(text: str) -> Key:
    """Read a key from hex, as `STILLWATCH_HUB_OPRF_KEY` gives it (the vectors' skSm).

    Raises:
        InputRejectedError: it is no hex, or no key; the text is not repeated.
    """
    try:
        scalar = bytes.fromhex(text)
    except ValueError:
        scalar = b""
    if len(scalar) != SCALAR_BYTES:
        raise InputRejectedError("a private key is 64 hexadecimal digits", hint="check STILLWATCH_HUB_OPRF_KEY")
    return Key(scalar)


def sum_of_public_keys(one: bytes, other: bytes) -> bytes:
    """Return the public key of the whole from those of two shares.

    Raises:
        InputRejectedError: one is no element, or they cancel out.
    """
    if not group.is_element(one) or not group.is_element(other):
        raise InputRejectedError("a share's public key is no element of ristretto255")
    total = group.add(one, other)
    if not any(total):
        raise InputRejectedError("the shares' public keys cancel out")
    return total
