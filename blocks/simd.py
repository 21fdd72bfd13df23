"""Vectors of 16 lanes in generated code: what LLVM maps to whatever the processor has, without guessing at loops.

No operation is fused or reordered and none comes from a mathematics library, so that every processor gives the same
bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["F32", "LANES", "U32", "U64", "Memory", "Vector", "each_step", "spread"]

LANES = 16
U64, U32 = ir.VectorType(ir.IntType(64), LANES), ir.VectorType(ir.IntType(32), LANES)
F32 = ir.VectorType(ir.FloatType(), LANES)


class Vector:
    """A vector of the code under construction, with operators; a number beside it stands for all lanes."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder, self.value = builder, value

    def _with(self, other: Vector | float, for_int: str, for_float: str = "") -> Vector:
        kind = self.value.type
        right = other.value if isinstance(other, Vector) else ir.Constant(kind, [_exact(other, kind)] * kind.count)
        name = for_float if isinstance(kind.element, ir.FloatType) else for_int
        return Vector(self.builder, getattr(self.builder, name)(self.value, right))

    def __add__(self, other: Vector | float) -> Vector:
        return self._with(other, "add", "fadd")

    def __sub__(self, other: Vector | float) -> Vector:
        return self._with(other, "sub", "fsub")

    def __mul__(self, other: Vector | float) -> Vector:
        return self._with(other, "mul", "fmul")

    def __truediv__(self, other: Vector | float) -> Vector:
        return self._with(other, "sdiv", "fdiv")

    def __xor__(self, other: Vector) -> Vector:
        return self._with(other, "xor")

    def __or__(self, other: Vector) -> Vector:
        return self._with(other, "or_")

    def __and__(self, other: Vector | int) -> Vector:
        return self._with(other, "and_")

    def __lshift__(self, places: int) -> Vector:
        return self._with(places, "shl")

    def __rshift__(self, places: int) -> Vector:
        return self._with(places, "lshr")

    def signed_rshift(self, places: int) -> Vector:
        return self._with(places, "ashr")

    def rotate(self, places: int) -> Vector:
        return self << places | self >> (64 - places)

    def to(self, how: str, kind: ir.VectorType) -> Vector:
        return Vector(self.builder, getattr(self.builder, how)(self.value, kind))

    def shuffle(self, other: Vector, lanes: Sequence[int]) -> Vector:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes))
        return Vector(self.builder, self.builder.shuffle_vector(self.value, other.value, mask))

    def where(self, yes: Vector, no: Vector | float) -> Vector:
        """`yes` in the lanes in which this, the result of a comparison, holds."""
        other = no.value if isinstance(no, Vector) else ir.Constant(yes.value.type, [no] * yes.value.type.count)
        return Vector(self.builder, self.builder.select(self.value, yes.value, other))

    def compare(self, sign: str, other: Vector | float) -> Vector:
        """An ordered comparison of floats: false for NaN."""
        kind = self.value.type
        right = other.value if isinstance(other, Vector) else ir.Constant(kind, [_exact(other, kind)] * kind.count)
        return Vector(self.builder, self.builder.fcmp_ordered(sign, self.value, right))

    def minimum(self, other: Vector | float) -> Vector:
        return self.compare("<", other).where(self, other)

    def maximum(self, other: Vector | float) -> Vector:
        return self.compare(">", other).where(self, other)

    def sqrt(self) -> Vector:
        kind = self.value.type
        name = f"llvm.sqrt.v{kind.count}f32"
        function = cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(kind, [kind]), name)
        return Vector(self.builder, self.builder.call(function, [self.value]))


def _exact(number: float, kind: ir.VectorType) -> float:
    return float(np.float32(number)) if isinstance(kind.element, ir.FloatType) else number


class Memory:
    """The elements of an array, read and written as vectors; offsets are in bytes."""

    def __init__(self, builder: ir.IRBuilder, data: ir.Value) -> None:
        self.builder, self.data = builder, builder.bitcast(data, ir.IntType(8).as_pointer())

    def _at(self, offset: ir.Value | int, kind: ir.VectorType) -> ir.Value:
        index = ir.Constant(ir.IntType(64), offset) if isinstance(offset, int) else offset
        return self.builder.bitcast(self.builder.gep(self.data, [index]), kind.as_pointer())

    def load(self, offset: ir.Value | int, kind: ir.VectorType) -> Vector:
        return Vector(self.builder, self.builder.load(self._at(offset, kind), align=1))

    def step(self, number: ir.Value, stride: int, plus: int = 0) -> ir.Value:
        """The offset of a step: number * stride + plus."""
        scaled = self.builder.mul(number, ir.Constant(number.type, stride))
        return self.builder.add(scaled, ir.Constant(number.type, plus))

    def store(self, offset: ir.Value | int, vector: Vector) -> None:
        self.builder.store(vector.value, self._at(offset, vector.value.type), align=1)


def spread(builder: ir.IRBuilder, number: ir.Value) -> Vector:
    """A number in every lane."""
    lanes = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
    for i in range(LANES):
        lanes = builder.insert_element(lanes, number, ir.Constant(ir.IntType(32), i))
    return Vector(builder, lanes)


Emit = Callable[[list[Memory], ir.Value, list[Vector]], None]


def each_step(*emits: Emit) -> Any:
    """An intrinsic `(out, in1, in2, steps, which, a, b, c)`: three arrays, two integers, three float32.

    The emitter number `which` writes the code of one step: it is given the arrays, the number of the step and the
    three numbers. It must stay within the arrays, which nothing checks.
    """

    def typed(
        typing: Any, out: Any, in1: Any, in2: Any, steps: Any, which: Any, a: Any, b: Any, c: Any
    ) -> tuple[Any, Any]:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
            arrays = zip(signature.args[:3], values[:3], strict=True)
            memory = [Memory(builder, context.make_array(t)(context, builder, v).data) for t, v in arrays]
            numbers = [spread(builder, v) for v in values[5:]]
            for i, emit in enumerate(emits):
                chosen = builder.icmp_signed("==", values[4], ir.Constant(values[4].type, i))
                with builder.if_then(chosen), cgutils.for_range(builder, values[3]) as loop:
                    emit(memory, loop.index, numbers)
            return context.get_dummy_value()

        return types.void(out, in1, in2, types.intp, types.intp, *[types.float32] * 3), generate

    return intrinsic(typed)
