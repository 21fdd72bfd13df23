"""Gray-labelled square QAM: mapping, and soft demapping with the channel's state per symbol."""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.items import Bits, Llrs, Received, Symbols

__all__ = [
    "LLR_MAX",
    "ORDERS",
    "QamDemodulator",
    "QamModulator",
    "amplitudes",
    "constellation",
    "demodulate",
    "modulate",
]

ORDERS = (4, 16, 64, 256)
LLR_MAX = 1e6


@cache
def amplitudes(order: int) -> np.ndarray:
    """float32 [sqrt(order)]: the amplitude of one dimension for each label of half the bits, first bit highest.

    A first bit 0 is positive. Scaled so that both dimensions together have unit average power.
    """
    half = (order.bit_length() - 1) // 2
    levels = np.empty(1 << half)
    for label in range(1 << half):
        level = 0.0
        for i in range(half):  # the standard's nested form, from the last bit outwards
            bit = label >> i & 1
            level = (1 - 2 * bit) * ((1 << i) - level)
        levels[label] = level
    return (levels / np.sqrt(2 * np.mean(levels**2))).astype(np.float32)


def constellation(order: int) -> np.ndarray:
    """complex64 [order]: the point of every label; even bits of the label set I, odd bits Q.

    Ref: 3GPP TS 38.211, clause 5.1 (QPSK, 16QAM, 64QAM, 256QAM).
    """
    half = (order.bit_length() - 1) // 2
    label = np.arange(order)
    in_phase, quadrature = np.zeros(order, int), np.zeros(order, int)
    for i in range(half):
        in_phase = in_phase << 1 | label >> (2 * half - 1 - 2 * i) & 1
        quadrature = quadrature << 1 | label >> (2 * half - 2 - 2 * i) & 1
    levels = amplitudes(order)
    return (levels[in_phase] + 1j * levels[quadrature]).astype(np.complex64)


@njit(nogil=True, cache=True)
def _modulate(bits: np.ndarray, bits_per_symbol: int, points: np.ndarray) -> np.ndarray:
    symbols = np.empty(bits.size // bits_per_symbol, np.complex64)
    for i in range(symbols.size):
        label = 0
        for j in range(bits_per_symbol):
            label = label << 1 | bits[i * bits_per_symbol + j]
        symbols[i] = points[label & (points.size - 1)]
    return symbols


def modulate(bits: np.ndarray, order: int) -> np.ndarray:
    """uint8 bits [n] to complex64 symbols [n / bits_per_symbol].

    Raises:
        ValueError: the bits are not whole symbols.
    """
    bits_per_symbol = order.bit_length() - 1
    if bits.size % bits_per_symbol:
        raise ValueError(f"a burst must hold whole symbols of {bits_per_symbol} bits.")
    return _modulate(bits, bits_per_symbol, constellation(order))


@njit(nogil=True, cache=True)
def _matched(symbols: np.ndarray, gain: np.ndarray, noise_variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Equalized dimensions float32 [2, n] and their weight |gain|^2 / noise_variance [n]; weight 0 for an erasure."""
    n = symbols.size
    many_gains, many_noises = gain.size > 1, noise_variance.size > 1
    dims = np.empty((2, n), np.float32)
    weight = np.empty(n, np.float32)
    for i in range(n):
        g = gain[i if many_gains else 0]
        noise = noise_variance[i if many_noises else 0]
        power = g.real * g.real + g.imag * g.imag
        y = symbols[i]
        re = (y.real * g.real + y.imag * g.imag) / max(power, np.float32(1e-30))
        im = (y.imag * g.real - y.real * g.imag) / max(power, np.float32(1e-30))
        w = power / max(noise, np.float32(1e-12))
        # A product with 0 is NaN for both NaN and inf: one test finds every way in which a symbol can be unusable.
        usable = power > 0 and noise >= 0 and (re * 0 == 0) and (im * 0 == 0) and (w * 0 == 0)
        dims[0, i] = re if usable else np.float32(0)
        dims[1, i] = im if usable else np.float32(0)
        weight[i] = w if usable else np.float32(0)
    return dims, weight


@njit(nogil=True, cache=True)
def _demodulate_qpsk(dims: np.ndarray, weight: np.ndarray, limit: np.float32) -> np.ndarray:
    llrs = np.empty(2 * weight.size, np.float32)
    scale = np.float32(2 * np.sqrt(2.0))
    for i in range(weight.size):
        for d in range(2):
            llrs[2 * i + d] = min(max(scale * dims[d, i] * weight[i], -limit), limit)
    return llrs


@njit(nogil=True, cache=True)
def _demodulate_16(dims: np.ndarray, weight: np.ndarray, limit: np.float32) -> np.ndarray:
    """Max-log in closed form, in units of the smallest amplitude 1 / sqrt(10): levels 1, 3, -1, -3."""
    llrs = np.empty(4 * weight.size, np.float32)
    unit = np.float32(np.sqrt(10.0))
    for i in range(weight.size):
        scale = weight[i] * np.float32(0.1)
        for d in range(2):
            x = dims[d, i] * unit
            size = abs(x)
            # Beyond 2 the nearest level of the same sign is 3 and no longer 1.
            sign = max(4 * size, 8 * size - 8) * scale
            sign = min(sign, limit)
            llrs[4 * i + d] = sign if x >= 0 else -sign
            llrs[4 * i + 2 + d] = min(max((8 - 4 * size) * scale, -limit), limit)
    return llrs


@njit(nogil=True, cache=True)
def _demodulate_max_log(dims: np.ndarray, weight: np.ndarray, levels: np.ndarray, limit: np.float32) -> np.ndarray:
    half = 0
    while 1 << half < levels.size:
        half += 1
    llrs = np.empty(2 * half * weight.size, np.float32)
    best = np.empty((half, 2), np.float32)
    for i in range(weight.size):
        for d in range(2):
            best[:] = np.float32(3e38)
            for label in range(levels.size):
                off = dims[d, i] - levels[label]
                metric = off * off
                for j in range(half):
                    bit = label >> (half - 1 - j) & 1
                    best[j, bit] = min(best[j, bit], metric)
            for j in range(half):
                value = (best[j, 1] - best[j, 0]) * weight[i]
                llrs[2 * half * i + 2 * j + d] = min(max(value, -limit), limit) if weight[i] > 0 else np.float32(0)
    return llrs


@njit(nogil=True, cache=True)
def _demodulate_exact(dims: np.ndarray, weight: np.ndarray, levels: np.ndarray, limit: np.float32) -> np.ndarray:
    half = 0
    while 1 << half < levels.size:
        half += 1
    llrs = np.empty(2 * half * weight.size, np.float32)
    metrics = np.empty(levels.size)
    best, total = np.empty((half, 2)), np.empty((half, 2))
    for i in range(weight.size):
        for d in range(2):
            best[:] = -np.inf
            total[:] = 0
            for label in range(levels.size):
                off = float(dims[d, i]) - levels[label]
                metrics[label] = -off * off * weight[i]
                for j in range(half):
                    bit = label >> (half - 1 - j) & 1
                    best[j, bit] = max(best[j, bit], metrics[label])
            for label in range(levels.size):
                for j in range(half):
                    bit = label >> (half - 1 - j) & 1
                    total[j, bit] += np.exp(metrics[label] - best[j, bit])
            for j in range(half):
                value = best[j, 0] - best[j, 1] + np.log(total[j, 0] / total[j, 1])
                llrs[2 * half * i + 2 * j + d] = min(max(value, -limit), limit) if weight[i] > 0 else 0.0
    return llrs


def demodulate(received: Received, order: int, method: str = "max-log") -> np.ndarray:
    """LLRs ln P(b=0)/P(b=1), float32 [n * bits_per_symbol], of the bits behind y = gain * x + noise.

    `method` is "max-log", or "exact" (log-MAP). For QPSK both are the same. A symbol that is NaN or infinite, has
    zero gain, or infinite or undefined noise variance is an erasure: its LLRs are 0. LLRs are clipped to +-1e6.

    Raises:
        ValueError: gain or noise variance are neither a scalar nor one per symbol.
    """
    symbols = np.ascontiguousarray(received.symbols, np.complex64)
    gain = np.ascontiguousarray(received.gain, np.complex64).reshape(-1)
    noise_variance = np.ascontiguousarray(received.noise_variance, np.float32).reshape(-1)
    for what, state in (("gain", gain), ("noise_variance", noise_variance)):
        if state.size not in (1, symbols.size):
            raise ValueError(f"{what} has {state.size} values for {symbols.size} symbols; it is a scalar or one each.")
    if not symbols.size:
        return np.empty(0, np.float32)
    dims, weight = _matched(symbols, gain, noise_variance)
    if order == 4:
        return _demodulate_qpsk(dims, weight, np.float32(LLR_MAX))
    if order == 16 and method == "max-log":
        return _demodulate_16(dims, weight, np.float32(LLR_MAX))
    kernel = _demodulate_max_log if method == "max-log" else _demodulate_exact
    return kernel(dims, weight, amplitudes(order), np.float32(LLR_MAX))


class QamModulator(Block):
    """Map bits to unit-power Gray-labelled QAM symbols, first bit highest.

    Ref: 3GPP TS 38.211, clause 5.1.
    """

    bits = In(Bits, "n")
    symbols = Out(Symbols, "n // bits_per_symbol", constellation="{order}-QAM")

    order: int = setting(16, choices=ORDERS, doc="constellation points")

    @property
    def bits_per_symbol(self) -> int:
        return self.order.bit_length() - 1

    def work(self, bits: np.ndarray) -> np.ndarray:
        return modulate(bits, self.order)


class QamDemodulator(Block):
    """Soft bits of QAM symbols, with the gain and the noise variance of each symbol.

    `method="max-log"` keeps the nearest point per bit value; "exact" sums over all points (log-MAP).

    Ref: 3GPP TS 38.211, clause 5.1 (labels).
    """

    received = In(Received, "n", constellation="{order}-QAM")
    llrs = Out(Llrs, "n * bits_per_symbol")

    order: int = setting(16, choices=ORDERS, doc="constellation points")
    method: str = setting("max-log", choices=("max-log", "exact"))

    @property
    def bits_per_symbol(self) -> int:
        return self.order.bit_length() - 1

    def work(self, received: Received) -> np.ndarray:
        return demodulate(received, self.order, self.method)
