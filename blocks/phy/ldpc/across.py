"""Codewords across the lanes, one per byte or bit: the moves of the encoder, as Numba intrinsics made of vector code.

Arrays are given as they lie in memory; the caller answers for all sizes. `width` is in bytes.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from lgvsc_flow.blocks.phy.ldpc.checks import generated, literal, pointers
from lgvsc_flow.blocks.phy.ldpc.moves import blocks
from lgvsc_flow.blocks.phy.ldpc.simd import I1, I64, Code

__all__ = ["signs_across", "turn_across", "words_across"]


@generated
def turn_across(typing: Any, rows: Any, total: Any, count: Any, width: Any, stamp: Any) -> Any:
    """int8 [width, count], count at least 16, to int8 [count, width]."""
    lanes = literal(width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        rows, total, count, *_ = pointers(context, builder, signature, arguments)
        part = ir.VectorType(ir.IntType(8), 16)
        with blocks(code, count) as at:
            lines = [code.at(code.at(rows, builder.mul(count, code.number(lane))), at) for lane in range(lanes)]
            mixed = [code.join([code.load(line, part) for line in lines[row::16]]) for row in range(16)]
            start = code.at(total, builder.mul(at, code.number(lanes)))
            for i, row in enumerate(code.transpose16(mixed)):
                code.store(row, code.at(start, code.number(i * lanes)))
        return context.get_dummy_value()

    return types.void(rows, total, types.int64, width, stamp), generate


@generated
def signs_across(typing: Any, total: Any, signs: Any, count: Any, width: Any, stamp: Any) -> Any:
    """signs uint64 [count]: bit i set where total [count, width] is <= 0 in lane i."""
    lanes = literal(width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        total, signs, count, *_ = pointers(context, builder, signature, arguments)
        with code.loop(count) as i:
            value = code.load(code.at(total, builder.mul(i, code.number(lanes))))
            found = code.mask(builder.icmp_signed("<=", value, code.splat(0)))
            code.store(builder.zext(found, I64) if lanes < 64 else found, code.at(signs, i, I64), 8)
        return context.get_dummy_value()

    return types.void(total, signs, types.int64, width, stamp), generate


@generated
def words_across(typing: Any, signs: Any, words: Any, firsts: Any, count: Any, width: Any, stamp: Any) -> Any:
    """The way back for bits: bit i of signs uint64 [count] to words[firsts[i]] on, uint8 0 or 1."""
    lanes = literal(width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        signs, words, firsts, count, *_ = pointers(context, builder, signature, arguments)
        flags = ir.VectorType(I1, lanes)
        with blocks(code, count) as at:
            rows = []
            for i in range(16):
                packed = code.load(code.at(signs, builder.add(at, code.number(i)), I64), I64, 8)
                packed = builder.trunc(packed, ir.IntType(lanes)) if lanes < 64 else packed
                rows.append(builder.zext(builder.bitcast(packed, flags), code.bytes))
            for row, mixed in enumerate(code.transpose16(rows)):
                for lane in range(row, lanes, 16):
                    first = code.load(code.at(firsts, code.number(lane), I64), I64, 8)
                    part = code.shuffle(mixed, mixed, range(lane - row, lane - row + 16))
                    code.store(part, code.at(words, builder.add(first, at)))
        return context.get_dummy_value()

    return types.void(signs, words, firsts, types.int64, width, stamp), generate
