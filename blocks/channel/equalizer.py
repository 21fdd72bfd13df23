"""One-tap equalization of a flat channel."""

from __future__ import annotations

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.flat import FLAT
from lgvsc_flow.blocks.given import received_of
from lgvsc_flow.items import Received
from lgvsc_flow.kernels import kernel

__all__ = ["Equalizer", "equalize"]


@kernel
def _equalize(y: np.ndarray, h: np.ndarray, noise: np.ndarray, mmse: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    many_gains, many_noises = h.size > 1, noise.size > 1
    symbols = np.empty(y.size, np.complex64)
    gain = np.empty(y.size, np.complex64)
    variance = np.empty(y.size, np.float32)
    for i in range(y.size):
        g = h[i if many_gains else 0]
        n0 = noise[i if many_noises else 0]
        power = g.real * g.real + g.imag * g.imag
        below = power + n0 if mmse else power
        usable = power > 0 and n0 >= 0
        scale = np.float32(1) / (below if usable else np.float32(1))
        re = (y[i].real * g.real + y[i].imag * g.imag) * scale
        im = (y[i].imag * g.real - y[i].real * g.imag) * scale
        left = n0 * power * scale * scale
        # A product with 0 is NaN for both NaN and inf: the sum is 0 only where all three are finite.
        usable = usable and re * 0 + im * 0 + left * 0 == 0
        symbols[i] = complex(re, im) if usable else complex(0, 0)
        gain[i] = power / below if usable else np.float32(1)
        variance[i] = left if usable else np.float32(np.inf)
    return symbols, gain, variance


@kernel
def _equalize_burst(
    y: np.ndarray, g: np.complex64, n0: np.float32, mmse: bool
) -> tuple[np.ndarray, np.float32, np.float32, bool]:
    """With the state of the whole burst: symbols, gain, noise variance, and whether every symbol can be recovered."""
    zero = np.float32(0)
    symbols = np.empty(y.size, np.complex64)
    power = g.real * g.real + g.imag * g.imag
    below = power + n0 if mmse else power
    if not (power > zero and n0 >= zero):
        return symbols, zero, zero, False
    scale = np.float32(1) / below
    re, im, left = g.real * scale, g.imag * scale, n0 * power * scale * scale
    a, x = y.view(np.float32), symbols.view(np.float32)
    broken = 0
    for i in range(y.size):
        x_re = a[2 * i] * re + a[2 * i + 1] * im
        x_im = a[2 * i + 1] * re - a[2 * i] * im
        broken += x_re * zero + x_im * zero != zero
        x[2 * i] = x_re
        x[2 * i + 1] = x_im
    return symbols, power / below, left, broken == 0 and left * zero == zero


def equalize(received: Received, method: str = "zf") -> Received:
    """Undo the gain of each symbol.

    "zf": symbols y / h, gain 1, noise variance N0 / |h|^2.
    "mmse": symbols h* y / (|h|^2 + N0), the linear estimate of least mean square error for symbols of unit power;
    its gain is the bias |h|^2 / (|h|^2 + N0), its noise variance N0 |h|^2 / (|h|^2 + N0)^2. Both carry the same soft
    information to a demapper that uses gain and noise variance.

    A symbol that cannot be recovered (gain 0, anything NaN or infinite) becomes 0 with infinite noise variance: an
    erasure. Where gain and noise variance are scalars and no symbol is an erasure, they stay scalars.

    Raises:
        ValueError: gain or noise variance are neither a scalar nor one per symbol, or what holds no numbers; no such
            method.
    """
    if method not in ("zf", "mmse"):
        raise ValueError(f"method is zf or mmse, got {method!r}.")
    received = received_of(received)
    y, h, noise = received.symbols, received.gain.reshape(-1), received.noise_variance.reshape(-1)
    if y.size and h.size == noise.size == 1:
        symbols, gain, variance, whole = _equalize_burst(y, h[0], noise[0], method == "mmse")
        if whole:
            return Received(symbols, np.array(gain, np.complex64), np.array(variance, np.float32))
    return Received(*_equalize(y, h, noise, method == "mmse"))


class Equalizer(Block):
    """Undo the gain of a flat channel: zero forcing ("zf") or linear minimum mean square error ("mmse").

    Ref: D. Tse and P. Viswanath, Fundamentals of Wireless Communication, 2005, section 8.3 (one antenna).
    """

    received = In(Received, "n", response=FLAT)
    equalized = Out(Received, "n")

    method: str = setting("zf", choices=("zf", "mmse"))

    def work(self, received: Received) -> Received:
        return equalize(received, self.method)
