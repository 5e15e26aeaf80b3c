"""ristretto255 by libsodium (rbcl): the group operations that the suite needs, and RFC 9497's hashes to the group.

Points are canonical encodings and scalars little-endian numbers, both of 32 bytes. rbcl hides it when libsodium
refuses a bad point in an addition, so what comes from outside goes through `is_element` or `multiply` first.
"""

import hashlib
from collections.abc import Sequence

import rbcl

from stillwatch.errors import InputRejectedError
from stillwatch.sharing.matching.suite import CONTEXT, ELEMENT_BYTES, SCALAR_BYTES

ORDER = 2**252 + 27742317777372353535851937790883648493
_TO_GROUP = b"HashToGroup-" + CONTEXT
_TO_SCALAR = b"HashToScalar-" + CONTEXT
_DERIVE = b"DeriveKeyPair" + CONTEXT
_BLANK_BLOCK = hashlib.sha512(bytes(128))


def _expand(message: bytes, tag: bytes) -> bytes:
    """Return 64 bytes of `expand_message_xmd` with SHA-512 (RFC 9380, 5.3.1)."""
    suffix = tag + len(tag).to_bytes(1, "big")
    first = _BLANK_BLOCK.copy()
    first.update(message + b"\x00\x40\x00" + suffix)
    return hashlib.sha512(first.digest() + b"\x01" + suffix).digest()


def hash_to_group(value: bytes) -> bytes:
    """Map bytes to a point whose logarithm nobody knows."""
    return bytes(rbcl.crypto_core_ristretto255_from_hash(_expand(value, _TO_GROUP)))


def hash_to_scalar(value: bytes, tag: bytes = _TO_SCALAR) -> bytes:
    """Map bytes to a scalar."""
    return bytes(rbcl.crypto_core_ristretto255_scalar_reduce(_expand(value, tag)))


def derive_scalar(seed: bytes, info: bytes) -> bytes:
    """Return the private key of a seed (32 bytes) and a public label, as DeriveKeyPair of RFC 9497 (3.2.1) does."""
    prefix = seed + len(info).to_bytes(2, "big") + info
    for counter in range(256):
        scalar = hash_to_scalar(prefix + counter.to_bytes(1, "big"), _DERIVE)
        if any(scalar):  # pragma: no branch - once in 2^252 seeds
            return scalar
    raise InputRejectedError("no key can be derived from this seed")  # pragma: no cover - once in 2^64000 seeds


def check_scalar(scalar: bytes) -> None:
    """Refuse what is no number from 1 to the order of the group less one.

    Raises:
        InputRejectedError: it is none; the number is not told.
    """
    if len(scalar) != SCALAR_BYTES or not 0 < int.from_bytes(scalar, "little") < ORDER:
        raise InputRejectedError(
            "a private key is a number from 1 to the order of ristretto255 less one",
            hint="32 bytes, little-endian, as skSm in the vectors of RFC 9497",
        )


def is_element(point: bytes) -> bool:
    """Tell whether bytes encode a point other than the identity."""
    return _one_way_to_write(point) and any(point) and bool(rbcl.crypto_core_ristretto255_is_valid_point(point))


def _one_way_to_write(point: bytes) -> bool:
    """Tell whether the length is right and the highest bit 0, which the libsodium that rbcl brings (1.0.18) ignores."""
    return len(point) == ELEMENT_BYTES and point[-1] < 0x80


def multiply(scalar: bytes, point: bytes) -> bytes | None:
    """Return scalar * point, or None where the point is not valid or the product the identity."""
    if not _one_way_to_write(point):
        return None
    try:
        return bytes(rbcl.crypto_scalarmult_ristretto255(scalar, point))
    except RuntimeError:
        return None


def random_element() -> bytes:
    """Return a point that nobody can tell from a blinded one."""
    return bytes(rbcl.crypto_core_ristretto255_random())


def multiply_base(scalar: bytes) -> bytes:
    """Return scalar * generator; the scalar is not zero."""
    return bytes(rbcl.crypto_scalarmult_ristretto255_base(scalar))


def add(one: bytes, other: bytes) -> bytes:
    """Return the sum of two valid points."""
    return bytes(rbcl.crypto_core_ristretto255_add(one, other))


def random_scalar() -> bytes:
    """Return a scalar other than zero that nobody can guess."""
    return bytes(rbcl.crypto_core_ristretto255_scalar_random())


def subtract_scalars(one: bytes, other: bytes) -> bytes:
    """Return one - other."""
    return bytes(rbcl.crypto_core_ristretto255_scalar_sub(one, other))


def multiply_scalars(one: bytes, other: bytes) -> bytes:
    """Return one * other."""
    return bytes(rbcl.crypto_core_ristretto255_scalar_mul(one, other))


def invert_all(scalars: Sequence[bytes]) -> list[bytes]:
    """Return the inverse of each scalar, none of which is zero: one inversion in all, and three products each."""
    if not scalars:
        return []
    products = [scalars[0]]
    for scalar in scalars[1:]:
        products.append(multiply_scalars(products[-1], scalar))
    rest = bytes(rbcl.crypto_core_ristretto255_scalar_invert(products[-1]))
    inverses = []
    for index in range(len(scalars) - 1, 0, -1):
        inverses.append(multiply_scalars(rest, products[index - 1]))
        rest = multiply_scalars(rest, scalars[index])
    inverses.append(rest)
    return inverses[::-1]


def output_of(value: bytes, element: bytes) -> bytes:
    """Return the output for an input and its evaluation without the blind (Finalize of RFC 9497, 3.3.2)."""
    hashed = len(value).to_bytes(2, "big") + value + b"\x00\x20" + element + b"Finalize"
    return hashlib.sha512(hashed).digest()
