"""The suite in Rust (package voprf): the check of the other implementation, and outputs for a key holder's own list.

Its keys come from seeds only, it cannot add shares, and it keeps the interpreter's lock while it computes.
"""

from collections.abc import Sequence

from voprf import ristretto

from stillwatch.errors import InputRejectedError
from stillwatch.sharing.matching.proof import verify
from stillwatch.sharing.matching.suite import (
    ELEMENT_BYTES,
    PROOF_BYTES,
    SCALAR_BYTES,
    Evaluation,
    check_batch,
    check_inputs,
    refused_element,
)


class RustEvaluator:
    """Evaluates with the private key of a seed (32 bytes) and a public label (DeriveKeyPair of RFC 9497).

    Raises:
        InputRejectedError: the seed has another length.
    """

    def __init__(self, seed: bytes, info: bytes) -> None:
        if len(seed) != SCALAR_BYTES:
            raise InputRejectedError(f"a seed has {SCALAR_BYTES} bytes, not {len(seed)}")
        self._evaluator = ristretto.Evaluator.from_seed(seed, info)

    @property
    def public_key(self) -> bytes:
        """The element that stands for the key."""
        return self._evaluator.public_key.serialize()

    def evaluate(self, blinded: Sequence[bytes]) -> Evaluation:
        """Evaluate a batch and prove it.

        Raises:
            InputRejectedError: the batch is empty or too long, or holds what is no element or the identity.
        """
        check_batch(blinded)
        answer = self._evaluator.evaluate_batch(_decoded(blinded)).serialize()
        elements = [answer[start : start + ELEMENT_BYTES] for start in range(PROOF_BYTES, len(answer), ELEMENT_BYTES)]
        return Evaluation(elements=elements, proof=answer[:PROOF_BYTES])

    def output(self, value: bytes) -> bytes:
        """Return the output for an input of the key holder's own (1 to 65,535 bytes)."""
        return self._evaluator.evaluate_known_input(value)


class RustBlinding:
    """Hides `inputs`."""

    def __init__(self, inputs: Sequence[bytes]) -> None:
        check_inputs(inputs)
        pairs = [ristretto.Client.blind(value) for value in inputs]
        self._clients = [client for client, _ in pairs]
        self._blinded = [blinded.serialize() for _, blinded in pairs]

    @property
    def blinded(self) -> Sequence[bytes]:
        """What the key holder gets: one element for each input, in order."""
        return self._blinded

    def finalize(self, evaluation: Evaluation, public_key: bytes) -> list[bytes]:
        """Return the outputs if the proof holds for `public_key`.

        Raises:
            InputRejectedError: the evaluation or the public key is malformed.
            PolicyRefusedError: the proof does not hold.
        """
        verify(evaluation, public_key, self._blinded)  # first: the package panics on a batch whose proof does not hold
        key = ristretto.PublicKey.deserialize(public_key)
        answer = ristretto.VerifiableBatchOutput.deserialize(evaluation.proof + b"".join(evaluation.elements))
        return ristretto.Client.finalize_batch(self._clients, answer, key)


def _decoded(blinded: Sequence[bytes]) -> list[ristretto.BlindedInput]:
    decoded = []
    for index, element in enumerate(blinded):
        try:
            decoded.append(ristretto.BlindedInput.deserialize(element))
        except ValueError:
            raise refused_element(index) from None
    return decoded
