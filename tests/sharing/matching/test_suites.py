"""What holds for every implementation of the suite, and between them."""

import secrets
from collections.abc import Sequence
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sharing.matching.factories import IDENTITY, NOT_ELEMENTS, Vectors, element, elements, flipped

from stillwatch.errors import InputRejectedError, PolicyRefusedError, StillwatchError
from stillwatch.sharing.matching import group
from stillwatch.sharing.matching.suite import Blinding, Evaluation, Evaluator
from stillwatch.sharing.matching.suite_rbcl import SodiumBlinding, SodiumEvaluator
from stillwatch.sharing.matching.suite_voprf import RustBlinding, RustEvaluator

SEED, INFO = bytes(range(32)), b"test"


class MakesBlinding(Protocol):
    def __call__(self, inputs: Sequence[bytes], /) -> Blinding: ...


EVALUATORS: dict[str, Evaluator] = {
    "rbcl": SodiumEvaluator(group.derive_scalar(SEED, INFO)),
    "voprf": RustEvaluator(SEED, INFO),
}
BLINDINGS: dict[str, MakesBlinding] = {"rbcl": SodiumBlinding, "voprf": RustBlinding}
KEY = EVALUATORS["rbcl"].public_key
evaluators = pytest.mark.parametrize("evaluator", EVALUATORS.values(), ids=EVALUATORS)
blindings = pytest.mark.parametrize("blind", BLINDINGS.values(), ids=BLINDINGS)


def answered(inputs: Sequence[bytes], blind: MakesBlinding = SodiumBlinding) -> tuple[Blinding, Evaluation]:
    blinding = blind(inputs)
    return blinding, EVALUATORS["rbcl"].evaluate(blinding.blinded)


def test_vectors_public_key(vectors: Vectors) -> None:
    assert SodiumEvaluator(vectors.scalar).public_key == vectors.public_key
    assert RustEvaluator(vectors.seed, vectors.info).public_key == vectors.public_key
    assert group.derive_scalar(vectors.seed, vectors.info) == vectors.scalar


def test_vectors_rbcl(vectors: Vectors) -> None:
    assert [len(vector.inputs) for vector in vectors.each] == [1, 1, 2]
    for vector in vectors.each:
        blinding = SodiumBlinding(vector.inputs, vector.blinds)
        assert blinding.blinded == vector.blinded
        evaluation = SodiumEvaluator(vectors.scalar).evaluate(vector.blinded, vector.nonce)
        assert evaluation.elements == vector.evaluated
        assert evaluation.proof == vector.proof
        assert blinding.finalize(evaluation, vectors.public_key) == vector.outputs


def test_vectors_voprf(vectors: Vectors) -> None:
    evaluator = RustEvaluator(vectors.seed, vectors.info)
    for vector in vectors.each:
        evaluation = evaluator.evaluate(vector.blinded)
        assert evaluation.elements == vector.evaluated
        assert [evaluator.output(value) for value in vector.inputs] == vector.outputs
        theirs = Evaluation(elements=vector.evaluated, proof=vector.proof)
        assert SodiumBlinding(vector.inputs, vector.blinds).finalize(evaluation, evaluator.public_key) == vector.outputs
        assert SodiumBlinding(vector.inputs, vector.blinds).finalize(theirs, vectors.public_key) == vector.outputs


def test_vectors_proof_is_refused_for_another_batch(vectors: Vectors) -> None:
    first, second, both = vectors.each
    for vector, proof in ((first, second.proof), (second, first.proof), (both, first.proof)):
        with pytest.raises(PolicyRefusedError, match="proof does not hold"):
            SodiumBlinding(vector.inputs, vector.blinds).finalize(
                Evaluation(elements=vector.evaluated, proof=proof), vectors.public_key
            )


@evaluators
@blindings
def test_round_trip(evaluator: Evaluator, blind: MakesBlinding) -> None:
    inputs = [b"one", b"two", b"one", b"\x00" * 65_535]
    blinding = blind(inputs)
    outputs = blinding.finalize(evaluator.evaluate(blinding.blinded), evaluator.public_key)
    assert outputs == [RustEvaluator(SEED, INFO).output(value) for value in inputs]
    assert len(set(blinding.blinded)) == 4
    assert outputs[0] == outputs[2] != outputs[1]


@pytest.mark.slow
def test_implementations_agree_on_10000_inputs() -> None:
    inputs = [secrets.token_bytes(1 + secrets.randbelow(64)) for _ in range(10_000)]
    known = RustEvaluator(SEED, INFO)
    for blind, evaluator, other in (
        (SodiumBlinding, EVALUATORS["voprf"], EVALUATORS["rbcl"]),
        (RustBlinding, EVALUATORS["rbcl"], EVALUATORS["voprf"]),
    ):
        blinding = blind(inputs)
        evaluation = evaluator.evaluate(blinding.blinded)
        assert other.evaluate(blinding.blinded).elements == evaluation.elements
        assert blinding.finalize(evaluation, KEY) == [known.output(value) for value in inputs]


@pytest.mark.slow
@settings(max_examples=50)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=40), st.lists(st.binary(min_size=1), min_size=1))
def test_implementations_agree_on_keys(seed: bytes, info: bytes, inputs: list[bytes]) -> None:
    sodium, rust = SodiumEvaluator(group.derive_scalar(seed, info)), RustEvaluator(seed, info)
    assert sodium.public_key == rust.public_key
    blinding = RustBlinding(inputs)
    assert blinding.finalize(sodium.evaluate(blinding.blinded), rust.public_key) == [rust.output(v) for v in inputs]


@evaluators
@pytest.mark.parametrize("wrong", NOT_ELEMENTS.values(), ids=NOT_ELEMENTS)
def test_what_is_no_element_is_not_evaluated(evaluator: Evaluator, wrong: bytes) -> None:
    with pytest.raises(InputRejectedError, match="element 2 of the batch"):
        evaluator.evaluate([element(), element(), wrong, element()])


@evaluators
def test_sizes_of_batches(evaluator: Evaluator) -> None:
    with pytest.raises(InputRejectedError, match="empty"):
        evaluator.evaluate([])
    with pytest.raises(InputRejectedError, match="at most 65535"):
        evaluator.evaluate([element()] * 65_536)
    assert len(evaluator.evaluate(elements(1)).elements) == 1


@blindings
@pytest.mark.parametrize("inputs", [[], [b""], [b"a", bytes(65_536)], [b"a"] * 65_536], ids=len)
def test_sizes_of_inputs(blind: MakesBlinding, inputs: list[bytes]) -> None:
    with pytest.raises(InputRejectedError, match=r"empty|input|bytes"):
        blind(inputs)


@blindings
def test_wrong_public_key(blind: MakesBlinding) -> None:
    blinding, evaluation = answered([b"a", b"b"], blind)
    for key in (element(), group.multiply_base(group.random_scalar())):
        with pytest.raises(PolicyRefusedError, match="proof does not hold"):
            blinding.finalize(evaluation, key)


@blindings
@pytest.mark.parametrize("key", NOT_ELEMENTS.values(), ids=NOT_ELEMENTS)
def test_public_key_is_no_element(blind: MakesBlinding, key: bytes) -> None:
    blinding, evaluation = answered([b"a"], blind)
    with pytest.raises(InputRejectedError, match="public key is no element"):
        blinding.finalize(evaluation, key)


@blindings
@pytest.mark.parametrize("wrong", NOT_ELEMENTS.values(), ids=NOT_ELEMENTS)
def test_evaluated_element_is_none(blind: MakesBlinding, wrong: bytes) -> None:
    blinding, evaluation = answered([b"a", b"b"], blind)
    with pytest.raises(InputRejectedError, match="element 1 of the batch"):
        blinding.finalize(Evaluation(elements=[evaluation.elements[0], wrong], proof=evaluation.proof), KEY)


@blindings
def test_answer_of_another_size(blind: MakesBlinding) -> None:
    blinding, evaluation = answered([b"a", b"b"], blind)
    for given_elements in ([], evaluation.elements[:1], [*evaluation.elements, element()]):
        with pytest.raises(InputRejectedError, match=r"empty|the answer holds"):
            blinding.finalize(Evaluation(elements=given_elements, proof=evaluation.proof), KEY)
    with pytest.raises(InputRejectedError, match="64 bytes, not 63"):
        blinding.finalize(Evaluation(elements=evaluation.elements, proof=evaluation.proof[:-1]), KEY)


@blindings
def test_proof_of_another_batch_or_order(blind: MakesBlinding) -> None:
    blinding, evaluation = answered([b"a", b"b"], blind)
    _, other = answered([b"a", b"b"], blind)
    one, two = evaluation.elements
    for elements_, proof in (((one, two), other.proof), ((two, one), evaluation.proof), ((one, one), evaluation.proof)):
        with pytest.raises(PolicyRefusedError):
            blinding.finalize(Evaluation(elements=elements_, proof=proof), KEY)


@blindings
@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("number", [0, group.ORDER, group.ORDER + 1, 2**256 - 1])
def test_proof_with_a_number_out_of_range(blind: MakesBlinding, half: int, number: int) -> None:
    blinding, evaluation = answered([b"a"], blind)
    parts = [evaluation.proof[:32], evaluation.proof[32:]]
    parts[half] = number.to_bytes(32, "little")
    with pytest.raises(PolicyRefusedError):
        blinding.finalize(Evaluation(elements=evaluation.elements, proof=b"".join(parts)), KEY)


@blindings
@settings(max_examples=40)
@given(st.integers(0, 64 * 8 - 1))
def test_any_bit_of_the_proof_counts(blind: MakesBlinding, bit: int) -> None:
    blinding, evaluation = answered([b"a", b"b"], blind)
    with pytest.raises(PolicyRefusedError):
        blinding.finalize(Evaluation(elements=evaluation.elements, proof=flipped(evaluation.proof, bit)), KEY)


@evaluators
@given(st.lists(st.binary(min_size=30, max_size=33), max_size=4))
def test_garbage_is_refused_or_evaluated(evaluator: Evaluator, garbage: list[bytes]) -> None:
    try:
        evaluation = evaluator.evaluate(garbage)
    except InputRejectedError:
        return
    assert len(evaluation.elements) == len(garbage)


@blindings
@given(st.lists(st.binary(min_size=31, max_size=33), max_size=3), st.binary(min_size=63, max_size=65), st.binary())
def test_garbage_never_becomes_an_output(blind: MakesBlinding, garbage: list[bytes], proof: bytes, key: bytes) -> None:
    with pytest.raises(StillwatchError):
        blind([b"a", b"b"]).finalize(Evaluation(elements=garbage, proof=proof), key)


def test_identity_made_by_a_malicious_pair_of_shares() -> None:
    scalar = group.random_scalar()
    opposite = group.subtract_scalars(bytes(32), scalar)
    blinding = SodiumBlinding([b"a"])
    shares = [
        (SodiumEvaluator(s).evaluate(blinding.blinded), SodiumEvaluator(s).public_key) for s in (scalar, opposite)
    ]
    assert group.add(shares[0][0].elements[0], shares[1][0].elements[0]) == IDENTITY
    with pytest.raises(InputRejectedError, match="element 0"):
        blinding.finalize_shares(shares)


def test_padding_has_no_output() -> None:
    blinding = SodiumBlinding([b"a"], padding=3)
    assert len(blinding.blinded) == 4
    assert blinding.finalize(EVALUATORS["voprf"].evaluate(blinding.blinded), KEY) == [
        RustEvaluator(SEED, INFO).output(b"a")
    ]
    only = SodiumBlinding([], padding=2)
    assert only.finalize(EVALUATORS["rbcl"].evaluate(only.blinded), KEY) == []


def test_seed_of_another_length() -> None:
    with pytest.raises(InputRejectedError, match="32 bytes, not 31"):
        RustEvaluator(bytes(31), b"")
