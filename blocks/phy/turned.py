"""The row-column interleaver as a transpose in tiles, of which each column is turned by its number."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from lgvsc_flow.blocks.phy.ldpc.checks import generated, pointers
from lgvsc_flow.blocks.phy.ldpc.simd import F32, I8, I32, Code
from lgvsc_flow.kernels import kernel

__all__ = ["TILE", "turn", "turn_back"]

TILE = 16  # rows and columns
STEP = 16  # elements copied at a time; what is written too much is written over, or lies in the padding of a buffer


def _element(kind: Any) -> Any:
    return F32 if kind.dtype == types.float32 else I8


@generated
def _tile(
    typing: Any, source: Any, start: Any, pitch: Any, last: Any, target: Any, at: Any, across: Any, end: Any
) -> Any:
    """Transpose a tile: rows at source[start + row * pitch] to columns at target[at + column * across].

    In place of rows behind `last` that one is read, and columns behind `end` are not written.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        element = _element(signature.args[0])
        code, align = Code(builder, TILE), 4 if element == F32 else 1
        # Integers: moving a number must not touch it.
        kind = ir.VectorType(I32 if element == F32 else I8, TILE)
        source, start, pitch, last, target, at, across, end = pointers(context, builder, signature, arguments)

        def line(pointer: Any, first: Any, step: Any, number: int, most: Any) -> Any:
            index = code.number(number)
            index = builder.select(builder.icmp_signed("<", most, index), most, index)
            return code.at(pointer, builder.add(first, builder.mul(index, step)), element)

        rows = [code.load(line(source, start, pitch, i, last), kind, align) for i in range(TILE)]
        low = [i // 2 + (i % 2) * TILE for i in range(TILE)]
        for _ in range(TILE.bit_length() - 1):
            pairs = list(zip(rows[: TILE // 2], rows[TILE // 2 :], strict=True))
            rows = [code.shuffle(a, b, [pick + more for pick in low]) for a, b in pairs for more in (0, TILE // 2)]
        for i in reversed(range(TILE)):  # the true one is the last to be written at `end`
            code.store(rows[i], line(target, at, across, i, end), align)
        return context.get_dummy_value()

    number = types.int64
    return types.void(source, number, number, number, target, number, number, number), generate


@generated
def _copy(typing: Any, source: Any, start: Any, target: Any, at: Any, count: Any) -> Any:
    """source[start : start + count] to target[at:], in whole steps."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        element = _element(signature.args[0])
        code, align = Code(builder, STEP), 4 if element == F32 else 1
        kind = ir.VectorType(I32 if element == F32 else I8, STEP)
        source, start, target, at, count = pointers(context, builder, signature, arguments)
        source, target = code.at(source, start, element), code.at(target, at, element)
        with code.loop(builder.udiv(builder.add(count, code.number(STEP - 1)), code.number(STEP))) as step:
            first = builder.mul(step, code.number(STEP))
            code.store(code.load(code.at(source, first, element), kind, align), code.at(target, first, element), align)
        return context.get_dummy_value()

    return types.void(source, types.int64, target, types.int64, types.int64), generate


@kernel
def turn(burst: np.ndarray, columns: int) -> np.ndarray:
    """Rows of `columns`, TILE or more, read column by column, column j beginning in row -j modulo the rows."""
    rows = burst.size // columns
    pitch = (rows + TILE - 1) // TILE * TILE + STEP
    tile, out = np.empty(TILE * pitch, burst.dtype), np.empty(burst.size + STEP, burst.dtype)
    for c in range(0, columns, TILE):
        first = min(c, columns - TILE)
        for r in range(0, rows, TILE):
            _tile(burst, r * columns + first, columns, rows - 1 - r, tile, r, pitch, TILE)
        for i in range(TILE):
            at, shift = (first + i) * rows, (first + i) % rows
            _copy(tile, i * pitch + rows - shift, out, at, shift)
            _copy(tile, i * pitch, out, at + shift, rows - shift)
    return out[: burst.size]


@kernel
def turn_back(burst: np.ndarray, columns: int) -> np.ndarray:
    """The inverse of `turn`."""
    rows = burst.size // columns
    pitch = (rows + TILE - 1) // TILE * TILE + STEP
    tile, out = np.empty(TILE * pitch, burst.dtype), np.empty(burst.size, burst.dtype)
    for c in range(0, columns, TILE):
        first = min(c, columns - TILE)
        for i in range(TILE):
            at, shift = (first + i) * rows, (first + i) % rows
            if at + rows + STEP <= burst.size:
                _copy(burst, at + shift, tile, i * pitch, rows - shift)
                _copy(burst, at, tile, i * pitch + rows - shift, shift)
            else:  # near the end nothing lies behind that could be read too
                for r in range(rows):
                    tile[i * pitch + r] = burst[at + (r + shift) % rows]
        for r in range(0, rows, TILE):
            _tile(tile, r, pitch, TILE, out, r * columns + first, columns, rows - 1 - r)
    return out
