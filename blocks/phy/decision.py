"""Hard decisions: the sign of each LLR, or the nearest point to each received symbol."""

from __future__ import annotations

import numpy as np
from numba import njit

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.phy.constellation import ORDERS
from lgvsc_flow.blocks.phy.qam_soft import burst_factors, matched, state_of
from lgvsc_flow.items import Bits, Llrs, Received

__all__ = ["HardDecision", "QamDecision", "decide", "decide_symbols"]

_GAIN, _NOISE = np.ones(1, np.complex64), np.ones(1, np.float32)  # of symbols that are matched already


@njit(nogil=True, cache=True)
def decide(llrs: np.ndarray) -> np.ndarray:
    """uint8 bits [n] from float32 LLRs [n]: 1 where the LLR is below zero, else 0 (so NaN decides for 0)."""
    bits = np.empty(llrs.size, np.uint8)
    for i in range(llrs.size):
        bits[i] = llrs[i] < 0
    return bits


@njit(nogil=True, cache=True)
def _factors(gain: np.ndarray, noise_variance: np.ndarray, half: int) -> tuple[np.float32, np.float32]:
    """`burst_factors` for levels at odd integers; NaN, which decides for zeros, where nothing can be used."""
    re, im, weight = burst_factors(gain[0], noise_variance[0])
    unit = np.float32(np.sqrt(((1 << 2 * half) - 1) / 1.5))
    if weight > 0:
        return re * unit, im * unit
    return np.float32(np.nan), np.float32(np.nan)


@njit(nogil=True, cache=True)
def _decide_4(y: np.ndarray, gain: np.ndarray, noise_variance: np.ndarray) -> np.ndarray:
    bits = np.empty(y.size, np.uint8)
    re, im = _factors(gain, noise_variance, 1)
    zero = np.float32(0)
    for i in range(y.size // 2):
        a = y[2 * i] * re + y[2 * i + 1] * im
        b = y[2 * i + 1] * re - y[2 * i] * im
        usable = a * zero + b * zero == zero
        bits[2 * i] = (a < zero) & usable
        bits[2 * i + 1] = (b < zero) & usable
    return bits


@njit(nogil=True, cache=True)
def _decide_16(y: np.ndarray, gain: np.ndarray, noise_variance: np.ndarray) -> np.ndarray:
    bits = np.empty(2 * y.size, np.uint8)
    re, im = _factors(gain, noise_variance, 2)
    words = bits.view(np.uint32)
    zero, two = np.float32(0), np.float32(2)
    for i in range(y.size // 2):
        a = y[2 * i] * re + y[2 * i + 1] * im
        b = y[2 * i + 1] * re - y[2 * i] * im
        low = np.uint32(a < zero) | np.uint32(b < zero) << np.uint32(8)
        high = np.uint32(abs(a) > two) | np.uint32(abs(b) > two) << np.uint32(8)
        words[i] = low | high << np.uint32(16) if a * zero + b * zero == zero else np.uint32(0)
    return bits


@njit(nogil=True, cache=True)
def _decide_any(y: np.ndarray, gain: np.ndarray, noise_variance: np.ndarray, half: int) -> np.ndarray:
    """The standard's nested labels from the first bit inwards: sign, then which side of the middle of what is left."""
    bits = np.zeros(half * y.size, np.uint8)
    re, im = _factors(gain, noise_variance, half)
    zero = np.float32(0)
    for i in range(y.size // 2):
        a = y[2 * i] * re + y[2 * i + 1] * im
        b = y[2 * i + 1] * re - y[2 * i] * im
        if a * zero + b * zero == zero:
            at, middle = 2 * half * i, np.float32(1 << (half - 1))
            bits[at], bits[at + 1] = a < zero, b < zero
            for j in range(1, half):
                a, b = abs(a), abs(b)
                bits[at + 2 * j], bits[at + 2 * j + 1] = a > middle, b > middle
                a, b, middle = a - middle, b - middle, middle * np.float32(0.5)
    return bits


def decide_symbols(received: Received, order: int) -> np.ndarray:
    """uint8 bits [n * bits_per_symbol] of the QAM point nearest to y / gain, as behind the signs of max-log LLRs.

    Of a symbol that cannot be used (anything NaN or infinite, gain 0, noise variance below 0) all bits are 0.

    Raises:
        ValueError: gain or noise variance are neither a scalar nor one per symbol.
    """
    symbols, gain, noise_variance = state_of(received)
    half = (order.bit_length() - 1) // 2
    if not symbols.size:
        return np.empty(0, np.uint8)
    if gain.size > 1 or noise_variance.size > 1:
        equal, weights = matched(symbols, gain, noise_variance)
        # With two levels a side an erasure, which is 0, decides for zeros as it is.
        symbols = equal if half < 3 else np.where(weights > 0, equal, np.complex64(np.nan))
        gain, noise_variance = _GAIN, _NOISE
    y = symbols.view(np.float32)
    if half > 2:
        return _decide_any(y, gain, noise_variance, half)
    return (_decide_4 if half == 1 else _decide_16)(y, gain, noise_variance)


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

    received = In(Received, "n", constellation="{order}-QAM")
    bits = Out(Bits, "n * bits_per_symbol")

    order: int = setting(16, choices=ORDERS, doc="constellation points")

    @property
    def bits_per_symbol(self) -> int:
        return self.order.bit_length() - 1

    def work(self, received: Received) -> np.ndarray:
        return decide_symbols(received, self.order)
