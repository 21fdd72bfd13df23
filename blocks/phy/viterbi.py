"""Soft-decision Viterbi decoding of the K=7 code (133, 171): add-compare-select over all 64 states at once.

A path metric is the int16 correlation of a path's code bits with quantised LLRs of at most `Q_MAX`. Any state is six
steps away from any other, and a step changes a metric by at most 2 * Q_MAX either way, so that the metrics of one time
lie within 24 * Q_MAX. Every `NORMALISE` steps the metric of state 0 is taken from all, and no sum leaves int16.

The trellis is run from both ends of a word at once (two chains of operations that do not wait for each other), and
the survivors meet in the middle: the same maximum-likelihood word as by one pass, in little more than half the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.items import Llrs
from lgvsc_flow.kernels import kernel

__all__ = ["GENERATORS", "Q_MAX", "TAIL_BITING", "TRUNCATED", "ZERO_TERMINATED", "decode_words"]

GENERATORS = (0o133, 0o171)
"""The newest bit is the highest of seven; code bits are sent in this order."""
ZERO_TERMINATED, TRUNCATED, TAIL_BITING = 0, 1, 2
Q_MAX = 512
NORMALISE = 16  # steps, a power of two: 24 * 512 between the states and 16 * 2 * 512 since the last time are 28672
UNREACHABLE = -16384  # of a start state that is ruled out: more than the 24 * 512 that a path can gain on another
LANES = 32  # butterflies: pairs of states 2 j, 2 j + 1 that lead to states j and j + 32


def _parity(x: int) -> int:
    return x.bit_count() & 1


def _code_bits(register: int, generators: Sequence[int]) -> int:
    """The two code bits of a register of seven, as the index of their sum in a row of `branches`."""
    return 2 * _parity(register & generators[0]) + _parity(register & generators[1])


# Run backwards in time, with the oldest bit of a state highest, the code is one of mirrored generators.
_BACKWARD = tuple(int(f"{g:07b}"[::-1], 2) for g in GENERATORS)
_CODE_BITS = np.array([_code_bits(r, GENERATORS) for r in range(128)], np.uint8)
_MIRROR = np.array([int(f"{s:06b}"[::-1], 2) for s in range(64)], np.int64)

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_HALF = ir.VectorType(ir.IntType(16), LANES)
_ROWS = ir.VectorType(_I64, LANES // 4)


def _order(places: Sequence[int]) -> ir.Constant:
    return ir.Constant(ir.VectorType(_I32, len(places)), list(places))


_EVEN, _ODD = _order(range(0, 64, 2)), _order(range(1, 64, 2))
_LOW = _order([p for j in range(16) for p in (j, j + 32)])
_HIGH = _order([p for j in range(16, 32) for p in (j, j + 32)])


def _trellis(builder: Any, directions: Sequence[int], steps: Any, last: Any, branches: Any, pools: Any) -> None:
    """Emit the loop. Between steps a direction's metrics are two vectors: of the even states and of the odd ones."""
    metrics, decisions = pools
    maximum = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_HALF, [_HALF, _HALF]), f"llvm.smax.v{LANES}i16"
    )
    even = [cgutils.alloca_once(builder, _HALF) for _ in directions]
    odd = [cgutils.alloca_once(builder, _HALF) for _ in directions]

    def keep(d: int, low: Any, high: Any) -> None:
        builder.store(builder.shuffle_vector(low, high, _EVEN), even[d])
        builder.store(builder.shuffle_vector(low, high, _ODD), odd[d])

    for d in range(len(directions)):
        halves = [builder.load(builder.gep(metrics, [_I64(2 * d + i)]), align=2) for i in (0, 1)]
        keep(d, *halves)
    with cgutils.for_range(builder, steps) as loop:
        turn = builder.icmp_unsigned("==", builder.and_(loop.index, _I64(NORMALISE - 1)), _I64(0))
        with builder.if_then(turn, likely=False):
            for d in range(len(directions)):
                first = builder.load(even[d])
                base = builder.shuffle_vector(first, first, _order([0] * LANES))
                for pool in (even[d], odd[d]):
                    builder.store(builder.sub(builder.load(pool), base), pool)
        for d, direction in enumerate(directions):
            generators = GENERATORS if direction > 0 else _BACKWARD
            at = loop.index if direction > 0 else builder.sub(last, loop.index)
            row = builder.insert_element(
                ir.Constant(_ROWS, ir.Undefined), builder.load(builder.gep(branches, [at])), _I32(0)
            )
            row = builder.bitcast(builder.shuffle_vector(row, row, _order([0] * (LANES // 4))), _HALF)
            # Every four lanes hold the row: a lane takes its sum from within its own eight, a shuffle of 128 bits.
            sums = [(j & ~7) + _code_bits(2 * j, generators) for j in range(LANES)]
            branch = builder.shuffle_vector(row, row, _order(sums))
            e, o = builder.load(even[d]), builder.load(odd[d])
            # Both generators hold the newest and the oldest bit: turning one of them turns both code bits.
            pairs = [
                (builder.add(e, branch), builder.sub(o, branch)),
                (builder.sub(e, branch), builder.add(o, branch)),
            ]
            bits = [builder.zext(builder.bitcast(builder.icmp_signed(">", y, x), _I32), _I64) for x, y in pairs]
            word = builder.or_(bits[0], builder.shl(bits[1], _I64(LANES)))
            builder.store(word, builder.gep(decisions, [at]))
            keep(d, *(builder.call(maximum, pair) for pair in pairs))
    for d in range(len(directions)):
        e, o = builder.load(even[d]), builder.load(odd[d])
        for i, order in enumerate((_LOW, _HIGH)):
            builder.store(builder.shuffle_vector(e, o, order), builder.gep(metrics, [_I64(2 * d + i)]), align=2)


def _survivors(directions: Sequence[int]) -> Any:
    """An add-compare-select loop as a function of compiled code.

    Its arguments: `branches` int16 [total * 4], per step the sums l0 + l1, l0 - l1 and their negatives, last first;
    `steps` to take, in each direction from its end of the word; `total` steps of the word; `metrics` int16
    [directions * 64], in and out; `decisions` uint64 [total], bit s set where the odd predecessor of state s won.
    """

    @intrinsic
    def run(typing_context: Any, branches: Any, steps: Any, total: Any, metrics: Any, decisions: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            def data(i: int, kind: Any) -> Any:
                array = context.make_array(signature.args[i])(context, builder, arguments[i])
                return builder.bitcast(array.data, kind.as_pointer())

            last = builder.sub(arguments[2], _I64(1))
            pools = data(3, _HALF), data(4, _I64)
            _trellis(builder, directions, arguments[1], last, data(0, _I64), pools)
            return context.get_dummy_value()

        return types.void(branches, types.int64, types.int64, metrics, decisions), emit

    return run


_both_ways = _survivors((1, -1))
_forward = _survivors((1,))


@kernel
def _scale(sizes: np.ndarray, limit: np.int32) -> np.float32:
    """The power of two by which LLRs become integers of at most Q_MAX; 0 if all are 0 or NaN.

    Sizes of floats are in the order of their bits, so `sizes` are the LLRs [n] looked at as int32, and `limit` is the
    largest size that counts, looked at so.
    """
    most = np.int32(0)
    for i in range(sizes.size):
        size = sizes[i] & np.int32(0x7FFFFFFF)
        most = max(most, np.int32(0) if size > np.int32(0x7F800000) else min(size, limit))
    exponent = (most >> 23) - 127
    if exponent < -100:
        return np.float32(0)
    return np.float32(math.ldexp(Q_MAX, int(-exponent - (1 if most & 0x7FFFFF else 0))))


@kernel
def _quantise(llrs: np.ndarray, scale: np.float32, largest: np.float32, quantised: np.ndarray) -> None:
    """int16 [n] from float32 LLRs [n]: scaled, limited to +-largest and rounded; NaN becomes 0."""
    half, zero = np.float32(0.5), np.float32(0)
    for i in range(llrs.size):
        value = llrs[i] * scale
        value = value if value == value else zero
        value = value if value < largest else largest
        value = value if value > -largest else -largest
        quantised[i] = np.int16(np.int32(value + (half if value >= zero else -half)))


@kernel
def _sums(quantised: np.ndarray, branches: np.ndarray) -> None:
    """What each pair of code bits gains, int16 [steps * 4], from the quantised LLRs [steps * 2]."""
    for t in range(quantised.size // 2):
        first, second = quantised[2 * t], quantised[2 * t + 1]
        branches[4 * t] = first + second
        branches[4 * t + 1] = first - second
        branches[4 * t + 2] = second - first
        branches[4 * t + 3] = -first - second


@kernel
def _between(branches: np.ndarray, decisions: np.ndarray, metrics: np.ndarray, end: int, out: np.ndarray) -> None:
    """Decode a word that starts in state 0 and ends in state 0 (`end` ZERO_TERMINATED) or any: uint8 [k <= steps]."""
    steps = decisions.size
    half, odd = steps // 2, steps & 1
    for s in range(64):
        metrics[s] = UNREACHABLE if s else 0
        metrics[64 + s] = UNREACHABLE if s and end == ZERO_TERMINATED else 0
    _both_ways(branches, half, steps, metrics, decisions)
    best, left, right = np.int32(-(2**31)), np.uint64(0), np.uint64(0)
    for register in range(64 << odd):
        state, after, value = register, register, np.int32(0)
        if odd:  # one step lies between the two halves
            state, after = register & 63, register >> 1
            value += branches[4 * half + _CODE_BITS[register]]
        value += np.int32(metrics[state]) + np.int32(metrics[64 + _MIRROR[after]])
        if value > best:
            best, left, right = value, np.uint64(state), np.uint64(_MIRROR[after])
    if odd and half < out.size:
        out[half] = right & np.uint64(1)
    one, mask = np.uint64(1), np.uint64(62)
    for i in range(half):
        before, behind = half - 1 - i, half + odd + i
        if before < out.size:
            out[before] = left >> np.uint64(5)
        left = ((left << one) & mask) | ((decisions[before] >> left) & one)
        bit = (decisions[behind] >> right) & one
        if behind < out.size:
            out[behind] = bit
        right = ((right << one) & mask) | bit


@kernel
def _trace(branches: np.ndarray, decisions: np.ndarray, end: np.uint64, out: np.ndarray) -> tuple[np.uint64, int]:
    """Bits of the survivor that ends in state `end`; returns the state it began in and its correlation."""
    state, total = end, 0
    for i in range(decisions.size):
        t = decisions.size - 1 - i
        out[t] = state >> np.uint64(5)
        register = (state << np.uint64(1)) | ((decisions[t] >> state) & np.uint64(1))
        total += branches[4 * t + _CODE_BITS[register]]
        state = register & np.uint64(63)
    return state, total


@kernel
def _starts(decisions: np.ndarray, states: np.ndarray) -> None:
    """Where the survivors of all 64 end states began: uint64 [64]."""
    for s in range(64):
        states[s] = s
    for i in range(decisions.size):
        word = decisions[decisions.size - 1 - i]
        for s in range(64):
            state = states[s]
            states[s] = ((state << np.uint64(1)) & np.uint64(62)) | ((word >> state) & np.uint64(1))


@kernel
def _around(
    branches: np.ndarray,
    decisions: np.ndarray,
    metrics: np.ndarray,
    max_wraps: int,
    states: np.ndarray,
    trial: np.ndarray,
    out: np.ndarray,
) -> None:
    """Decode a tail-biting word by the wrap-around Viterbi algorithm."""
    for s in range(64):
        metrics[s] = 0
    found, most = False, 0
    for wrap in range(max_wraps):
        _forward(branches, decisions.size, decisions.size, metrics, decisions)
        best = 0
        for s in range(64):
            if metrics[s] > metrics[best]:
                best = s
        start, total = _trace(branches, decisions, np.uint64(best), trial)
        circular = start == np.uint64(best)
        # Where no path closes on itself, the best path that does not is the last resort.
        if (circular and (not found or total > most)) or (not found and wrap == max_wraps - 1):
            found, most = circular, total
            for i in range(out.size):
                out[i] = trial[i]
        if circular:
            return
        _starts(decisions, states)
        for s in range(64):
            if states[s] == np.uint64(s):
                _, total = _trace(branches, decisions, np.uint64(s), trial)
                if not found or total > most:
                    found, most = True, total
                    for i in range(out.size):
                        out[i] = trial[i]


@kernel
def _decode(
    llrs: np.ndarray,
    sizes: np.ndarray,
    sent: np.ndarray,
    steps: int,
    k: int,
    end: int,
    llr_clip: np.float32,
    limit: np.int32,
    max_wraps: int,
) -> np.ndarray:
    n = sent.size
    if n == 0 or llrs.size % n or not 1 <= k <= steps or max_wraps < 1:
        raise ValueError("the LLRs are no whole words, or a word has no bits, or there is no pass over it")
    for i in range(n):
        if sent[i] < 0 or sent[i] >= 2 * steps:
            raise ValueError("a code bit stands outside its word")
    words = llrs.size // n
    bits = np.empty(words * k, np.uint8)
    quantised, full = np.empty(n, np.int16), np.zeros(2 * steps, np.int16)
    branches, decisions = np.empty(4 * steps, np.int16), np.empty(steps, np.uint64)
    metrics, states, trial = np.empty(128, np.int16), np.empty(64, np.uint64), np.empty(k, np.uint8)
    for w in range(words):
        out, word = bits[w * k : (w + 1) * k], slice(w * n, (w + 1) * n)
        scale = _scale(sizes[word], limit)
        if scale == 0:
            for i in range(k):
                out[i] = 1
            continue
        _quantise(llrs[word], scale, llr_clip * scale, quantised)
        if n < full.size:
            for i in range(n):
                full[sent[i]] = quantised[i]
        _sums(full if n < full.size else quantised, branches)
        if end == TAIL_BITING:
            _around(branches, decisions, metrics, max_wraps, states, trial, out)
        else:
            _between(branches, decisions, metrics, end, out)
    return bits


def decode_words(
    llrs: np.ndarray, sent: np.ndarray, steps: int, k: int, end: int, llr_clip: float, max_wraps: int
) -> np.ndarray:
    """Decode whole words, float32 [words * n], to uint8 [words * k].

    NaN counts as an erasure (0). A word of which nothing arrived is read as ones, and not as the all-zero word, which
    would pass many a CRC.

    Args:
        llrs: ln P(0)/P(1) of the code bits sent.
        sent: int32 [n], where each of them stands among the 2 * steps bits before puncturing, ascending.
        steps: of the trellis per word.
        k: information bits per word.
        end: ZERO_TERMINATED, TRUNCATED or TAIL_BITING.
        llr_clip: larger LLRs, infinite ones too, count as this.
        max_wraps: passes over a tail-biting word at most.

    Raises:
        ValueError: these do not fit together.
    """
    llrs, clip = burst_of(llrs, Llrs), np.float32(llr_clip)
    return _decode(llrs, llrs.view(np.int32), sent, steps, k, end, clip, clip.view(np.int32), max_wraps)
