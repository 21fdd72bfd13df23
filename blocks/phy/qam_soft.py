"""Soft demapping of square QAM, with the channel's state per symbol or for a whole burst."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from llvmlite import ir

from lgvsc_flow.blocks.given import received_of
from lgvsc_flow.blocks.phy.constellation import ORDERS, check_order
from lgvsc_flow.blocks.phy.qam_exact import exact, nearness
from lgvsc_flow.blocks.simd import F32, LANES, U32, Memory, Vector, each_step
from lgvsc_flow.items import Received
from lgvsc_flow.kernels import kernel

__all__ = [
    "LLR_MAX",
    "NONE",
    "PAIRS",
    "SYMBOLS",
    "burst_factors",
    "demodulate",
    "interleave",
    "matched",
    "state_of",
]

LLR_MAX = 1e6
LEAST = np.float32(1e-30)  # of |gain|^2 and of weights: what is less carries nothing
MOST = np.float32(1e30)  # of weights: LLRs have long reached their limit
LEAST_NOISE = np.float32(1e-12)
SYMBOLS = LANES // 2  # symbols of a step: their dimensions, interleaved, fill a vector
PAIRS = [i ^ 1 for i in range(LANES)]
NONE = np.empty(0, np.float32)


def state_of(received: Received) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Symbols complex64 [n], gain complex64 [1 or n] and noise variance float32 [1 or n], contiguous.

    Raises:
        ValueError: gain or noise variance are neither a scalar nor one per symbol, or what holds no numbers.
    """
    received = received_of(received)
    return received.symbols, received.gain.reshape(-1), received.noise_variance.reshape(-1)


@kernel
def matched(symbols: np.ndarray, gain: np.ndarray, noise_variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Equalized symbols y / gain, complex64 [n], and their weight |gain|^2 / noise_variance, float32 [n].

    What cannot be used (anything NaN or infinite, |gain| or signal-to-noise ratio below 1e-15 and 1e-30, noise variance
    below 0) is 0 with weight 0: an erasure. Noise variances below 1e-12 count as that, weights beyond 1e30 as that.

    Raises:
        ValueError: gain or noise variance are neither one value nor one per symbol.
    """
    n = symbols.size
    if (gain.size != n and gain.size != 1) or (noise_variance.size != n and noise_variance.size != 1):
        raise ValueError("gain and noise variance have one value, or one for each symbol")
    equal = np.empty(n, np.complex64)
    weight = np.empty(n, np.float32)
    y, x = symbols.view(np.float32), equal.view(np.float32)
    h = (gain if gain.size == n else np.full(n, gain[0], np.complex64)).view(np.float32)
    n0 = noise_variance if noise_variance.size == n else np.full(n, noise_variance[0], np.float32)
    zero = np.float32(0)
    for i in range(n):
        g_re, g_im, y_re, y_im = h[2 * i], h[2 * i + 1], y[2 * i], y[2 * i + 1]
        power = g_re * g_re + g_im * g_im
        inverse = np.float32(1) / max(power, LEAST)
        re = (y_re * g_re + y_im * g_im) * inverse
        im = (y_im * g_re - y_re * g_im) * inverse
        w = power / max(n0[i], LEAST_NOISE)
        # A product with 0 is NaN for both NaN and inf: one test finds both.
        usable = (n0[i] >= zero) & (power >= LEAST) & (w >= LEAST) & (re * zero + im * zero + power * zero == zero)
        x[2 * i] = re if usable else zero
        x[2 * i + 1] = im if usable else zero
        weight[i] = min(w, MOST) if usable else zero
    return equal, weight


def interleave(parts: list[Vector]) -> list[Vector]:
    """From vectors of one bit of both dimensions, [I0 Q0 I1 Q1 ...], to the order of the labels."""
    width = 2 * len(parts)
    vectors = []
    for start in range(0, LANES * len(parts), LANES):
        places = range(start, start + LANES)
        source = [(at % width // 2, at // width * 2 + at % 2) for at in places]
        vector = parts[0]
        for j, part in enumerate(parts):
            vector = vector.shuffle(part, [LANES + lane if p == j else i for i, (p, lane) in enumerate(source)])
        vectors.append(vector)
    return vectors


def _max_log(x: Vector, weight: Vector, order: int) -> list[Vector]:
    """LLRs of the bits of one dimension: the distance to the nearest level of either bit value, by the weight."""
    half = (order.bit_length() - 1) // 2
    if half == 1:
        return [x * (2 * 2**0.5) * weight]
    if half == 2:  # in closed form, in units of the smallest amplitude: levels 1, 3, -1, -3
        scaled = x * 10**0.5
        sign = scaled.to("bitcast", U32) & (1 << 31)
        size = ((scaled.to("bitcast", U32)) ^ sign).to("bitcast", F32)
        tenth = weight * 0.1
        four = size * 4.0
        # Beyond 2 the nearest level of the same sign is 3 and no longer 1.
        outer = four.maximum(size * 8.0 - 8.0) * tenth
        return [(outer.to("bitcast", U32) | sign).to("bitcast", F32), (four * -1.0 + 8.0) * tenth]
    near = nearness(x, order)
    llrs = []
    for j in reversed(range(half)):
        nearest = []
        for value in (0, 1):
            those = [d for label, d in enumerate(near) if label >> j & 1 == value]
            while len(those) > 1:
                those = [a.maximum(b) for a, b in zip(those[::2], those[1::2], strict=True)]
            nearest += those
        llrs.append((nearest[0] - nearest[1]) * weight)
    return llrs


Method = Callable[[Vector, Vector, int], list[Vector]]


def _emit(
    memory: list[Memory], step: ir.Value, numbers: list[Vector], *, order: int, per_symbol: bool, method: Method
) -> None:
    """LLRs of 8 symbols: matched ones with a weight each, or as received with the factors of the whole burst."""
    out, symbols, weights = memory
    y = symbols.load(symbols.step(step, 4 * LANES), F32)
    if per_symbol:
        few = weights.load(weights.step(step, 4 * SYMBOLS), ir.VectorType(ir.FloatType(), SYMBOLS))
        x, weight = y, few.shuffle(few, [i // 2 for i in range(LANES)])
    else:
        re, im, weight = numbers
        turn = Vector(im.builder, ir.Constant(F32, [1.0, -1.0] * SYMBOLS)) * im
        x = y * re + y.shuffle(y, PAIRS) * turn
        nothing = x * 0.0  # NaN for both NaN and inf
        usable = (nothing + nothing.shuffle(nothing, PAIRS)).compare("==", 0.0)
        x, weight = usable.where(x, 0.0), usable.where(weight, 0.0)
    llrs = [v.minimum(LLR_MAX).maximum(-LLR_MAX) for v in method(x, weight, order)]
    for i, vector in enumerate(interleave(llrs)):
        out.store(out.step(step, 4 * LANES * len(llrs), 4 * LANES * i), vector)


_of_symbols = each_step(*[partial(_emit, order=order, per_symbol=True, method=_max_log) for order in ORDERS])
_of_burst = each_step(*[partial(_emit, order=order, per_symbol=False, method=_max_log) for order in ORDERS])
_exact_of_symbols = each_step(*[partial(_emit, order=order, per_symbol=True, method=exact) for order in ORDERS])


@kernel
def burst_factors(gain: np.complex64, noise_variance: np.float32) -> tuple[np.float32, np.float32, np.float32]:
    """What `matched` multiplies all symbols of a burst by: y / gain = (y.re a + y.im b, y.im a - y.re b), and a weight.

    The weight is 0 where nothing of the burst can be used.
    """
    zero = np.float32(0)
    power = gain.real * gain.real + gain.imag * gain.imag
    inverse = np.float32(1) / max(power, LEAST)
    w = power / max(noise_variance, LEAST_NOISE)
    usable = power >= LEAST and noise_variance >= zero and w >= LEAST and power * zero == zero
    return gain.real * inverse, gain.imag * inverse, min(w, MOST) if usable else zero


@kernel
def _soften(
    symbols: np.ndarray, weights: np.ndarray, gain: np.ndarray, noise_variance: np.ndarray, which: int, bits: int
) -> np.ndarray:
    """LLRs of matched symbols with a weight each, or, where `weights` is empty, with the state of the whole burst."""
    re, im, w = burst_factors(gain[0], noise_variance[0])
    n = symbols.size
    llrs = np.empty(n * bits, np.float32)
    steps = n // SYMBOLS
    done = steps * SYMBOLS
    few, few_weights = np.zeros(SYMBOLS, np.complex64), np.zeros(SYMBOLS, np.float32)
    few_llrs = np.empty(SYMBOLS * bits, np.float32)
    few[: n - done] = symbols[done:]
    if weights.size:
        few_weights[: n - done] = weights[done:]
        _of_symbols(llrs, symbols, weights, steps, which, re, im, w)
        _of_symbols(few_llrs, few, few_weights, 1, which, re, im, w)
    else:
        _of_burst(llrs, symbols, weights, steps, which, re, im, w)
        _of_burst(few_llrs, few, few_weights, 1, which, re, im, w)
    llrs[done * bits :] = few_llrs[: (n - done) * bits]
    return llrs


@kernel
def _soften_exactly(symbols: np.ndarray, weights: np.ndarray, which: int, bits: int) -> np.ndarray:
    """Exact LLRs of matched symbols with a weight each."""
    n, zero = symbols.size, np.float32(0)
    llrs = np.empty(n * bits, np.float32)
    steps = n // SYMBOLS
    done = steps * SYMBOLS
    few, few_weights = np.zeros(SYMBOLS, np.complex64), np.zeros(SYMBOLS, np.float32)
    few_llrs = np.empty(SYMBOLS * bits, np.float32)
    few[: n - done], few_weights[: n - done] = symbols[done:], weights[done:]
    _exact_of_symbols(llrs, symbols, weights, steps, which, zero, zero, zero)
    _exact_of_symbols(few_llrs, few, few_weights, 1, which, zero, zero, zero)
    llrs[done * bits :] = few_llrs[: (n - done) * bits]
    return llrs


def demodulate(received: Received, order: int, method: str = "max-log") -> np.ndarray:
    """LLRs ln P(b=0)/P(b=1), float32 [n * bits_per_symbol], of the bits behind y = gain * x + noise.

    `method` is "max-log", or "exact" (log-MAP). For QPSK both are the same. A symbol that is NaN or infinite, has
    zero gain, or infinite or undefined noise variance is an erasure: its LLRs are 0; `matched` says it exactly. LLRs
    are clipped to +-1e6.

    Raises:
        ValueError: gain or noise variance are neither a scalar nor one per symbol; no such method, or QAM.
    """
    check_order(order)
    if method not in ("max-log", "exact"):
        raise ValueError(f"method is max-log or exact, got {method!r}.")
    symbols, gain, noise_variance = state_of(received)
    if not symbols.size:
        return np.empty(0, np.float32)
    bits = order.bit_length() - 1
    if order != 4 and method == "exact":
        equal, weight = matched(symbols, gain, noise_variance)
        return _soften_exactly(equal, weight, ORDERS.index(order), bits)
    weights = NONE
    if gain.size > 1 or noise_variance.size > 1:
        symbols, weights = matched(symbols, gain, noise_variance)
    return _soften(symbols, weights, gain, noise_variance, ORDERS.index(order), bits)
