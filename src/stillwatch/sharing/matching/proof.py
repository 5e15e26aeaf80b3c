"""The proof that one key evaluated a whole batch: equality of discrete logarithms (RFC 9497, 2.2), non-interactive."""

import hashlib
from collections.abc import Sequence

from stillwatch.sharing.matching import group
from stillwatch.sharing.matching.multiscalar import weighted_sum
from stillwatch.sharing.matching.suite import (
    CONTEXT,
    Evaluation,
    check_evaluation,
    refused_element,
    refused_proof,
    refused_public_key,
)

_SEED_TAG = b"Seed-" + CONTEXT


def _sized(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def _weights(public_key: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes]) -> list[bytes]:
    """Return the scalars by which a batch becomes one pair of elements."""
    seed = hashlib.sha512(_sized(public_key, _SEED_TAG)).digest()
    prefix = _sized(seed)
    return [
        group.hash_to_scalar(prefix + index.to_bytes(2, "big") + b"\x00\x20" + one + b"\x00\x20" + other + b"Composite")
        for index, (one, other) in enumerate(zip(blinded, evaluated, strict=True))
    ]


def _challenge(public_key: bytes, composites: Sequence[bytes], commitments: Sequence[bytes]) -> bytes:
    return group.hash_to_scalar(_sized(public_key, *composites, *commitments) + b"Challenge")


def prove(
    scalar: bytes, public_key: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes], nonce: bytes | None = None
) -> bytes:
    """Return the proof (64 bytes) that each evaluated element is `scalar` times its blinded one.

    Args:
        scalar: the private key.
        public_key: the element that stands for it.
        blinded: elements that were checked.
        evaluated: what was made of them, in order.
        nonce: the r of the RFC, for its vectors only: whoever knows it, or sees it twice, has the key.
    """
    nonce = nonce or group.random_scalar()
    weights = b"".join(_weights(public_key, blinded, evaluated))
    first = weighted_sum(b"".join(blinded), weights)
    second, committed = group.multiply(scalar, first), group.multiply(nonce, first)
    if second is None or committed is None:  # pragma: no cover - once in 2^252 batches
        raise ArithmeticError("the elements of this batch cancel out")
    challenge = _challenge(public_key, (first, second), (group.multiply_base(nonce), committed))
    return challenge + group.subtract_scalars(nonce, group.multiply_scalars(challenge, scalar))


def verify(evaluation: Evaluation, public_key: bytes, blinded: Sequence[bytes]) -> None:
    """Hold an evaluation of `blinded` to its proof: the key of `public_key` made each element from the one it answers.

    Raises:
        InputRejectedError: the evaluation or the public key is malformed.
        PolicyRefusedError: the proof does not hold.
    """
    check_evaluation(evaluation, len(blinded))
    if not group.is_element(public_key):
        raise refused_public_key()
    for index, element in enumerate(evaluation.elements):
        if not any(element):  # what is no element at all is found where they are summed
            raise refused_element(index)
    if not _holds(evaluation.proof, public_key, blinded, evaluation.elements):
        raise refused_proof()


def _holds(proof: bytes, public_key: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes]) -> bool:
    challenge, response = proof[:32], proof[32:]
    if not all(0 < int.from_bytes(number, "little") < group.ORDER for number in (challenge, response)):
        return False
    weights = b"".join(_weights(public_key, blinded, evaluated))
    first, second = weighted_sum(b"".join(blinded), weights), weighted_sum(b"".join(evaluated), weights)
    parts = [group.multiply(challenge, point) for point in (public_key, second)]
    others = [group.multiply_base(response), group.multiply(response, first)]
    pairs = [(one, other) for one, other in zip(others, parts, strict=True) if one is not None and other is not None]
    commitments = [group.add(one, other) for one, other in pairs]
    return len(pairs) == 2 and _challenge(public_key, (first, second), commitments) == challenge
