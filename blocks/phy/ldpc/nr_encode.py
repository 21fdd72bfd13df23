"""Encoding of the NR codes: the four core parity blocks by rotations, the others row by row."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba.core import cgutils, types

from lgvsc_flow.blocks.given import bits_of
from lgvsc_flow.blocks.phy.ldpc.checks import generated, pointers
from lgvsc_flow.blocks.phy.ldpc.code import LdpcCode
from lgvsc_flow.blocks.phy.ldpc.nr_code import CORE_ROWS
from lgvsc_flow.blocks.phy.ldpc.simd import I1, I64, Code
from lgvsc_flow.kernels import kernel

__all__ = ["nr_encode"]


# What vectors write beyond a block's z bytes is written over by the next block, or lies in the padding at the end of a
# buffer; what they read beyond it is there, and goes where it does no harm.
STRIDE = 64


@generated
def _sum(
    typing: Any, total: Any, at: Any, old: Any, twice: Any, places: Any, start: Any, stop: Any, vectors: Any
) -> Any:
    """The sum of the runs of `twice` that begin at places[start:stop] to total[at:], `vectors` times STRIDE bytes.

    What is there is part of the sum where `old` is 1, and not where it is 0.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, STRIDE)
        total, at, old, twice, places, start, stop, vectors = pointers(context, builder, signature, arguments)
        pairs, target = builder.udiv(builder.sub(stop, start), code.number(2)), code.at(total, at)
        single = builder.trunc(builder.sub(stop, start), I1)
        with code.loop(vectors) as vector:
            first = builder.mul(vector, code.number(STRIDE))
            source, there = code.at(twice, first), code.at(target, first)
            found = cgutils.alloca_once(builder, code.bytes)
            builder.store(builder.select(builder.trunc(old, I1), code.load(there), code.splat(0)), found)

            def run(entry: Any, source: Any = source) -> Any:
                return code.load(code.at(source, code.load(code.at(places, entry, I64), I64, 8)))

            with code.loop(pairs) as pair:
                entry = builder.add(start, builder.mul(pair, code.number(2)))
                both = builder.xor(run(entry), run(builder.add(entry, code.number(1))))
                builder.store(builder.xor(builder.load(found), both), found)
            with builder.if_then(single):
                builder.store(builder.xor(builder.load(found), run(builder.sub(stop, code.number(1)))), found)
            code.store(builder.load(found), there)
        return context.get_dummy_value()

    number = types.int64
    return types.void(total, number, number, twice, places, number, number, number), generate


@generated
def _put(typing: Any, source: Any, start: Any, target: Any, at: Any, again: Any, vectors: Any) -> Any:
    """Copy `vectors` times STRIDE bytes to target[at:], then once more to target[again:].

    A block kept twice in a row makes each of its rotations one straight run.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, STRIDE)
        source, start, target, at, again, vectors = pointers(context, builder, signature, arguments)
        source = code.at(source, start)
        for place in (at, again):
            goal = code.at(target, place)
            with code.loop(vectors) as vector:
                first = builder.mul(vector, code.number(STRIDE))
                code.store(code.load(code.at(source, first)), code.at(goal, first))
        return context.get_dummy_value()

    number = types.int64
    return types.void(source, number, target, number, number, number), generate


@kernel
def _encode(
    words: np.ndarray, z: int, turn: int, starts: np.ndarray, bounds: np.ndarray, places: np.ndarray
) -> np.ndarray:
    rows = starts.size - 1
    frames, k = words.shape
    n = k + rows * z
    vectors = (z + STRIDE - 1) // STRIDE
    size = vectors * STRIDE
    coded = np.empty(frames * n + size, np.uint8)
    twice = np.zeros(2 * (k + CORE_ROWS * z) + size, np.uint8)
    sums = np.empty(CORE_ROWS * size, np.uint8)
    turned = np.zeros(2 * z + size, np.uint8)
    for f in range(frames):
        at = f * n
        word, sent = coded[at : at + k], words[f]
        for i in range(k):
            word[i] = sent[i]
        for i in range(0, k, z):
            _put(coded, at + i, twice, 2 * i, 2 * i + z, vectors)
        for i in range(CORE_ROWS):
            _sum(sums, i * size, 0, twice, places, starts[i], bounds[i], vectors)
        # The first parity column has three entries, two of them alike: the sum of all sums is it, turned by the third.
        for r in range(size):
            turned[r] = sums[r] ^ sums[size + r] ^ sums[2 * size + r] ^ sums[3 * size + r]
        _put(turned, 0, turned, z, z, vectors)
        _put(turned, z - turn, coded, at + k, at + k, vectors)
        _put(turned, z - turn, twice, 2 * k, 2 * k + z, vectors)
        for i in range(CORE_ROWS - 1):
            before = twice[2 * (k + i * z) :]
            if i > 0:
                for r in range(size):
                    sums[i * size + r] ^= before[r]
            both = places[bounds[i]] // (2 * z) == k // z
            _sum(sums, i * size, 1, twice, places, bounds[i], bounds[i] + both, vectors)
            block = k + (i + 1) * z
            _put(sums, i * size, coded, at + block, at + block, vectors)
            _put(sums, i * size, twice, 2 * block, 2 * block + z, vectors)
        for i in range(CORE_ROWS, rows):
            block = at + k + i * z
            _sum(coded, block, 0, twice, places, starts[i], bounds[i], vectors)
    return coded[: frames * n].reshape(frames, n)


@cache
def _plan(code: LdpcCode) -> tuple[int, np.ndarray, np.ndarray]:
    """The turn of the first parity block; where each row's known columns end; where each entry's run begins."""
    rows, columns = code.base.shape
    information = columns - rows
    if not code.name.startswith("NR "):
        raise ValueError(f"{code.name} is not one of the NR codes, which alone this encoder knows.")
    own = np.arange(rows) >= CORE_ROWS  # rows with a parity column of their own, their last entry
    core = [np.count_nonzero(row[:information] >= 0) for row in code.base[:CORE_ROWS]]
    bounds = code.starts[1:] - own
    bounds[:CORE_ROWS] = code.starts[:CORE_ROWS] + core
    column = code.base[:CORE_ROWS, information]
    turn = int(np.bitwise_xor.reduce(column[column >= 0]))
    return turn, bounds.astype(np.int64), (2 * code.z * code.columns + code.shifts).astype(np.int64)


def nr_encode(words: np.ndarray, code: LdpcCode) -> np.ndarray:
    """Systematic codewords of a code of `nr_code`: uint8 [frames, k] to [frames, n].

    Filler bits are zeros in their places; the first 2 z bits, which are never sent, are there too.

    Raises:
        ValueError: the words do not have k bits, of another dtype, or not 0 and 1; the code is none of NR.

    Ref: 3GPP TS 38.212, clause 5.3.2.
    """
    if words.ndim != 2 or words.shape[1] != code.k:
        raise ValueError(f"{code.name} encodes words [frames, {code.k}], got {list(words.shape)}.")
    return encode_words(bits_of(words.reshape(-1)).reshape(words.shape), code)


def encode_words(words: np.ndarray, code: LdpcCode) -> np.ndarray:
    """`nr_encode` of words that `segment` has just made: unchecked."""
    turn, bounds, places = _plan(code)
    return _encode(words, code.z, turn, code.starts, bounds, places)
