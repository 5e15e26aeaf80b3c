"""Compiled: arithmetic modulo 2^255 - 19 on five limbs of 51 bits, for public values only: its time depends on them.

A limb that enters `multiply` is below 2^54, one that leaves it below 2^52. `add` of two such results is below 2^53, and
`subtract` of anything up to 2^53 - 76 from such a sum below 2^54; whoever combines them keeps these bounds.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

Limbs = tuple[np.uint64, np.uint64, np.uint64, np.uint64, np.uint64]

_KIND = types.UniTuple(types.uint64, 5)
_WIDE = ir.IntType(128)
_BITS = np.uint64(51)
_MASK = np.uint64((1 << 51) - 1)
_FOUR_P = tuple(np.uint64((1 << 53) - (76 if limb == 0 else 4)) for limb in range(5))
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
ONE = (_ONE, _ZERO, _ZERO, _ZERO, _ZERO)


def limbs_of(value: int) -> Limbs:
    """Return an integer below 2^255 as limbs."""
    low, second, third, fourth, high = (np.uint64(value >> 51 * limb & int(_MASK)) for limb in range(5))
    return low, second, third, fourth, high


_ROOT_OF_MINUS_ONE = limbs_of(pow(2, (2**255 - 20) // 4, 2**255 - 19))


@intrinsic
def multiply(_context: Any, _a: Any, _b: Any) -> Any:
    """Return the product of two elements."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        a, b = ([builder.zext(builder.extract_value(side, limb), _WIDE) for limb in range(5)] for side in args)
        nineteen, bits, mask = (ir.Constant(_WIDE, value) for value in (19, 51, int(_MASK)))
        folded = [builder.mul(limb, nineteen) for limb in b]
        sums = []
        for place in range(5):
            terms = [builder.mul(a[i], (b if i <= place else folded)[(place - i) % 5]) for i in range(5)]
            total = terms[0]
            for term in terms[1:]:
                total = builder.add(total, term)
            sums.append(total)
        carry = ir.Constant(_WIDE, 0)
        for place in range(5):
            total = builder.add(sums[place], carry)
            sums[place], carry = builder.and_(total, mask), builder.lshr(total, bits)
        low = builder.add(sums[0], builder.mul(carry, nineteen))
        sums[0] = builder.and_(low, mask)
        sums[1] = builder.add(sums[1], builder.lshr(low, bits))
        narrow = [builder.trunc(limb, ir.IntType(64)) for limb in sums]
        return context.make_tuple(builder, signature.return_type, narrow)

    return _KIND(_KIND, _KIND), generate


@numba.njit(cache=True, nogil=True)
def add(a: Limbs, b: Limbs) -> Limbs:
    """Return a + b, not carried."""
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4]


@numba.njit(cache=True, nogil=True)
def subtract(a: Limbs, b: Limbs) -> Limbs:
    """Return a - b + 4p, not carried."""
    return (
        a[0] + _FOUR_P[0] - b[0],
        a[1] + _FOUR_P[1] - b[1],
        a[2] + _FOUR_P[2] - b[2],
        a[3] + _FOUR_P[3] - b[3],
        a[4] + _FOUR_P[4] - b[4],
    )


@numba.njit(cache=True, nogil=True)
def _squared(a: Limbs, times: int) -> Limbs:
    for _ in range(times):
        a = multiply(a, a)
    return a


@numba.njit(cache=True, nogil=True)
def _power_252_3(a: Limbs) -> Limbs:
    """Return a to the power 2^252 - 3, which is (p - 5) / 8."""
    nine = multiply(_squared(a, 3), a)
    eleven = multiply(nine, multiply(a, a))
    ones5 = multiply(_squared(eleven, 1), nine)
    ones10 = multiply(_squared(ones5, 5), ones5)
    ones20 = multiply(_squared(ones10, 10), ones10)
    ones40 = multiply(_squared(ones20, 20), ones20)
    ones50 = multiply(_squared(ones40, 10), ones10)
    ones100 = multiply(_squared(ones50, 50), ones50)
    ones200 = multiply(_squared(ones100, 100), ones100)
    ones250 = multiply(_squared(ones200, 50), ones50)
    return multiply(_squared(ones250, 2), a)


@numba.njit(cache=True, nogil=True)
def reduced(a: Limbs) -> Limbs:
    """Return the one representation below p of an element whose limbs are below 2^54."""
    a = multiply(a, ONE)
    a0, a1, a2, a3, a4 = a
    for _ in range(2):  # the value is below 2^256, so it is at most two p too large
        over = (a0 + np.uint64(19)) >> _BITS
        over = (a1 + over) >> _BITS
        over = (a2 + over) >> _BITS
        over = (a3 + over) >> _BITS
        over = (a4 + over) >> _BITS
        a0 += np.uint64(19) * over
        a1 += a0 >> _BITS
        a2 += a1 >> _BITS
        a3 += a2 >> _BITS
        a4 += a3 >> _BITS
        a0, a1, a2, a3, a4 = a0 & _MASK, a1 & _MASK, a2 & _MASK, a3 & _MASK, a4 & _MASK
    return a0, a1, a2, a3, a4


@numba.njit(cache=True, nogil=True)
def equal(a: Limbs, b: Limbs) -> bool:
    """Tell whether two elements (limbs below 2^54) are the same."""
    a, b = reduced(a), reduced(b)
    return a[0] == b[0] and a[1] == b[1] and a[2] == b[2] and a[3] == b[3] and a[4] == b[4]


@numba.njit(cache=True, nogil=True)
def negative(a: Limbs) -> bool:
    """Tell whether an element is odd, which RFC 9496 calls negative."""
    return (reduced(a)[0] & _ONE) == _ONE


@numba.njit(cache=True, nogil=True)
def absolute(a: Limbs) -> Limbs:
    """Return a or -a, whichever is not negative."""
    return reduced(subtract((_ZERO, _ZERO, _ZERO, _ZERO, _ZERO), a)) if negative(a) else a


@numba.njit(cache=True, nogil=True)
def inverse_root(a: Limbs) -> tuple[bool, Limbs]:
    """Return whether a is a square, and 1/sqrt(a) if it is (SQRT_RATIO_M1 of RFC 9496 with u = 1)."""
    cube = multiply(multiply(a, a), a)
    root = multiply(cube, _power_252_3(multiply(multiply(cube, cube), a)))
    check = multiply(a, multiply(root, root))
    minus_one = subtract((_ZERO, _ZERO, _ZERO, _ZERO, _ZERO), ONE)
    straight, flipped = equal(check, ONE), equal(check, minus_one)
    if not straight:
        root = multiply(root, _ROOT_OF_MINUS_ONE)
    return straight or flipped, absolute(root)
