"""The bit interleaver of 5G NR over vectors: `width` rows to symbols, and LLRs back to rows.

A codeword's rows need not lie together: `pieces` int64 [pieces, 2 + width] says for columns [begin, end) where each row
has them, begin and end in front. The shuffles are written as vectors, since loops over strides of bytes become scalar.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types

from lgvsc_flow.blocks.phy.ldpc.checks import generated, pointers
from lgvsc_flow.blocks.phy.ldpc.simd import F32, I64, Code, switch
from lgvsc_flow.kernels import kernel

__all__ = ["NO_GAPS", "unweave", "unweave_words", "weave"]

NO_GAPS = np.empty((0, 3), np.int64)
WIDEST = 10
WIDTHS = (1, *range(2, WIDEST + 1, 2))  # bits of the symbols that have vector code
BYTES, FLOATS = 64, 16  # columns at a time


def _woven(code: Code, rows: Sequence[Any]) -> list[Any]:
    """Equal vectors, element by element in turns: as many vectors."""
    size, count = rows[0].type.count, len(rows)
    if count % 2 == 0:
        element = ir.IntType(2 * rows[0].type.element.width)
        kind = ir.VectorType(element, size // 2)
        low = [i // 2 + (i % 2) * size for i in range(size)]
        pairs = list(zip(rows[::2], rows[1::2], strict=True))
        halves = [[code.shuffle(a, b, [pick + more for pick in low]) for a, b in pairs] for more in (0, size // 2)]
        if count == 2:
            return [half[0] for half in halves]
        return [whole for half in halves for whole in _woven(code, [code.builder.bitcast(pair, kind) for pair in half])]
    found = []
    for part in range(count):
        places = [divmod(part * size + i, count) for i in range(size)]
        found.append(_picked(code, rows, [(row, column) for column, row in places]))
    return found


def _rows(code: Code, parts: Sequence[Any]) -> list[Any]:
    """The inverse of `_woven`."""
    size, count = parts[0].type.count, len(parts)
    if count == 1:
        return list(parts)
    if count % 2 == 0:
        pairs = list(zip(parts[::2], parts[1::2], strict=True))
        even, odd = (_rows(code, [code.shuffle(a, b, range(first, 2 * size, 2)) for a, b in pairs]) for first in (0, 1))
        return [row for both in zip(even, odd, strict=True) for row in both]
    return [_picked(code, parts, [divmod(i * count + row, size) for i in range(size)]) for row in range(count)]


def _picked(code: Code, vectors: Sequence[Any], places: Sequence[tuple[int, int]]) -> Any:
    """A vector of elements (vector, place) of several, by a chain of shuffles of two."""
    size, found = len(places), vectors[0]
    for number in range(1, len(vectors)):
        picks = [
            i if vector < number and number > 1 else size + place if vector == number else place
            for i, (vector, place) in enumerate(places)
        ]
        found = code.shuffle(found, vectors[number], picks)
    return found


@generated
def _weave(typing: Any, word: Any, places: Any, piece: Any, out: Any, at: Any, blocks: Any, width: Any) -> Any:
    """Rows of uint8 `word` from places[piece + row] on to `out` from `at` on, `blocks` times BYTES columns."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, BYTES)
        word, places, piece, out, at, blocks, width = pointers(context, builder, signature, arguments)

        def body(count: int) -> None:
            rows = [
                code.at(word, code.load(code.at(places, builder.add(piece, code.number(i)), I64), I64, 8))
                for i in range(count)
            ]
            target = code.at(out, at)
            with code.loop(blocks) as block:
                first = builder.mul(block, code.number(BYTES))
                there = code.at(target, builder.mul(block, code.number(BYTES * count)))
                for i, part in enumerate(_woven(code, [code.load(code.at(row, first)) for row in rows])):
                    code.store(part, code.at(there, code.number(BYTES * i)))

        switch(code, width, WIDTHS, body)
        return context.get_dummy_value()

    return types.void(word, places, types.int64, out, types.int64, types.int64, types.int64), generate


def _unweaver(known: bool, onto: bool) -> Any:
    @generated
    def unweave(typing: Any, llrs: Any, at: Any, word: Any, places: Any, piece: Any, blocks: Any, width: Any) -> Any:
        """float32 `llrs` from `at` on to rows of `word`, `blocks` times FLOATS columns; NaN to 0 if `known`."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            code, kind = Code(builder, FLOATS), ir.VectorType(F32, FLOATS)
            llrs, at, word, places, piece, blocks, width = pointers(context, builder, signature, arguments)
            nothing = ir.Constant(kind, [0.0] * FLOATS)

            def body(count: int) -> None:
                rows = [
                    code.at(word, code.load(code.at(places, builder.add(piece, code.number(i)), I64), I64, 8), F32)
                    for i in range(count)
                ]
                source = code.at(llrs, at, F32)
                with code.loop(blocks) as block:
                    first = builder.mul(block, code.number(FLOATS))
                    here = code.at(source, builder.mul(block, code.number(FLOATS * count)), F32)
                    parts = [code.load(code.at(here, code.number(FLOATS * i), F32), kind, 4) for i in range(count)]
                    for row, values in zip(rows, _rows(code, parts), strict=True):
                        there = code.at(row, first, F32)
                        if known:
                            values = builder.select(builder.fcmp_ordered("ord", values, values), values, nothing)
                        total = builder.fadd(code.load(there, kind, 4), values) if onto else values
                        code.store(total, there, 4)

            switch(code, width, WIDTHS, body)
            return context.get_dummy_value()

        return types.void(llrs, types.int64, word, places, types.int64, types.int64, types.int64), generate

    return unweave


_move_to_rows, _to_rows, _onto_rows = (_unweaver(*how) for how in ((False, False), (True, False), (True, True)))


# What follows is compiled into the kernels at the end, whose cache sees changes of this file.
@njit(nogil=True)
def _known(value: np.float32) -> np.float32:
    return value if value == value else np.float32(0)


@njit(nogil=True)
def _blocks(pieces: np.ndarray, p: int, columns: int) -> int:
    """Of a piece, how many times `columns` are done as vectors."""
    width = pieces.shape[1] - 2
    written = width == 1 or (width % 2 == 0 and width <= WIDEST)
    return (pieces[p, 1] - pieces[p, 0]) // columns if written else 0


@njit(nogil=True)
def _move(llrs: np.ndarray, at: int, pieces: np.ndarray, first: int, stop: int, word: np.ndarray) -> None:
    width = pieces.shape[1] - 2
    for p in range(first, stop):
        begin, blocks = pieces[p, 0], _blocks(pieces, p, FLOATS)
        _move_to_rows(llrs, at + begin * width, word, pieces, p * (width + 2) + 2, blocks, width)
        for i in range(width):
            shift = pieces[p, 2 + i] - begin
            for j in range(begin + blocks * FLOATS, pieces[p, 1]):
                word[shift + j] = llrs[at + j * width + i]


@njit(nogil=True)
def _set(llrs: np.ndarray, at: int, pieces: np.ndarray, first: int, stop: int, word: np.ndarray) -> None:
    width = pieces.shape[1] - 2
    for p in range(first, stop):
        begin, blocks = pieces[p, 0], _blocks(pieces, p, FLOATS)
        _to_rows(llrs, at + begin * width, word, pieces, p * (width + 2) + 2, blocks, width)
        for i in range(width):
            shift = pieces[p, 2 + i] - begin
            for j in range(begin + blocks * FLOATS, pieces[p, 1]):
                word[shift + j] = _known(llrs[at + j * width + i])


@njit(nogil=True)
def _add(llrs: np.ndarray, at: int, pieces: np.ndarray, first: int, stop: int, word: np.ndarray) -> None:
    width = pieces.shape[1] - 2
    for p in range(first, stop):
        begin, blocks = pieces[p, 0], _blocks(pieces, p, FLOATS)
        _onto_rows(llrs, at + begin * width, word, pieces, p * (width + 2) + 2, blocks, width)
        for i in range(width):
            shift = pieces[p, 2 + i] - begin
            for j in range(begin + blocks * FLOATS, pieces[p, 1]):
                word[shift + j] += _known(llrs[at + j * width + i])


@kernel
def weave(words: np.ndarray, shares: np.ndarray, starts: np.ndarray, pieces: np.ndarray, out: np.ndarray) -> None:
    """Bits of words uint8 [frames, n], symbol by symbol, to `out`, shares[r] bits of word r modulo the shares.

    The pieces of share r are those from starts[r] to starts[r + 1].
    """
    width, at = pieces.shape[1] - 2, 0
    for f in range(words.shape[0]):
        word, r = words[f], f % shares.size
        for p in range(starts[r], starts[r + 1]):
            begin, blocks = pieces[p, 0], _blocks(pieces, p, BYTES)
            _weave(word, pieces, p * (width + 2) + 2, out, at + begin * width, blocks, width)
            for i in range(width):
                shift = pieces[p, 2 + i] - begin
                for j in range(begin + blocks * BYTES, pieces[p, 1]):
                    out[at + j * width + i] = word[shift + j]
        at += shares[r]


@kernel
def unweave_words(
    llrs: np.ndarray, shares: np.ndarray, starts: np.ndarray, pieces: np.ndarray, words: np.ndarray
) -> None:
    """The inverse of `weave`, of LLRs as they are: words float32 [frames, n]."""
    at = 0
    for f in range(words.shape[0]):
        r = f % shares.size
        _move(llrs, at, pieces, starts[r], starts[r + 1], words[f])
        at += shares[r]


@kernel
def unweave(
    llrs: np.ndarray,
    first: int,
    stride: int,
    bursts: np.ndarray,
    shares: np.ndarray,
    starts: np.ndarray,
    pieces: np.ndarray,
    gaps: np.ndarray,
    words: np.ndarray,
    onto: bool,
) -> None:
    """The way back of LLRs, to or onto words float32 [bursts * shares, n]; NaN counts as 0.

    Those of burst b begin at first + bursts[b] * stride. If they are not added, `gaps` int64 [gaps, 3] are filled as
    well, in words of share gaps[g, 0] from gaps[g, 1] to gaps[g, 2]: with 0, or with infinity where the share is
    written as ~share.
    """
    for b in range(bursts.size):
        at = first + bursts[b] * stride
        for r in range(shares.size):
            word = words[b * shares.size + r]
            if onto:
                _add(llrs, at, pieces, starts[r], starts[r + 1], word)
            else:
                _set(llrs, at, pieces, starts[r], starts[r + 1], word)
                for g in range(gaps.shape[0]):
                    if gaps[g, 0] == r or gaps[g, 0] == ~r:
                        value = np.float32(0 if gaps[g, 0] == r else np.inf)
                        for i in range(gaps[g, 1], gaps[g, 2]):
                            word[i] = value
            at += shares[r]
