"""Hard decisions: the sign of each LLR, or the nearest point to each received symbol."""

from __future__ import annotations

from functools import partial

import numpy as np
from llvmlite import ir

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.flat import FLAT
from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.blocks.phy.constellation import ORDERS, check_order
from lgvsc_flow.blocks.phy.qam_soft import NONE, PAIRS, SYMBOLS, burst_factors, interleave, matched, state_of
from lgvsc_flow.blocks.simd import F32, LANES, U32, Memory, Vector, each_step
from lgvsc_flow.items import Bits, Llrs, Received
from lgvsc_flow.kernels import kernel

__all__ = ["HardDecision", "QamDecision", "decide", "decide_symbols"]

U8 = ir.VectorType(ir.IntType(8), LANES)
_GAIN, _NOISE = np.ones(1, np.complex64), np.ones(1, np.float32)  # of symbols that are matched already


@kernel
def _signs(llrs: np.ndarray) -> np.ndarray:
    bits = np.empty(llrs.size, np.uint8)
    for i in range(llrs.size):
        bits[i] = llrs[i] < 0
    return bits


def decide(llrs: np.ndarray) -> np.ndarray:
    """uint8 bits [n] from float32 LLRs [n]: 1 where the LLR is below zero, else 0 (so NaN decides for 0).

    Raises:
        ValueError: the LLRs are of another dtype or dimension.
    """
    return _signs(burst_of(llrs, Llrs))


@kernel
def _factors(gain: np.ndarray, noise_variance: np.ndarray, half: int) -> tuple[np.float32, np.float32]:
    """`burst_factors` for levels at odd integers; NaN, which decides for zeros, where nothing can be used."""
    re, im, weight = burst_factors(gain[0], noise_variance[0])
    unit = np.float32(np.sqrt(((1 << 2 * half) - 1) / 1.5))
    if weight > 0:
        return re * unit, im * unit
    return np.float32(np.nan), np.float32(np.nan)


def _emit(memory: list[Memory], step: ir.Value, numbers: list[Vector], *, half: int, per_symbol: bool) -> None:
    """Bits of 8 symbols: the nested labels from the first bit inwards, sign, then which side of what is left.

    A symbol that cannot be used is made NaN in both dimensions, and NaN is neither below nor beyond anything.
    """
    out, symbols, weights = memory
    y = symbols.load(symbols.step(step, 4 * LANES), F32)
    re, im, _ = numbers
    if per_symbol:
        few = weights.load(weights.step(step, 4 * SYMBOLS), ir.VectorType(ir.FloatType(), SYMBOLS))
        weight = few.shuffle(few, [i // 2 for i in range(LANES)])
        x = weight.compare(">", 0.0).where(y * re, float("nan"))
    else:
        turn = Vector(im.builder, ir.Constant(F32, [1.0, -1.0] * SYMBOLS)) * im
        x = y * re + y.shuffle(y, PAIRS) * turn
        nothing = x * 0.0  # NaN for both NaN and inf
        x = x + (nothing + nothing.shuffle(nothing, PAIRS))
    bits, middle = [x.compare("<", 0.0)], float(1 << (half - 1))
    for _ in range(half - 1):
        x = (x.to("bitcast", U32) & 0x7FFFFFFF).to("bitcast", F32)
        bits.append(x.compare(">", middle))
        x, middle = x - middle, middle / 2
    for i, vector in enumerate(interleave([b.to("zext", U8) for b in bits])):
        out.store(out.step(step, LANES * half, LANES * i), vector)


_HALVES = [(order.bit_length() - 1) // 2 for order in ORDERS]
_of_symbols = each_step(*[partial(_emit, half=half, per_symbol=True) for half in _HALVES])
_of_burst = each_step(*[partial(_emit, half=half, per_symbol=False) for half in _HALVES])


@kernel
def _decide(
    symbols: np.ndarray, weights: np.ndarray, gain: np.ndarray, noise_variance: np.ndarray, half: int
) -> np.ndarray:
    """Bits of matched symbols with a weight each, or, where `weights` is empty, with the state of the whole burst."""
    n, width, which, zero = symbols.size, 2 * half, half - 1, np.float32(0)
    bits = np.empty(n * width, np.uint8)
    steps = n // SYMBOLS
    done = steps * SYMBOLS
    few, few_weights = np.zeros(SYMBOLS, np.complex64), np.zeros(SYMBOLS, np.float32)
    few_bits = np.empty(SYMBOLS * width, np.uint8)
    few[: n - done] = symbols[done:]
    if weights.size:
        few_weights[: n - done] = weights[done:]
        re, im = _factors(_GAIN, _NOISE, half)
        _of_symbols(bits, symbols, weights, steps, which, re, im, zero)
        _of_symbols(few_bits, few, few_weights, 1, which, re, im, zero)
    else:
        re, im = _factors(gain, noise_variance, half)
        _of_burst(bits, symbols, weights, steps, which, re, im, zero)
        _of_burst(few_bits, few, few_weights, 1, which, re, im, zero)
    bits[done * width :] = few_bits[: (n - done) * width]
    return bits


def decide_symbols(received: Received, order: int) -> np.ndarray:
    """uint8 bits [n * bits_per_symbol] of the QAM point nearest to y / gain, as behind the signs of max-log LLRs.

    Of a symbol that cannot be used (see `qam_soft.matched`) all bits are 0.

    Raises:
        ValueError: gain or noise variance are neither a scalar nor one per symbol; no QAM of that order.
    """
    check_order(order)
    symbols, gain, noise_variance = state_of(received)
    if not symbols.size:
        return np.empty(0, np.uint8)
    weights = NONE
    if gain.size > 1 or noise_variance.size > 1:
        symbols, weights = matched(symbols, gain, noise_variance)
    return _decide(symbols, weights, gain, noise_variance, (order.bit_length() - 1) // 2)


class HardDecision(Block):
    """Decide each bit by the sign of its LLR = ln P(b=0)/P(b=1)."""

    llrs = In(Llrs, "n")
    bits = Out(Bits, "n")

    def work(self, llrs: np.ndarray) -> np.ndarray:
        return decide(llrs)


class QamDecision(Block):
    """Decide each symbol for the nearest QAM point, after its gain: the same bits as the signs of max-log LLRs.

    Ref: 3GPP TS 38.211, clause 5.1 (labels).
    """

    received = In(Received, "n", constellation="{order}-QAM", response=FLAT)
    bits = Out(Bits, "n * bits_per_symbol")

    order: int = setting(16, choices=ORDERS, doc="constellation points")

    @property
    def bits_per_symbol(self) -> int:
        return self.order.bit_length() - 1

    def work(self, received: Received) -> np.ndarray:
        return decide_symbols(received, self.order)
