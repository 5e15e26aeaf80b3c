"""Private set intersection of two parties: the asker learns which of its identifiers the answerer holds too.

The answerer makes a key for this one session, and evaluates with it its own set in the clear and the asker's blinded.
The asker takes the blinds off and compares. Both sets are padded, and fixed by a commitment before either side sees
anything of the other's. No protocol of this kind keeps a side from lying about its own set; with the commitments on
record, what it used can be compared with what it held.
"""

import itertools
import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from stillwatch.errors import InputRejectedError, PolicyRefusedError, UsageError
from stillwatch.sharing.matching import psi_messages as messages
from stillwatch.sharing.matching.group import derive_scalar
from stillwatch.sharing.matching.suite import ELEMENT_BYTES, NAME, PROOF_BYTES, Evaluation, refused_public_key
from stillwatch.sharing.matching.suite_rbcl import SodiumBlinding, SodiumEvaluator
from stillwatch.sharing.matching.suite_voprf import RustEvaluator

_INFO = messages.PROTOCOL.encode()
_NONCE_BYTES = 32

Part = TypeVar("Part")
Made = TypeVar("Made")


class Asker:
    """The side that learns the overlap: `offer`, then `question` for the answerer's offer, then `overlap`.

    It lives in memory from the first message to the last; a session that breaks off is begun anew.

    Args:
        identifiers: canonical bytes (`normalise.canonical`); duplicates count once.
        limit: the largest padded set of the other side that is accepted.
        threads: how many work at once; libsodium does not hold them up.
    """

    def __init__(self, identifiers: Iterable[bytes], limit: int = messages.SIZE_LIMIT, threads: int = 1) -> None:
        own = sorted(set(identifiers))
        self._size = messages.padded_size(len(own))
        self._identifiers = own
        self._limit, self._threads = limit, threads
        self._session, self._salt = secrets.token_bytes(_NONCE_BYTES), secrets.token_bytes(_NONCE_BYTES)
        self._blindings = _each(_blinding, _padded_chunks(own, self._size), threads)
        self._blinded = [element for blinding in self._blindings for element in blinding.blinded]
        self._other: messages.Offer | None = None

    def offer(self) -> bytes:
        """Return the first message, which the audit log keeps."""
        bound = messages.commitment("asker", self._session, b"", self._salt, self._blinded)
        offer = messages.Offer(
            protocol=messages.PROTOCOL, suite=NAME, session=self._session, size=self._size, commitment=bound
        )
        return messages.encode(offer)

    def question(self, offer: bytes) -> bytes:
        """Return the blinded elements for an answerer's offer.

        Raises:
            InputRejectedError: the offer is malformed or of another session.
            PolicyRefusedError: the other side's set is above the limit, or its offer is another one than before.
        """
        other = messages.decode(offer, messages.Offer)
        if self._other not in {None, other}:
            raise PolicyRefusedError("the other side changed its offer", hint="end the session and begin anew")
        messages.check_offer(other, self._limit)
        if other.session != self._session:
            raise InputRejectedError("the offer is of another session")
        if len(other.public_key) != ELEMENT_BYTES:
            raise refused_public_key()
        self._other = other
        blinded = b"".join(self._blinded)
        return messages.encode(messages.Question(session=self._session, salt=self._salt, blinded=blinded))

    def overlap(self, answer: bytes) -> list[bytes]:
        """Return the identifiers that both hold, sorted.

        Raises:
            InputRejectedError: the answer is malformed.
            PolicyRefusedError: a proof does not hold, or the answerer's set is not the one that it committed to.
            UsageError: there was no question yet.
        """
        if self._other is None:
            raise UsageError("an answer comes after the question")
        reply = messages.decode(answer, messages.Answer)
        if reply.session != self._session:
            raise InputRejectedError("the answer is of another session")
        tags = messages.split_parts(reply.tags, messages.TAG_BYTES, self._other.size, "tags")
        messages.check_commitment(self._other, "answerer", reply.salt, tags)
        evaluated = messages.split_parts(reply.evaluated, ELEMENT_BYTES, self._size, "elements")
        count = messages.proof_count(self._size)
        proofs = messages.split_parts(reply.proofs, PROOF_BYTES, count, "proofs")
        public_key = self._other.public_key

        def finish(part: tuple[SodiumBlinding, Sequence[bytes], bytes]) -> list[bytes]:
            blinding, elements, proof = part
            return blinding.finalize(Evaluation(elements=elements, proof=proof), public_key)

        answered = list(zip(self._blindings, messages.chunks(evaluated), proofs, strict=True))
        outputs = itertools.chain.from_iterable(_each(finish, answered, self._threads))
        held, own = set(tags), zip(self._identifiers, outputs, strict=True)
        return [identifier for identifier, output in own if output[: messages.TAG_BYTES] in held]


class Answerer:
    """The side that learns nothing but a size: `offer` for the asker's offer, then `answer` to its question, once.

    Args:
        identifiers: canonical bytes (`normalise.canonical`); duplicates count once.
        limit: the largest padded set of the asker that is answered.
        threads: how many work at once on the answer.
    """

    def __init__(self, identifiers: Iterable[bytes], limit: int = messages.SIZE_LIMIT, threads: int = 1) -> None:
        own = set(identifiers)
        self._size = messages.padded_size(len(own))
        self._limit, self._threads = limit, threads
        self._salt = secrets.token_bytes(_NONCE_BYTES)
        seed = secrets.token_bytes(_NONCE_BYTES)
        self._evaluator: SodiumEvaluator | None = SodiumEvaluator(derive_scalar(seed, _INFO))
        self._public_key = self._evaluator.public_key
        self._tags = _tags(RustEvaluator(seed, _INFO), own, self._size)
        self._other: messages.Offer | None = None

    def offer(self, offer: bytes) -> bytes:
        """Return the first message for an asker's offer; the audit log keeps both.

        Raises:
            InputRejectedError: the offer is malformed.
            PolicyRefusedError: the asker's set is above the limit.
            UsageError: an offer was already taken.
        """
        if self._other is not None:
            raise UsageError("this key is for one session, which has begun")
        other = messages.decode(offer, messages.Offer)
        messages.check_offer(other, self._limit)
        self._other = other
        own = messages.Offer(
            protocol=messages.PROTOCOL,
            suite=NAME,
            session=other.session,
            size=self._size,
            commitment=messages.commitment("answerer", other.session, self._public_key, self._salt, self._tags),
            public_key=self._public_key,
        )
        return messages.encode(own)

    def answer(self, question: bytes) -> bytes:
        """Return the answer, and forget the key.

        Raises:
            InputRejectedError: the question is malformed or of another session.
            PolicyRefusedError: the asker's set is not the one that it committed to.
            UsageError: there was no offer yet, or the question was already answered.
        """
        if self._other is None or self._evaluator is None:
            raise UsageError("a question comes after the offers, and is answered once")
        asked = messages.decode(question, messages.Question)
        if asked.session != self._other.session:
            raise InputRejectedError("the question is of another session")
        blinded = messages.split_parts(asked.blinded, ELEMENT_BYTES, self._other.size, "elements")
        messages.check_commitment(self._other, "asker", asked.salt, blinded)
        evaluations = _each(self._evaluator.evaluate, messages.chunks(blinded), self._threads)
        self._evaluator = None
        answer = messages.Answer(
            session=asked.session,
            salt=self._salt,
            evaluated=b"".join(element for evaluation in evaluations for element in evaluation.elements),
            proofs=b"".join(evaluation.proof for evaluation in evaluations),
            tags=b"".join(self._tags),
        )
        return messages.encode(answer)


def _each(work: Callable[[Part], Made], parts: Sequence[Part], threads: int) -> list[Made]:
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, parts))


def _padded_chunks(identifiers: Sequence[bytes], size: int) -> list[tuple[Sequence[bytes], int]]:
    """Return a set in the chunks that its padded size has, each with how much padding follows; that comes last."""
    parts = []
    for start in range(0, size, messages.CHUNK):
        chunk = identifiers[start : start + messages.CHUNK]
        parts.append((chunk, min(messages.CHUNK, size - start) - len(chunk)))
    return parts


def _blinding(part: tuple[Sequence[bytes], int]) -> SodiumBlinding:
    return SodiumBlinding(part[0], padding=part[1])


def _tags(evaluator: RustEvaluator, identifiers: Iterable[bytes], size: int) -> Sequence[bytes]:
    """Return the tags of a set, sorted, with random ones up to its size: outputs look random, so nobody tells them."""
    tags = [evaluator.output(identifier)[: messages.TAG_BYTES] for identifier in identifiers]
    tags += [secrets.token_bytes(messages.TAG_BYTES) for _ in range(size - len(tags))]
    return sorted(tags)
