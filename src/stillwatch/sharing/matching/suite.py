"""The suite of all tokens, RFC 9497 ristretto255-SHA512 in mode 1 (VOPRF): sizes, checks, and its interface."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from stillwatch.errors import InputRejectedError, PolicyRefusedError

NAME = "ristretto255-SHA512"
CONTEXT = b"OPRFV1-\x01-" + NAME.encode()
ELEMENT_BYTES = SCALAR_BYTES = 32
PROOF_BYTES = OUTPUT_BYTES = 64
COUNT_LIMIT = 65_535
"""Elements under one proof, and bytes of one input: both are counted with two bytes (RFC 9497, 2.2.1 and 3.3)."""


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What a key holder makes of a batch: one element for each blinded one, in order, and one proof for all."""

    elements: Sequence[bytes]
    proof: bytes


class Evaluator(Protocol):
    """A private key at work."""

    @property
    def public_key(self) -> bytes:
        """The element that stands for the key, 32 bytes."""
        ...

    def evaluate(self, blinded: Sequence[bytes]) -> Evaluation:
        """Evaluate a batch and prove it.

        Raises:
            InputRejectedError: the batch is empty or too long, or holds what is no element or the identity.
        """
        ...


class Blinding(Protocol):
    """Inputs of a client, hidden; good for one evaluation by one key."""

    @property
    def blinded(self) -> Sequence[bytes]:
        """What the key holder gets: one element for each input, in order."""
        ...

    def finalize(self, evaluation: Evaluation, public_key: bytes) -> list[bytes]:
        """Return the outputs (64 bytes each) if the proof holds for `public_key`.

        Raises:
            InputRejectedError: the evaluation or the public key is malformed.
            PolicyRefusedError: the proof does not hold.
        """
        ...


def check_batch(elements: Sequence[bytes]) -> None:
    """Refuse a batch that is empty, longer than one proof can cover, or holds something of another length than 32.

    Raises:
        InputRejectedError: says which.
    """
    if not elements:
        raise InputRejectedError("the batch is empty", hint="send at least one element")
    if len(elements) > COUNT_LIMIT:
        raise InputRejectedError(f"a batch holds at most {COUNT_LIMIT} elements, not {len(elements)}")
    for index, element in enumerate(elements):
        if len(element) != ELEMENT_BYTES:
            raise refused_element(index)


def check_evaluation(evaluation: Evaluation, asked: int) -> None:
    """Refuse an evaluation whose numbers or lengths are not those of the `asked` elements.

    Raises:
        InputRejectedError: says which.
    """
    check_batch(evaluation.elements)
    if len(evaluation.elements) != asked:
        raise InputRejectedError(f"the answer holds {len(evaluation.elements)} elements, the batch {asked}")
    if len(evaluation.proof) != PROOF_BYTES:
        raise InputRejectedError(f"a proof has {PROOF_BYTES} bytes, not {len(evaluation.proof)}")


def check_inputs(inputs: Sequence[bytes]) -> None:
    """Refuse inputs that are none, too many for one proof, empty or longer than 65,535 bytes.

    Raises:
        InputRejectedError: says which; never what the input is.
    """
    if not inputs:
        raise InputRejectedError("the batch is empty", hint="give at least one identifier")
    if len(inputs) > COUNT_LIMIT:
        raise InputRejectedError(f"a batch holds at most {COUNT_LIMIT} inputs, not {len(inputs)}")
    for index, value in enumerate(inputs):
        if not 1 <= len(value) <= COUNT_LIMIT:
            raise InputRejectedError(f"input {index} has {len(value)} bytes, allowed are 1 to {COUNT_LIMIT}")


def refused_element(index: int) -> InputRejectedError:
    """Return the error for element `index` (from 0) of a batch."""
    return InputRejectedError(
        f"element {index} of the batch is none of {NAME}: wrong length, not canonical, or the identity",
        hint="elements are 32 bytes, as RFC 9496 encodes them",
    )


def refused_public_key() -> InputRejectedError:
    """Return the error for a public key that is no element."""
    return InputRejectedError(f"the public key is no element of {NAME}, or is the identity")


def refused_proof() -> PolicyRefusedError:
    """Return the error for a proof that does not hold."""
    return PolicyRefusedError(
        "the proof does not hold: another key, another batch, or an altered answer",
        hint="compare the public key of this epoch with the one that its holder publishes; use none of these tokens",
    )
