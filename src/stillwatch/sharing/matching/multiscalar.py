"""Compiled: a sum of many ristretto255 elements, each times a public number, in a sixth of the time of one by one.

The composites of a batch proof (RFC 9497, 2.2.1) are such sums. Everything in them goes over the wire, so their time
may depend on it; secret numbers never come here. The method is buckets (Pippenger), with signed digits of 8 bits.
"""

import numba
import numpy as np
import numpy.typing as npt

from stillwatch.sharing.matching.field import (
    ONE,
    Limbs,
    absolute,
    add,
    equal,
    inverse_root,
    limbs_of,
    multiply,
    negative,
    reduced,
    subtract,
)
from stillwatch.sharing.matching.suite import refused_element

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
_WINDOWS, _BUCKETS = 32, 128
_ZERO = np.uint64(0)
_MASK = np.uint64((1 << 51) - 1)
_NOTHING = (_ZERO, _ZERO, _ZERO, _ZERO, _ZERO)
_EDWARDS_D = limbs_of(_D)
_EDWARDS_2D = limbs_of(2 * _D % _P)

Point = tuple[Limbs, Limbs, Limbs, Limbs]
Array = npt.NDArray[np.uint64]


def weighted_sum(elements: bytes, scalars: bytes) -> bytes:
    """Return the encoding of the sum of scalars[i] * elements[i].

    Args:
        elements: canonical encodings, 32 bytes each.
        scalars: as many little-endian numbers below 2^253, 32 bytes each.

    Raises:
        InputRejectedError: an element is none of ristretto255.
    """
    words = np.frombuffer(elements, dtype="<u8").reshape(-1, 4).astype(np.uint64)
    affine = np.empty((len(words), 3, 5), np.uint64)
    wrong = _decode_all(words, affine)
    if wrong >= 0:
        raise refused_element(wrong)
    digits = np.frombuffer(scalars, dtype=np.uint8).reshape(-1, _WINDOWS)
    total = np.empty((4, 5), np.uint64)
    _sum_buckets(affine, digits, total)
    x, y, z, t = (sum(int(limb) << 51 * place for place, limb in enumerate(row)) % _P for row in total.tolist())
    return _encode(x, y, z, t)


def prepare() -> None:
    """Compile what `weighted_sum` needs (some 15 seconds on the first start after an installation, then one)."""
    weighted_sum(bytes(32), bytes(32))


def _inverse_root(value: int) -> int:
    root = pow(value, 3, _P) * pow(value, 7 * ((_P - 5) // 8), _P) % _P
    if value * root * root % _P not in {0, 1}:
        root = root * _ROOT_OF_MINUS_ONE % _P
    return _P - root if root & 1 else root


_ROOT_A_MINUS_D = _inverse_root((-1 - _D) % _P)


def _encode(x: int, y: int, z: int, t: int) -> bytes:
    """Encode extended coordinates (RFC 9496, 4.3.2)."""
    u1, u2 = (z + y) * (z - y) % _P, x * y % _P
    root = _inverse_root(u1 * u2 * u2 % _P)
    den1, den2 = root * u1 % _P, root * u2 % _P
    z_inverse = den1 * den2 * t % _P
    if t * z_inverse % _P & 1:
        x, y = y * _ROOT_OF_MINUS_ONE % _P, x * _ROOT_OF_MINUS_ONE % _P
        den2 = den1 * _ROOT_A_MINUS_D % _P
    if x * z_inverse % _P & 1:
        y = -y
    s = den2 * (z - y) % _P
    return (_P - s if s & 1 else s).to_bytes(32, "little")


@numba.njit(cache=True, nogil=True)
def _decode(w0: np.uint64, w1: np.uint64, w2: np.uint64, w3: np.uint64) -> tuple[bool, Limbs, Limbs, Limbs]:
    """Return whether four words encode an element, and its y - x, y + x and 2dxy (RFC 9496, 4.3.1)."""
    s = (
        w0 & _MASK,
        (w0 >> np.uint64(51) | w1 << np.uint64(13)) & _MASK,
        (w1 >> np.uint64(38) | w2 << np.uint64(26)) & _MASK,
        (w2 >> np.uint64(25) | w3 << np.uint64(39)) & _MASK,
        w3 >> np.uint64(12),
    )
    least = reduced(s)
    canonical = least[0] == s[0] and least[1] == s[1] and least[2] == s[2] and least[3] == s[3] and least[4] == s[4]
    squared = multiply(s, s)
    u1, u2 = multiply(subtract(ONE, squared), ONE), add(ONE, squared)
    u2_squared = multiply(u2, u2)
    v = multiply(subtract(_NOTHING, add(multiply(_EDWARDS_D, multiply(u1, u1)), u2_squared)), ONE)
    square, root = inverse_root(multiply(v, u2_squared))
    den_x = multiply(root, u2)
    den_y = multiply(multiply(root, den_x), v)
    x = absolute(multiply(add(s, s), den_x))
    y = multiply(u1, den_y)
    t = multiply(x, y)
    good = canonical and (s[0] & np.uint64(1)) == _ZERO and square and not negative(t) and not equal(y, _NOTHING)
    return good, multiply(subtract(y, x), ONE), add(y, x), multiply(t, _EDWARDS_2D)


@numba.njit(cache=True, nogil=True)
def _store(into: Array, value: Limbs) -> None:
    into[0], into[1], into[2], into[3], into[4] = value


@numba.njit(cache=True, nogil=True)
def _load(array: Array) -> Limbs:
    return array[0], array[1], array[2], array[3], array[4]


@numba.njit(cache=True, nogil=True)
def _decode_all(words: Array, affine: Array) -> int:
    """Decode each row of `words` into `affine`; return the first row that is no element, or -1."""
    for row in range(words.shape[0]):
        good, minus, plus, product = _decode(words[row, 0], words[row, 1], words[row, 2], words[row, 3])
        if not good:
            return row
        _store(affine[row, 0], minus)
        _store(affine[row, 1], plus)
        _store(affine[row, 2], product)
    return -1


@numba.njit(cache=True, nogil=True)
def _finish(a: Limbs, b: Limbs, c: Limbs, d: Limbs) -> Point:
    e, f, g, h = subtract(b, a), subtract(d, c), add(d, c), add(b, a)
    return multiply(e, f), multiply(g, h), multiply(f, g), multiply(e, h)


@numba.njit(cache=True, nogil=True)
def _add_affine(point: Point, minus: Limbs, plus: Limbs, product: Limbs) -> Point:
    """Add y - x, y + x, 2dxy to extended coordinates (Hisil, Wong, Carter, Dawson 2008; complete for this curve)."""
    x, y, z, t = point
    return _finish(multiply(subtract(y, x), minus), multiply(add(y, x), plus), multiply(t, product), add(z, z))


@numba.njit(cache=True, nogil=True)
def _add_points(one: Point, other: Point) -> Point:
    x, y, z, t = other
    c, d = multiply(multiply(one[3], t), _EDWARDS_2D), multiply(one[2], z)
    a, b = multiply(subtract(one[1], one[0]), subtract(y, x)), multiply(add(one[1], one[0]), add(y, x))
    return _finish(a, b, c, add(d, d))


@numba.njit(cache=True, nogil=True)
def _digit(scalar: npt.NDArray[np.uint8], window: int) -> np.int64:
    """Return digit `window` of a scalar in base 256, from -128 to 127."""
    value = np.int64(scalar[window])
    below = window - 1
    while below >= 0 and scalar[below] == 127:  # a carry from further down passes through
        below -= 1
    if below >= 0 and scalar[below] > 127:
        value += 1
    return value - 256 if value > 127 else value


@numba.njit(cache=True, nogil=True)
def _point(array: Array) -> Point:
    return _load(array[0]), _load(array[1]), _load(array[2]), _load(array[3])


@numba.njit(cache=True, nogil=True)
def _fill(buckets: Array, affine: Array, scalars: npt.NDArray[np.uint8], window: int) -> None:
    """Put into bucket i - 1 the sum of the points whose digit is i, less those whose digit is -i."""
    for bucket in buckets:
        bucket[:] = _ZERO
        bucket[1, 0] = np.uint64(1)
        bucket[2, 0] = np.uint64(1)
    for row in range(affine.shape[0]):
        digit = _digit(scalars[row], window)
        if digit == 0:
            continue
        minus, plus, product = _load(affine[row, 0]), _load(affine[row, 1]), _load(affine[row, 2])
        if digit < 0:
            digit, minus, plus, product = -digit, plus, minus, subtract(_NOTHING, product)
        bucket = buckets[digit - 1]
        x, y, z, t = _add_affine(_point(bucket), minus, plus, product)
        _store(bucket[0], x)
        _store(bucket[1], y)
        _store(bucket[2], z)
        _store(bucket[3], t)


@numba.njit(cache=True, nogil=True)
def _sum_buckets(affine: Array, scalars: npt.NDArray[np.uint8], out: Array) -> None:
    nothing = (_NOTHING, ONE, ONE, _NOTHING)
    total = nothing
    buckets = np.empty((_BUCKETS, 4, 5), np.uint64)
    for window in range(_WINDOWS - 1, -1, -1):
        for _ in range(8):
            total = _add_points(total, total)
        _fill(buckets, affine, scalars, window)
        running, sums = nothing, nothing
        for bucket in range(_BUCKETS - 1, -1, -1):
            running = _add_points(running, _point(buckets[bucket]))
            sums = _add_points(sums, running)
        total = _add_points(total, sums)
    for place in range(4):
        _store(out[place], reduced(total[place]))
