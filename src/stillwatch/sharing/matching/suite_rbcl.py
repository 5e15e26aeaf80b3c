"""The suite on libsodium (rbcl): what key holders and clients use, whether the key is whole or split.

libsodium works without the interpreter's lock, so threads on several cores add up.
"""

from collections.abc import Sequence

from stillwatch.errors import InputRejectedError
from stillwatch.sharing.matching import group, proof
from stillwatch.sharing.matching.suite import (
    Evaluation,
    check_batch,
    check_inputs,
    refused_element,
)


class SodiumEvaluator:
    """Evaluates with the private key `scalar` (32 bytes, little-endian).

    Raises:
        InputRejectedError: it is zero or not below the order of the group.
    """

    def __init__(self, scalar: bytes) -> None:
        group.check_scalar(scalar)
        self._scalar = scalar
        self._public_key = group.multiply_base(scalar)

    @property
    def public_key(self) -> bytes:
        """The element that stands for the key."""
        return self._public_key

    def evaluate(self, blinded: Sequence[bytes], nonce: bytes | None = None) -> Evaluation:
        """Evaluate a batch and prove it; `nonce` is for the RFC's vectors only (see `prove`).

        Raises:
            InputRejectedError: the batch is empty or too long, or holds what is no element or the identity.
        """
        check_batch(blinded)
        evaluated = _multiply_each(self._scalar, blinded)
        return Evaluation(
            elements=evaluated, proof=proof.prove(self._scalar, self._public_key, blinded, evaluated, nonce)
        )


class SodiumBlinding:
    """Hides `inputs`, with `padding` random elements after them that have no output.

    `blinds` are given only for the RFC's vectors.
    """

    def __init__(self, inputs: Sequence[bytes], blinds: Sequence[bytes] | None = None, padding: int = 0) -> None:
        if inputs or not padding:
            check_inputs(inputs)
        self._inputs = inputs
        self._blinds = blinds or [group.random_scalar() for _ in inputs]
        points = [group.multiply(blind, group.hash_to_group(v)) for blind, v in zip(self._blinds, inputs, strict=True)]
        self._blinded = [point for point in points if point is not None]
        if len(self._blinded) != len(inputs):  # pragma: no cover - nobody can find such an input
            raise InputRejectedError("an input is mapped to the identity")
        self._blinded += [group.random_element() for _ in range(padding)]

    @property
    def blinded(self) -> Sequence[bytes]:
        """What the key holder gets: one element for each input, in order, and the padding."""
        return self._blinded

    def finalize(self, evaluation: Evaluation, public_key: bytes) -> list[bytes]:
        """Return the outputs if the proof holds for `public_key`.

        Raises:
            InputRejectedError: the evaluation or the public key is malformed.
            PolicyRefusedError: the proof does not hold.
        """
        return self.finalize_shares([(evaluation, public_key)])

    def finalize_shares(self, shares: Sequence[tuple[Evaluation, bytes]]) -> list[bytes]:
        """Return the outputs of the key whose shares answered, if each one's proof holds for its public key.

        Raises:
            InputRejectedError: an evaluation or a public key is malformed.
            PolicyRefusedError: a proof does not hold.
        """
        for evaluation, public_key in shares:
            proof.verify(evaluation, public_key, self._blinded)
        total = shares[0][0].elements
        for evaluation, _ in shares[1:]:
            total = add_evaluations(total, evaluation.elements)
        outputs = []
        for index, blind in enumerate(group.invert_all(self._blinds)):
            element = group.multiply(blind, total[index])
            if element is None:
                raise refused_element(index)
            outputs.append(group.output_of(self._inputs[index], element))
        return outputs


def add_evaluations(one: Sequence[bytes], other: Sequence[bytes]) -> list[bytes]:
    """Return what the sum of two keys evaluates to, from what each did; the elements were checked."""
    return [group.add(left, right) for left, right in zip(one, other, strict=True)]


def _multiply_each(scalar: bytes, points: Sequence[bytes]) -> list[bytes]:
    products = []
    for index, point in enumerate(points):
        product = group.multiply(scalar, point)  # it also decodes: None for what is no element, and for the identity
        if product is None:
            raise refused_element(index)
        products.append(product)
    return products
