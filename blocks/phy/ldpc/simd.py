"""Vectors of int8 inside Numba: LLVM vector code, written instruction by instruction for the kernels of the decoder.

A compiler does not find this code by itself: loops over bytes with saturation and two running minima stay an order of
magnitude slower than the same written in vectors. LLVM translates every width to any CPU; `lanes` is the one that is
native to this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from llvmlite import binding, ir
from numba.core import cgutils
from numba.core.registry import cpu_target

__all__ = ["Code", "lanes"]

I1, I8, I32, I64 = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
F32 = ir.FloatType()
PROBE = """
define void @probe(ptr %a, ptr %b) {
  %x = load <64 x i8>, ptr %a, align 1
  %y = load <64 x i8>, ptr %b, align 1
  %z = add <64 x i8> %x, %y
  store <64 x i8> %z, ptr %a, align 1
  ret void
}
"""


@cache
def lanes() -> int:
    """Bytes in a native vector of the CPU that Numba compiles for: 64 (AVX-512), 32 (AVX2) or 16 (all others).

    Asks LLVM itself, so that NUMBA_CPU_NAME and NUMBA_CPU_FEATURES count.
    """
    machine = cpu_target.target_context.codegen()._tm
    assembly = machine.emit_assembly(binding.parse_assembly(PROBE))
    return 64 if "zmm" in assembly else 32 if "ymm" in assembly else 16


class Code:
    """Writes instructions on vectors of `width` bytes; a thin layer over llvmlite's builder."""

    def __init__(self, builder: Any, width: int) -> None:
        self.builder, self.width = builder, width
        self.bytes = ir.VectorType(I8, width)

    def number(self, value: int) -> ir.Constant:
        return ir.Constant(I64, value)

    def splat(self, value: int) -> ir.Constant:
        """A vector of equal bytes."""
        return ir.Constant(self.bytes, [value] * self.width)

    def steps(self) -> ir.Constant:
        """0, 1, 2 ..."""
        return ir.Constant(self.bytes, list(range(self.width)))

    def all_of(self, value: Any) -> Any:
        """A byte in every lane."""
        one = self.builder.insert_element(ir.Constant(self.bytes, ir.Undefined), value, ir.Constant(I32, 0))
        return self.shuffle(one, one, [0] * self.width)

    def at(self, pointer: Any, index: Any, element: Any = I8) -> Any:
        """The address `index` elements behind."""
        typed = self.builder.bitcast(pointer, element.as_pointer())
        return self.builder.gep(typed, [index])

    def load(self, pointer: Any, kind: Any = None, align: int = 1) -> Any:
        kind = kind or self.bytes
        value = self.builder.load(self.builder.bitcast(pointer, kind.as_pointer()))
        value.align = align
        return value

    def store(self, value: Any, pointer: Any, align: int = 1) -> None:
        written = self.builder.store(value, self.builder.bitcast(pointer, value.type.as_pointer()))
        written.align = align

    def word(self, pointer: Any, index: Any) -> Any:
        """The int32 at `index`, as int64."""
        return self.builder.sext(self.load(self.at(pointer, index, I32), I32, 4), I64)

    def call(self, name: str, *values: Any) -> Any:
        """An LLVM intrinsic on values of one vector type: `call("umin", a, b)`; `abs` takes its flag by itself."""
        kind = values[0].type
        suffix = f"v{kind.count}{'i8' if kind.element == I8 else 'f32'}"
        flags = (I1,) if name == "abs" else ()
        function_type = ir.FunctionType(kind, (kind,) * len(values) + flags)
        function = cgutils.get_or_insert_function(self.builder.module, function_type, f"llvm.{name}.{suffix}")
        return self.builder.call(function, (*values, *(ir.Constant(I1, 0) for _ in flags)))

    def add(self, a: Any, b: Any) -> Any:
        return self.call("sadd.sat", a, b)

    def sub(self, a: Any, b: Any) -> Any:
        return self.call("ssub.sat", a, b)

    def umin(self, a: Any, b: Any) -> Any:
        return self.call("umin", a, b)

    def average(self, a: Any, b: Any) -> Any:
        """(a + b + 1) / 2 of unsigned bytes, one instruction nearly everywhere."""
        wide = ir.VectorType(ir.IntType(16), self.width)
        one = ir.Constant(wide, [1] * self.width)
        total = self.builder.add(self.builder.add(self.builder.zext(a, wide), self.builder.zext(b, wide)), one)
        return self.builder.trunc(self.builder.lshr(total, one), self.bytes)

    def mask(self, flags: Any) -> Any:
        """Flags of all lanes as one integer of `width` bits, lane 0 lowest."""
        return self.builder.bitcast(flags, ir.IntType(self.width))

    def afresh(self, value: Any) -> Any:
        """The same, but unknown to the compiler: neither kept from before nor simplified."""
        if self.width < 64:
            return value
        kind = ir.FunctionType(self.bytes, (self.bytes,))
        return self.builder.call(ir.InlineAsm(kind, "", "=v,0"), (value,))

    def shuffle(self, a: Any, b: Any, picks: Sequence[int]) -> Any:
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(picks)), list(picks)))

    def join(self, parts: Sequence[Any]) -> Any:
        """Concatenated vectors; their number is a power of two."""
        while len(parts) > 1:
            size = 2 * parts[0].type.count
            parts = [self.shuffle(a, b, range(size)) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]

    def transpose16(self, rows: list[Any]) -> list[Any]:
        """Transpose the 16 x 16 bytes that 16 vectors hold in each of their 16-byte parts, by log-step unpacking."""
        low = [part + i // 2 + (i % 2) * self.width for part in range(0, self.width, 16) for i in range(16)]
        high = [pick + 8 for pick in low]
        for _ in range(4):
            pairs = list(zip(rows[:8], rows[8:], strict=True))
            rows = [self.shuffle(a, b, picks) for a, b in pairs for picks in (low, high)]
        return rows

    def unpacked(self, rows: list[Any], steps: int) -> list[Any]:
        """Rows of 16 bytes, a power of two of them, as one sequence whose first half is shuffled into the second.

        As many times as there are bits in the number of rows, it turns [rows, 16] into [16, rows]; four times more, it
        turns that back.
        """
        low = [i // 2 + (i % 2) * 16 for i in range(16)]
        for _ in range(steps if len(rows) > 1 else 0):
            half = len(rows) // 2
            pairs = list(zip(rows[:half], rows[half:], strict=True))
            rows = [self.shuffle(a, b, picks) for a, b in pairs for picks in (low, [pick + 8 for pick in low])]
        return rows

    @contextmanager
    def loop(self, count: Any, start: Any = None) -> Iterator[Any]:
        """A loop; gives the int64 index."""
        with cgutils.for_range(self.builder, count, start, intp=I64) as loop:
            yield loop.index

    def quantised(self, pointer: Any, scale: Any) -> Any:
        """16 float32 times `scale` (a scalar), rounded to nearest, clipped to +-63, NaN to 0: 16 bytes."""
        b, kind = self.builder, ir.VectorType(F32, 16)
        raw = self.load(pointer, kind, 4)
        first = b.insert_element(ir.Constant(kind, ir.Undefined), scale, ir.Constant(I32, 0))
        scaled = b.fmul(raw, b.shuffle_vector(first, first, ir.Constant(ir.VectorType(I32, 16), [0] * 16)))
        limit, floor = ir.Constant(kind, [63.0] * 16), ir.Constant(kind, [-63.0] * 16)
        scaled = b.select(b.fcmp_ordered("<", scaled, limit), scaled, limit)  # NaN becomes 63 here ...
        scaled = b.select(b.fcmp_ordered(">", scaled, floor), scaled, floor)
        # Adding 1.5 * 2^23 leaves the rounded value in the low bits of the sum.
        whole = b.bitcast(b.fadd(scaled, ir.Constant(kind, [12582912.0] * 16)), ir.VectorType(I32, 16))
        known = b.fcmp_ordered("==", raw, raw)  # ... and 0 here
        small = b.trunc(whole, ir.VectorType(I8, 16))
        return b.select(known, small, ir.Constant(small.type, [0] * 16))


def switch(code: Code, value: Any, cases: Sequence[int], body: Callable[[int], None]) -> None:
    """Write `body(case)` for every case of an int64 value; other values do nothing."""
    b = code.builder
    blocks = [b.append_basic_block(f"case{case}") for case in cases]
    after = b.append_basic_block("after")
    choice = b.switch(value, after)
    for case, block in zip(cases, blocks, strict=True):
        choice.add_case(code.number(case), block)
        b.position_at_end(block)
        body(case)
        b.branch(after)
    b.position_at_end(after)
