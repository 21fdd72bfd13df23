"""Hard decisions: the sign of each LLR, or the nearest point to each received symbol."""

from __future__ import annotations

import numpy as np
from numba import njit

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.phy.constellation import ORDERS
from lgvsc_flow.blocks.phy.qam_soft import burst_factors, matched, state_of
from lgvsc_flow.items import Bits, Llrs, Received

__all__ = ["HardDecision", "QamDecision", "decide", "decide_symbols"]


@njit(nogil=True, cache=True)
def decide(llrs: np.ndarray) -> np.ndarray:
    """uint8 bits [n] from float32 LLRs [n]: 1 where the LLR is below zero, else 0 (so NaN decides for 0)."""
    bits = np.empty(llrs.size, np.uint8)
    for i in range(llrs.size):
        bits[i] = llrs[i] < 0
    return bits


@njit(nogil=True, cache=True)
def _decide_4(y: np.ndarray, re: np.float32, im: np.float32) -> np.ndarray:
    bits = np.empty(y.size, np.uint8)
    zero = np.float32(0)
    for i in range(y.size // 2):
        a = y[2 * i] * re + y[2 * i + 1] * im
        b = y[2 * i + 1] * re - y[2 * i] * im
        usable = a * zero + b * zero == zero
        bits[2 * i] = (a < zero) & usable
        bits[2 * i + 1] = (b < zero) & usable
    return bits


@njit(nogil=True, cache=True)
def _decide_16(y: np.ndarray, re: np.float32, im: np.float32) -> np.ndarray:
    bits = np.empty(2 * y.size, np.uint8)
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
def _decide_any(y: np.ndarray, half: int, re: np.float32, im: np.float32) -> np.ndarray:
    """The standard's nested labels from the first bit inwards: sign, then which side of the middle of what is left."""
    bits = np.zeros(half * y.size, np.uint8)
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
    unit = float(np.sqrt((order - 1) / 1.5))  # levels at odd integers
    re, im, weight = np.float32(unit), np.float32(0), np.float32(1)
    if gain.size == noise_variance.size == 1 and symbols.size:
        a, b, w = burst_factors(gain[0], noise_variance[0])
        re, im, weight = np.float32(a * unit), np.float32(b * unit), np.float32(w)
    elif symbols.size:
        equal, weights = matched(symbols, gain, noise_variance)
        symbols = np.where(weights > 0, equal, np.complex64(np.nan))
    if not weight > 0:
        return np.zeros(2 * half * symbols.size, np.uint8)
    y = symbols.view(np.float32)
    if half > 2:
        return _decide_any(y, half, re, im)
    return (_decide_4 if half == 1 else _decide_16)(y, re, im)


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
