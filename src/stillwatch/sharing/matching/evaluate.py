"""What a key holder does with a request for tokens: check it, evaluate it, prove it. Route and quota are the hub's.

A service calls `multiscalar.prepare` when it starts, so that its first request does not wait for a compiler.
"""

import string

import msgspec

from stillwatch.errors import InputRejectedError
from stillwatch.sharing.matching.key_ring import KeyRing
from stillwatch.sharing.matching.suite import ELEMENT_BYTES, NAME, refused_element

REQUEST_LIMIT = 1_000
"""Elements in one request: a tenth of a second of one core, so that nobody waits long behind another's batch."""

_HEX = frozenset(string.hexdigits)


class EvaluationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `POST /v1/tokens/evaluate`: elements in hex, and the epoch unless it is the current one."""

    blinded: list[str]
    epoch: str | None = None


class EvaluationReply(msgspec.Struct, frozen=True, kw_only=True):
    """Its answer: one element for each, in order, one proof for all, and under which epoch's key."""

    evaluated: list[str]
    proof: str
    epoch: str
    suite: str


def evaluate(ring: KeyRing, request: EvaluationRequest, now: float) -> EvaluationReply:
    """Evaluate a request with the key of its epoch.

    Raises:
        InputRejectedError: no element, too many, one that is none, or an epoch that does not answer.
        UsageError: the ring has no key for this moment.
    """
    if len(request.blinded) > REQUEST_LIMIT:
        raise InputRejectedError(
            f"a request holds at most {REQUEST_LIMIT} elements, not {len(request.blinded)}", hint="send several"
        )
    epoch = ring.answering(request.epoch, now)
    evaluation = epoch.key.evaluator.evaluate(decode_elements(request.blinded))
    return EvaluationReply(
        evaluated=[element.hex() for element in evaluation.elements],
        proof=evaluation.proof.hex(),
        epoch=epoch.id,
        suite=NAME,
    )


def decode_elements(texts: list[str]) -> list[bytes]:
    """Return the bytes of elements in hex.

    Raises:
        InputRejectedError: one has another length than 64 digits, or other characters.
    """
    elements = []
    for index, text in enumerate(texts):
        if len(text) != 2 * ELEMENT_BYTES or not _HEX.issuperset(text):
            raise refused_element(index)
        elements.append(bytes.fromhex(text))
    return elements
