"""What goes into the int8 decoder and comes out of it, as Numba intrinsics made of vector code.

Between LLRs or bits, where each frame lies by itself, and the buffers of `checks`, there is the codeword [n, F]: F
frames (1, 2, 4, 8 or 16) with their bytes interleaved. Arrays are given as they lie in memory; the caller answers for
all sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from lgvsc_flow.blocks.phy.ldpc.checks import generated, literal, pointers
from lgvsc_flow.blocks.phy.ldpc.simd import F32, I32, I64, Code, switch

__all__ = ["FRAMES", "gather", "hand_out", "interleave", "magnitudes", "scatter"]

FRAMES = (1, 2, 4, 8, 16)  # that can be interleaved


@contextmanager
def blocks(code: Code, count: Any) -> Iterator[Any]:
    """A loop over blocks of 16 elements; the last one overlaps the one before where 16 does not divide `count`."""
    b = code.builder
    last = b.sub(count, code.number(16))
    with code.loop(b.udiv(b.add(count, code.number(15)), code.number(16))) as block:
        at = b.mul(block, code.number(16))
        yield b.select(b.icmp_signed("<", last, at), last, at)


@generated
def magnitudes(typing: Any, llrs: Any, first: Any, count: Any) -> Any:
    """Of float32 `llrs` [first, first + count), count up to 2**17: how many are neither 0, infinite nor NaN, times
    2**40, plus the sum of the upper 19 bits of their patterns without sign; the last count % 16 are left out."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, 64)
        llrs, first, count = pointers(context, builder, signature, arguments)
        source, kind = code.at(llrs, first, F32), ir.VectorType(I32, 16)
        total, some = (cgutils.alloca_once_value(builder, ir.Constant(kind, [0] * 16)) for _ in range(2))

        def constant(value: int) -> ir.Constant:
            return ir.Constant(kind, [value] * 16)

        with code.loop(builder.udiv(count, code.number(16))) as block:
            at = builder.mul(block, code.number(16))
            pattern = builder.and_(code.load(code.at(source, at, F32), kind, 4), constant(0x7FFFFFFF))
            known = builder.icmp_unsigned("<", builder.sub(pattern, constant(1)), constant(0x7F7FFFFF))
            part = builder.select(known, builder.lshr(pattern, constant(12)), constant(0))
            builder.store(builder.add(builder.load(total), part), total)
            builder.store(builder.add(builder.load(some), builder.zext(known, kind)), some)
        wide = ir.VectorType(I64, 16)
        both = builder.add(
            builder.zext(builder.load(total), wide),
            builder.shl(builder.zext(builder.load(some), wide), ir.Constant(wide, [40] * 16)),
        )
        reduce_type = ir.FunctionType(I64, (wide,))
        return builder.call(
            cgutils.get_or_insert_function(builder.module, reduce_type, "llvm.vector.reduce.add.v16i64"), (both,)
        )

    return types.int64(llrs, types.int64, types.int64), generate


@generated
def interleave(typing: Any, llrs: Any, firsts: Any, scales: Any, word: Any, count: Any, frames: Any) -> Any:
    """float32 `llrs` [firsts[f], firsts[f] + count) times scales[f], quantised, to int8 `word` [count, frames].

    `count` is at least 16; `firsts` int64, `scales` float32.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, 16)
        llrs, firsts, scales, word, count, frames = pointers(context, builder, signature, arguments)

        def body(number: int) -> None:
            sources = [
                code.at(llrs, code.load(code.at(firsts, code.number(f), I64), I64, 8), F32) for f in range(number)
            ]
            factors = [code.load(code.at(scales, code.number(f), F32), F32, 4) for f in range(number)]
            with blocks(code, count) as at:
                rows = [code.quantised(code.at(s, at, F32), f) for s, f in zip(sources, factors, strict=True)]
                target = code.at(word, builder.mul(at, frames))
                for i, row in enumerate(code.unpacked(rows, number.bit_length() - 1)):
                    code.store(row, code.at(target, code.number(16 * i)))

        switch(code, frames, FRAMES, body)
        return context.get_dummy_value()

    return types.void(llrs, firsts, scales, word, types.int64, types.int64), generate


@generated
def hand_out(typing: Any, word: Any, bits: Any, firsts: Any, count: Any, frames: Any) -> Any:
    """The way back, as bits: int8 `word` [count, frames] to uint8 `bits` from firsts[f] on, 1 where it is <= 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, 16)
        word, bits, firsts, count, frames = pointers(context, builder, signature, arguments)

        def body(number: int) -> None:
            targets = [code.at(bits, code.load(code.at(firsts, code.number(f), I64), I64, 8)) for f in range(number)]
            with blocks(code, count) as at:
                source = code.at(word, builder.mul(at, frames))
                rows = [code.load(code.at(source, code.number(16 * i))) for i in range(number)]
                for target, row in zip(targets, code.unpacked(rows, 4), strict=True):
                    ones = builder.zext(builder.icmp_signed("<=", row, code.splat(0)), code.bytes)
                    code.store(ones, code.at(target, at))

        switch(code, frames, FRAMES, body)
        return context.get_dummy_value()

    return types.void(word, bits, firsts, types.int64, types.int64), generate


@generated
def scatter(typing: Any, word: Any, columns: Any, homes: Any, count: Any, span: Any, width: Any) -> Any:
    """Columns [0, count) of `word` [count, span] to the buffers at `homes` int32, each with its beginning once more."""
    lanes = literal(width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        word, columns, homes, count, span, _ = pointers(context, builder, signature, arguments)
        vectors = builder.udiv(builder.add(span, code.number(lanes - 1)), code.number(lanes))
        with code.loop(count) as column:
            source = code.at(word, builder.mul(column, span))
            target = code.at(columns, code.word(homes, builder.mul(column, vectors)))
            with code.loop(vectors) as vector:
                at = builder.mul(vector, code.number(lanes))
                code.store(code.load(code.at(source, at)), code.at(target, at))
            code.store(code.load(target), code.at(target, span))
        return context.get_dummy_value()

    return types.void(word, columns, homes, types.int64, types.int64, width), generate


@generated
def gather(typing: Any, word: Any, columns: Any, homes: Any, mask: Any, count: Any, span: Any, width: Any) -> Any:
    """The way back, in the lanes where `mask` int8 [width] is not 0: `homes` int32 [count, vectors] has the bytes.

    Writes up to a vector behind the last column.
    """
    lanes = literal(width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        word, columns, homes, mask, count, span, _ = pointers(context, builder, signature, arguments)
        vectors = builder.udiv(builder.add(span, code.number(lanes - 1)), code.number(lanes))
        ours = builder.icmp_signed("!=", code.load(mask), code.splat(0))
        with code.loop(count) as column:
            target, entry = code.at(word, builder.mul(column, span)), builder.mul(column, vectors)
            with code.loop(vectors) as vector:
                found = code.load(code.at(columns, code.word(homes, builder.add(entry, vector))))
                place = code.at(target, builder.mul(vector, code.number(lanes)))
                code.store(builder.select(ours, found, code.load(place)), place)
        return context.get_dummy_value()

    return types.void(word, columns, homes, mask, types.int64, types.int64, width), generate
