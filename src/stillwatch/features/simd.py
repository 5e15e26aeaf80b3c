"""Compiled: three instructions that Python cannot name, as LLVM code. What they mean never changes."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

BLOCK = 64
"""Bytes that `classify_block` looks at; it and `load_word` read past no array that reaches BLOCK + 8 further."""

_LANES = ir.VectorType(ir.IntType(8), BLOCK)
_WORD = ir.IntType(64)


def _load(context: Any, builder: Any, signature: Any, args: Any, kind: ir.Type) -> Any:
    array = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0])
    place = builder.bitcast(builder.gep(array.data, [args[1]]), kind.as_pointer())
    return builder.load(place, align=1)


@intrinsic
def load_word(_context: Any, data: Any, _at: Any) -> Any:
    """Return data[at:at + 8] as a little-endian uint64, whatever its alignment."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _load(context, builder, signature, args, _WORD)

    return types.uint64(data, types.int64), generate


@intrinsic
def classify_block(_context: Any, data: Any, _at: Any) -> Any:
    """Return two uint64 for data[at:at + 64], bit i for byte i: ASCII letters; digits and bytes that are not ASCII."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = _load(context, builder, signature, args, _LANES)
        lower = builder.or_(lanes, _each(0x20))
        letter = builder.icmp_unsigned("<", builder.sub(lower, _each(ord("a"))), _each(26))
        digit = builder.icmp_unsigned("<", builder.sub(lanes, _each(ord("0"))), _each(10))
        high = builder.icmp_signed("<", lanes, _each(0))
        masks = [builder.bitcast(lane, _WORD) for lane in (letter, builder.or_(digit, high))]
        return context.make_tuple(builder, signature.return_type, masks)

    return types.UniTuple(types.uint64, 2)(data, types.int64), generate


@intrinsic
def lowest_bit(_context: Any, _mask: Any) -> Any:
    """Return the position of the lowest bit of a uint64 that is not 0."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


def _each(byte: int) -> ir.Constant:
    return ir.Constant(_LANES, [byte] * BLOCK)
