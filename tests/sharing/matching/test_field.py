import numba
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.sharing.matching import field
from stillwatch.sharing.matching.field import Limbs, limbs_of

P = 2**255 - 19
limbs = st.tuples(*[st.one_of(st.integers(0, 2**54 - 1), st.sampled_from([0, 1, 2**51 - 1, 2**51, 2**54 - 1]))] * 5)


@numba.njit
def product(a: Limbs, b: Limbs) -> Limbs:
    return field.multiply(a, b)


def number(a: tuple[int, ...]) -> int:
    return sum(int(limb) << 51 * place for place, limb in enumerate(a))


def typed(a: tuple[int, ...]) -> Limbs:
    low, second, third, fourth, high = (field.np.uint64(limb) for limb in a)
    return low, second, third, fourth, high


@settings(max_examples=300)
@given(limbs, limbs)
def test_multiply_over_the_whole_range_of_limbs(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    found = product(typed(a), typed(b))
    assert number(found) % P == number(a) * number(b) % P
    assert max(int(limb) for limb in found) < 2**52


@settings(max_examples=200)
@given(limbs)
def test_reduced_has_one_representation(a: tuple[int, ...]) -> None:
    assert number(field.reduced(typed(a))) == number(a) % P


@given(st.integers(P - 40, P + 18))
def test_reduced_near_the_modulus(value: int) -> None:
    assert number(field.reduced(limbs_of(value))) == value % P
    assert bool(field.negative(limbs_of(value))) == bool(value % P & 1)


@given(st.integers(0, P - 1), st.integers(0, P - 1))
def test_add_subtract_equal(a: int, b: int) -> None:
    assert number(field.add(limbs_of(a), limbs_of(b))) == a + b
    assert number(field.subtract(limbs_of(a), limbs_of(b))) % P == (a - b) % P
    assert bool(field.equal(limbs_of(a), limbs_of(b))) == (a == b)
    assert number(field.absolute(limbs_of(a))) == (a if a % 2 == 0 else P - a)


@given(st.integers(1, P - 1))
def test_inverse_root(a: int) -> None:
    square, root = field.inverse_root(limbs_of(a))
    assert bool(square) == (pow(a, (P - 1) // 2, P) == 1)
    if square:
        assert number(root) ** 2 * a % P == 1
