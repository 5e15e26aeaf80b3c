from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sharing.matching.factories import IDENTITY, NOT_ELEMENTS, element, elements

from stillwatch.errors import InputRejectedError
from stillwatch.sharing.matching import group
from stillwatch.sharing.matching.multiscalar import prepare, weighted_sum

scalars = st.one_of(
    st.integers(0, group.ORDER - 1),
    st.sampled_from([0, 1, 2, 127, 128, 129, 255, 256, 2**252, group.ORDER - 1, group.ORDER - 128]),
    st.lists(st.sampled_from([0, 1, 126, 127, 128, 129, 255]), min_size=31, max_size=31).map(
        lambda digits: int.from_bytes(bytes(digits), "little")
    ),
).map(lambda number: number.to_bytes(32, "little"))
points = st.one_of(
    st.binary(min_size=1, max_size=8).map(group.hash_to_group),
    st.integers(1, 20).map(lambda number: group.multiply_base(number.to_bytes(32, "little"))),
    st.integers(1, 20).map(lambda number: group.multiply_base((group.ORDER - number).to_bytes(32, "little"))),
    st.just(IDENTITY),
)


def one_by_one(terms: list[tuple[bytes, bytes]]) -> bytes:
    products = [group.multiply(scalar, point) or IDENTITY for scalar, point in terms]
    return reduce(group.add, products, IDENTITY)


@settings(max_examples=120)
@given(st.lists(st.tuples(scalars, points), min_size=1, max_size=12))
def test_equals_libsodium(terms: list[tuple[bytes, bytes]]) -> None:
    total = weighted_sum(b"".join(point for _, point in terms), b"".join(scalar for scalar, _ in terms))
    assert total == one_by_one(terms)


@pytest.mark.parametrize("count", [2, 127, 500])
def test_equals_libsodium_where_buckets_fill(count: int) -> None:
    terms = [(group.random_scalar(), point) for point in elements(count)]
    assert weighted_sum(b"".join(p for _, p in terms), b"".join(s for s, _ in terms)) == one_by_one(terms)


@pytest.mark.slow
def test_decodes_as_libsodium_on_10000_encodings() -> None:
    one = (1).to_bytes(32, "little")
    for number in range(10_000):
        encoding = group.hash_to_scalar(number.to_bytes(2, "little"))
        try:
            assert weighted_sum(encoding, one) == encoding
            accepted = True
        except InputRejectedError:
            accepted = False
        assert accepted == group.is_element(encoding)


@pytest.mark.parametrize(
    "wrong", [w for n, w in NOT_ELEMENTS.items() if len(w) == 32 and n != "identity"], ids=lambda w: w[:2].hex()
)
def test_refuses_what_is_no_element(wrong: bytes) -> None:
    with pytest.raises(InputRejectedError, match="element 1 of the batch"):
        weighted_sum(element() + wrong + element(), bytes(96))


def test_prepare() -> None:
    prepare()
