"""From identifiers to tokens and back through a key holder: client, request, reply."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sharing.matching.factories import DAY, NOW, Vectors, element, ring

from stillwatch.errors import InputRejectedError, PolicyRefusedError, StillwatchError
from stillwatch.sharing.matching.epochs import PublishedEpoch, Token, read_token
from stillwatch.sharing.matching.evaluate import EvaluationReply, EvaluationRequest, evaluate
from stillwatch.sharing.matching.key_ring import KeyRing
from stillwatch.sharing.matching.keys import Key, generate
from stillwatch.sharing.matching.tokens import TokenBatch, token_batches

IDENTIFIERS = [b"email:ann@example.org", b"ip:203.0.113.7", b"phone:+442079460018"]


def published(holder: KeyRing) -> PublishedEpoch:
    return holder.current(NOW).published()


def reply_with(reply: EvaluationReply, **fields: Any) -> EvaluationReply:
    return msgspec.structs.replace(reply, **fields)


def test_vectors_over_the_wire(vectors: Vectors) -> None:
    holder = ring(Key(vectors.scalar), "test")
    for vector in vectors.each:
        body = msgspec.json.encode({"blinded": [blinded.hex() for blinded in vector.blinded]})
        reply = evaluate(holder, msgspec.json.decode(body, type=EvaluationRequest), NOW)
        assert reply.evaluated == [evaluated.hex() for evaluated in vector.evaluated]
        assert (reply.epoch, reply.suite) == ("test", "ristretto255-SHA512")
        (batch,) = token_batches(published(holder), vector.inputs)
        tokens = batch.tokens([evaluate(holder, batch.request, NOW)])
        assert [str(token) for token in tokens] == [f"r255-v1:test:{output.hex()}" for output in vector.outputs]


def test_whole_and_split_key_give_the_same_tokens() -> None:
    key = generate()
    hub, trustee = (ring(share) for share in key.split())
    split = hub.current(NOW).published([trustee.current(NOW).key.public_hex])
    batch = TokenBatch(split, IDENTIFIERS)
    replies = [evaluate(holder, batch.request, NOW) for holder in (hub, trustee)]
    whole = ring(key)
    other = TokenBatch(published(whole), IDENTIFIERS)
    assert batch.tokens(replies) == other.tokens([evaluate(whole, other.request, NOW)])
    with pytest.raises(PolicyRefusedError, match="proof"):
        batch.tokens(replies[::-1])
    for wrong in (replies[:1], [*replies, replies[0]]):
        with pytest.raises(InputRejectedError, match="takes 2 answers"):
            batch.tokens(wrong)


def test_many_batches() -> None:
    holder = ring()
    identifiers = [b"device:%d" % number for number in range(2_001)]
    batches = list(token_batches(published(holder), identifiers))
    assert [len(batch.request.blinded) for batch in batches] == [1_000, 1_000, 1]
    tokens = [token for batch in batches for token in batch.tokens([evaluate(holder, batch.request, NOW)])]
    assert len(set(map(str, tokens))) == 2_001
    assert list(token_batches(published(holder), [])) == []


def test_tokens_of_epochs_do_not_match() -> None:
    holder = ring().rotated("2026-10", DAY)
    tokens = []
    for now in (NOW, NOW + 30 * DAY):
        batch = TokenBatch(holder.current(now).published(), IDENTIFIERS)
        tokens += batch.tokens([evaluate(holder, batch.request, now)])
    assert len({token.output for token in tokens}) == 6


def test_requests_that_are_refused() -> None:
    holder = ring()
    good = element().hex()
    for blinded, message in (
        ([], "empty"),
        ([good] * 1_001, "at most 1000"),
        ([good, good[:-2]], "element 1"),
        ([good, good + "00"], "element 1"),
        ([good, " " + good[1:]], "element 1"),
        ([good, "\u0661" * 64], "element 1"),
        (["00" * 32], "element 0"),
    ):
        with pytest.raises(InputRejectedError, match=message):
            evaluate(holder, EvaluationRequest(blinded=blinded), NOW)
    with pytest.raises(InputRejectedError, match="unknown, over"):
        evaluate(holder, EvaluationRequest(blinded=[good], epoch="2026-08"), NOW)
    assert evaluate(holder, EvaluationRequest(blinded=[good.upper()]), NOW).epoch == "2026-09"


def test_replies_that_are_refused() -> None:
    holder = ring()
    batch = TokenBatch(published(holder), IDENTIFIERS)
    reply = evaluate(holder, batch.request, NOW)
    for wrong, error in (
        (reply_with(reply, epoch="2026-08"), PolicyRefusedError),
        (reply_with(reply, suite="P384-SHA384"), PolicyRefusedError),
        (reply_with(reply, proof="zz"), InputRejectedError),
        (reply_with(reply, proof=""), InputRejectedError),
        (reply_with(reply, evaluated=reply.evaluated[:2]), InputRejectedError),
        (reply_with(reply, evaluated=reply.evaluated[::-1]), PolicyRefusedError),
        (evaluate(ring(), batch.request, NOW), PolicyRefusedError),
        (evaluate(holder, TokenBatch(published(holder), IDENTIFIERS).request, NOW), PolicyRefusedError),
    ):
        with pytest.raises(error):
            batch.tokens([wrong])
    assert len(batch.tokens([reply])) == 3


def test_batches_that_are_refused() -> None:
    epoch = published(ring())
    for keys in ([], [epoch.public_keys[0]] * 3, ["00"]):
        with pytest.raises(InputRejectedError):
            TokenBatch(msgspec.structs.replace(epoch, public_keys=keys), IDENTIFIERS)
    for identifiers in ([], [b"a"] * 1_001, [b""]):
        with pytest.raises(InputRejectedError):
            TokenBatch(epoch, identifiers)


@given(st.lists(st.text(max_size=70), max_size=3), st.text("0123456789abcdef", max_size=140))
def test_garbage_from_a_key_holder(evaluated: list[str], proof: str) -> None:
    epoch = published(HOLDER)
    reply = EvaluationReply(evaluated=evaluated, proof=proof, epoch=epoch.id, suite="ristretto255-SHA512")
    with pytest.raises(StillwatchError):
        TokenBatch(epoch, [b"a", b"b"]).tokens([reply])


HOLDER = ring()


def test_token_text() -> None:
    text = "r255-v1:2026-09:" + "0a" * 64
    assert str(read_token(text)) == text
    assert read_token(text) == Token(epoch="2026-09", output="0a" * 64)
    for wrong in (
        "",
        text[:-1],
        text + "0",
        text.upper(),
        text + "\n",
        text.replace("r255-v1", "r255-v2"),
        "r255-v1::",
    ):
        with pytest.raises(InputRejectedError, match="no token of scheme"):
            read_token(wrong)
