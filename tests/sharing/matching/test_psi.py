from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sharing.matching.factories import IDENTITY, flipped

from stillwatch.errors import InputRejectedError, PolicyRefusedError, StillwatchError, UsageError
from stillwatch.sharing.matching import psi_messages as messages
from stillwatch.sharing.matching.psi import Answerer, Asker

OURS = [b"email:%d@example.org" % number for number in range(20)]
THEIRS = [b"email:%d@example.org" % number for number in range(15, 40)]


class Session:
    """One run up to the answer."""

    def __init__(self) -> None:
        self.asker, self.answerer = Asker(OURS), Answerer(THEIRS)
        self.first = self.asker.offer()
        self.second = self.answerer.offer(self.first)
        self.question = self.asker.question(self.second)


def edited(message: bytes, kind: Any, **fields: Any) -> bytes:
    return msgspec.msgpack.encode(msgspec.structs.replace(messages.decode(message, kind), **fields))


sets = st.sets(st.integers(0, 60).map(lambda number: b"ip:203.0.113.%d" % number), min_size=1)


@settings(max_examples=25)
@given(sets, sets)
def test_exact(ours: set[bytes], theirs: set[bytes]) -> None:
    asker, answerer = Asker(ours), Answerer(theirs)
    question = asker.question(answerer.offer(asker.offer()))
    assert asker.overlap(answerer.answer(question)) == sorted(ours & theirs)


def test_exact_over_several_chunks_with_padding_of_more_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "CHUNK", 8)
    ours, theirs = [b"a%d" % n for n in range(129)] * 2, [b"a%d" % n for n in range(100, 300)]
    asker, answerer = Asker(ours, threads=2), Answerer(theirs, threads=2)
    answer = answerer.answer(asker.question(answerer.offer(asker.offer())))
    assert len(messages.decode(answer, messages.Answer).proofs) == 64 * 144 // 8
    assert asker.overlap(answer) == sorted(b"a%d" % n for n in range(100, 129))


def test_offers_tell_padded_sizes_only() -> None:
    first, second = (messages.decode(o, messages.Offer) for o in (Session().first, Session().second))
    assert (first.size, second.size) == (64, 64)
    assert first.public_key == b""
    sizes = {len(Session().question) for _ in range(2)} | {len(Asker(OURS[:1]).offer()) - len(Asker(OURS).offer())}
    assert sizes == {len(Session().question), 0}


def test_nothing_repeats_between_sessions() -> None:
    one, other = Session(), Session()
    parts = []
    for session in (one, other):
        answer = messages.decode(session.answerer.answer(session.question), messages.Answer)
        asked = messages.decode(session.question, messages.Question)
        parts += messages.split_parts(answer.tags, 16, 64, "tags")
        parts += messages.split_parts(asked.blinded + answer.evaluated, 32, 128, "elements")
        assert sorted(parts[-192:-128]) == parts[-192:-128]
    assert len(set(parts)) == 2 * 192


@pytest.mark.parametrize(
    ("count", "size"),
    [(1, 64), (64, 64), (65, 72), (72, 72), (128, 128), (129, 144), (100_000, 106_496), (1 << 20, 1 << 20)],
)
def test_padded_size(count: int, size: int) -> None:
    assert messages.padded_size(count) == size


@given(st.integers(1, 1 << 20))
def test_padding_is_at_most_an_eighth_and_stable(count: int) -> None:
    size = messages.padded_size(count)
    assert count <= size
    assert size <= max(64, count * 9 // 8 + 1)
    assert messages.padded_size(size) == size


@pytest.mark.parametrize("side", [Asker, Answerer])
def test_sets_of_wrong_size(side: type[Asker | Answerer]) -> None:
    with pytest.raises(InputRejectedError, match="a set has 1 to"):
        side([])
    with pytest.raises(InputRejectedError, match="a set has 1 to"):
        messages.padded_size((1 << 20) + 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"protocol": "psi-r255-v0"},
        {"suite": "P384-SHA384"},
        {"session": b""},
        {"commitment": b"x"},
        {"size": 0},
        {"size": 65},
        {"size": -64},
        {"size": 1 << 21},
    ],
    ids=str,
)
def test_wrong_offers(fields: dict[str, Any]) -> None:
    session = Session()
    with pytest.raises(InputRejectedError):
        Answerer(THEIRS).offer(edited(session.first, messages.Offer, **fields))
    asker = Asker(OURS)
    offer = Answerer(THEIRS).offer(asker.offer())
    with pytest.raises(InputRejectedError):
        asker.question(edited(offer, messages.Offer, **fields))


def test_limits() -> None:
    asker = Asker([b"a%d" % number for number in range(65)], limit=64)
    with pytest.raises(PolicyRefusedError, match="72 is above the limit of 64"):
        Answerer(THEIRS, limit=64).offer(asker.offer())
    large = Answerer([b"a%d" % number for number in range(65)])
    with pytest.raises(PolicyRefusedError, match="above the limit"):
        asker.question(large.offer(asker.offer()))


def test_a_key_is_for_one_session() -> None:
    session = Session()
    with pytest.raises(UsageError, match="one session"):
        session.answerer.offer(session.first)
    session.answerer.answer(session.question)
    with pytest.raises(UsageError, match="answered once"):
        session.answerer.answer(session.question)
    with pytest.raises(UsageError, match="after the offers"):
        Answerer(THEIRS).answer(session.question)
    with pytest.raises(UsageError, match="after the question"):
        Asker(OURS).overlap(b"")


def test_another_session_is_refused() -> None:
    one, other = Session(), Session()
    with pytest.raises(InputRejectedError, match="another session"):
        Asker(OURS).question(other.second)
    with pytest.raises(InputRejectedError, match="another session"):
        one.answerer.answer(other.question)
    with pytest.raises(InputRejectedError, match="another session"):
        one.asker.overlap(other.answerer.answer(other.question))


def test_the_asker_is_held_to_its_commitment() -> None:
    session = Session()
    asked = messages.decode(session.question, messages.Question)
    other = messages.decode(Session().question, messages.Question)
    for fields in (
        {"blinded": other.blinded},
        {"salt": other.salt},
        {"salt": b""},
        {"blinded": asked.blinded[:-32] + other.blinded[-32:]},
    ):
        with pytest.raises(PolicyRefusedError, match="asker's set is not the one"):
            session.answerer.answer(edited(session.question, messages.Question, **fields))
    with pytest.raises(InputRejectedError, match="64 elements that were declared"):
        session.answerer.answer(edited(session.question, messages.Question, blinded=asked.blinded[:-32]))
    session.answerer.answer(session.question)


def test_the_answerer_is_held_to_its_commitment_and_proofs() -> None:
    session = Session()
    answer = session.answerer.answer(session.question)
    read = messages.decode(answer, messages.Answer)
    for fields, message in (
        ({"tags": flipped(read.tags, 5)}, "answerer's set is not the one"),
        ({"salt": flipped(read.salt, 5)}, "answerer's set is not the one"),
        ({"proofs": flipped(read.proofs, 300)}, "proof does not hold"),
        ({"evaluated": read.evaluated[32:] + read.evaluated[:32]}, "proof does not hold"),
    ):
        with pytest.raises(PolicyRefusedError, match=message):
            session.asker.overlap(edited(answer, messages.Answer, **fields))
    for fields in (
        {"tags": read.tags[:-16]},
        {"proofs": b""},
        {"evaluated": read.evaluated + bytes(32)},
        {"evaluated": IDENTITY + read.evaluated[32:]},
    ):
        with pytest.raises(InputRejectedError):
            session.asker.overlap(edited(answer, messages.Answer, **fields))
    assert session.asker.overlap(answer) == sorted(set(OURS) & set(THEIRS))


def test_a_key_other_than_the_committed_one() -> None:
    asker, answerer = Asker(OURS), Answerer(THEIRS)
    offer = answerer.offer(asker.offer())
    other = messages.decode(Session().second, messages.Offer)
    with pytest.raises(InputRejectedError, match="public key"):
        asker.question(edited(offer, messages.Offer, public_key=b""))
    question = asker.question(edited(offer, messages.Offer, public_key=other.public_key))
    with pytest.raises(PolicyRefusedError, match="not the one that it committed to"):
        asker.overlap(answerer.answer(question))
    with pytest.raises(PolicyRefusedError, match="changed its offer"):
        asker.question(offer)


def test_committed_identity_is_refused_by_the_answerer() -> None:
    asker = Asker(OURS)
    asker._blinded[3] = IDENTITY
    answerer = Answerer(THEIRS)
    question = asker.question(answerer.offer(asker.offer()))
    with pytest.raises(InputRejectedError, match="element 3"):
        answerer.answer(question)


@given(st.binary())
def test_garbage(data: bytes) -> None:
    for read in (SESSION.asker.question, SESSION.asker.overlap, SESSION.answerer.answer, Answerer(OURS[:1]).offer):
        with pytest.raises(StillwatchError):
            read(data)


SESSION = Session()
