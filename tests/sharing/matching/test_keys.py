import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sharing.matching.factories import NOT_ELEMENTS, Vectors

from stillwatch.errors import InputRejectedError
from stillwatch.sharing.matching import group
from stillwatch.sharing.matching.keys import Key, derive, generate, read_key, sum_of_public_keys
from stillwatch.sharing.matching.suite_rbcl import SodiumBlinding, add_evaluations


def test_vectors(vectors: Vectors) -> None:
    assert derive(vectors.seed, vectors.info).public_key == vectors.public_key
    assert read_key(vectors.scalar.hex()).public_hex == vectors.public_key.hex()


def test_split_key_equals_whole_key_on_the_vectors(vectors: Vectors) -> None:
    key = Key(vectors.scalar)
    hub, trustee = key.split()
    assert sum_of_public_keys(hub.public_key, trustee.public_key) == vectors.public_key
    for vector in vectors.each:
        shares = [(share.evaluator.evaluate(vector.blinded), share.public_key) for share in (hub, trustee)]
        assert add_evaluations(shares[0][0].elements, shares[1][0].elements) == vector.evaluated
        assert SodiumBlinding(vector.inputs, vector.blinds).finalize_shares(shares) == vector.outputs


@settings(max_examples=40)
@given(st.lists(st.binary(min_size=1), min_size=1, max_size=5))
def test_split_key_equals_whole_key(inputs: list[bytes]) -> None:
    key = generate()
    blinding = SodiumBlinding(inputs)
    shares = [(share.evaluator.evaluate(blinding.blinded), share.public_key) for share in key.split()]
    whole = blinding.finalize(key.evaluator.evaluate(blinding.blinded), key.public_key)
    assert blinding.finalize_shares(shares) == whole


def test_shares_differ_each_time() -> None:
    key = generate()
    assert len({share.public_key for _ in range(5) for share in key.split()} | {key.public_key}) == 11


@pytest.mark.parametrize("number", [0, group.ORDER, group.ORDER + 1, 2**256 - 1])
def test_refused_numbers(number: int) -> None:
    with pytest.raises(InputRejectedError, match="a private key is a number") as caught:
        read_key(number.to_bytes(32, "little").hex())
    assert number.to_bytes(32, "little").hex() not in str(caught.value)


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "01" * 33, "\u0661" * 64])
def test_refused_texts(text: str) -> None:
    with pytest.raises(InputRejectedError, match="64 hexadecimal digits"):
        read_key(text)


def test_refused_seeds() -> None:
    for seed, info in ((bytes(31), b""), (bytes(32), bytes(1025))):
        with pytest.raises(InputRejectedError, match="derived from 32 bytes"):
            derive(seed, info)


def test_does_not_show_itself() -> None:
    key = generate()
    assert key.secret_hex() not in f"{key} {key!r} {[key]}"
    assert read_key(key.secret_hex()).public_key == key.public_key
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(key)


def test_sum_of_public_keys_is_refused() -> None:
    key = generate()
    opposite = Key(group.subtract_scalars(bytes(32), bytes.fromhex(key.secret_hex())))
    with pytest.raises(InputRejectedError, match="cancel out"):
        sum_of_public_keys(key.public_key, opposite.public_key)
    for wrong in NOT_ELEMENTS.values():
        with pytest.raises(InputRejectedError, match="no element"):
            sum_of_public_keys(key.public_key, wrong)
        with pytest.raises(InputRejectedError, match="no element"):
            sum_of_public_keys(wrong, key.public_key)
