"""A client's side of tokens: blind many identifiers, check what the key holders answer, and have the tokens."""

from collections.abc import Iterator, Sequence

from stillwatch.errors import InputRejectedError, PolicyRefusedError
from stillwatch.sharing.matching.epochs import PublishedEpoch, Token
from stillwatch.sharing.matching.evaluate import REQUEST_LIMIT, EvaluationReply, EvaluationRequest, decode_elements
from stillwatch.sharing.matching.suite import NAME, Evaluation
from stillwatch.sharing.matching.suite_rbcl import SodiumBlinding


class TokenBatch:
    """At most 1,000 identifiers on their way to tokens of one epoch.

    Args:
        epoch: with the public keys that this client trusts: pinned, never taken from the answer.
        identifiers: canonical bytes (`normalise.canonical`).

    Raises:
        InputRejectedError: none, too many, or the epoch's public keys are not one or two.
    """

    def __init__(self, epoch: PublishedEpoch, identifiers: Sequence[bytes]) -> None:
        if len(identifiers) > REQUEST_LIMIT:
            raise InputRejectedError(f"a batch holds at most {REQUEST_LIMIT} identifiers, not {len(identifiers)}")
        if len(epoch.public_keys) not in {1, 2}:
            raise InputRejectedError(f"an epoch has one public key, or two of shares, not {len(epoch.public_keys)}")
        self._epoch = epoch
        self._public_keys = decode_elements(list(epoch.public_keys))
        self._blinding = SodiumBlinding(identifiers)
        blinded = [element.hex() for element in self._blinding.blinded]
        self.request = EvaluationRequest(blinded=blinded, epoch=epoch.id)

    def tokens(self, replies: Sequence[EvaluationReply]) -> list[Token]:
        """Return the tokens, in order of the identifiers.

        Args:
            replies: one for each public key of the epoch, in the same order.

        Raises:
            InputRejectedError: a reply is malformed.
            PolicyRefusedError: a reply is of another epoch or suite, or its proof does not hold.
        """
        if len(replies) != len(self._public_keys):
            raise InputRejectedError(f"this epoch takes {len(self._public_keys)} answers, not {len(replies)}")
        evaluations = [self._evaluation(reply) for reply in replies]
        outputs = self._blinding.finalize_shares(list(zip(evaluations, self._public_keys, strict=True)))
        return [Token(epoch=self._epoch.id, output=output.hex()) for output in outputs]

    def _evaluation(self, reply: EvaluationReply) -> Evaluation:
        if reply.epoch != self._epoch.id or reply.suite != NAME:
            raise PolicyRefusedError("the answer is of another epoch or suite than was asked", hint="ask again")
        try:
            proof = bytes.fromhex(reply.proof)
        except ValueError:
            raise InputRejectedError("the proof is not hexadecimal") from None
        return Evaluation(elements=decode_elements(reply.evaluated), proof=proof)


def token_batches(epoch: PublishedEpoch, identifiers: Sequence[bytes]) -> Iterator[TokenBatch]:
    """Yield any number of identifiers in batches of one request each, in order."""
    for start in range(0, len(identifiers), REQUEST_LIMIT):
        yield TokenBatch(epoch, identifiers[start : start + REQUEST_LIMIT])
