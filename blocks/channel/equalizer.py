"""One-tap equalization of a flat channel."""

from __future__ import annotations

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.items import Received

__all__ = ["Equalizer", "equalize"]


def equalize(received: Received, method: str = "zf") -> Received:
    """Undo the gain of each symbol.

    "zf": symbols y / h, gain 1, noise variance N0 / |h|^2.
    "mmse": symbols h* y / (|h|^2 + N0), the linear estimate of least mean square error for symbols of unit power;
    its gain is the bias |h|^2 / (|h|^2 + N0), its noise variance N0 |h|^2 / (|h|^2 + N0)^2. Both carry the same soft
    information to a demapper that uses gain and noise variance.

    A symbol that cannot be recovered (gain 0, anything NaN or infinite) becomes 0 with infinite noise variance: an
    erasure.
    """
    y = received.symbols
    h = np.broadcast_to(received.gain, y.shape)
    noise = np.broadcast_to(received.noise_variance, y.shape)
    power = h.real**2 + h.imag**2
    with np.errstate(all="ignore"):
        usable = np.isfinite(y) & (power > 0) & np.isfinite(power) & np.isfinite(noise) & (noise >= 0)
        below = power if method == "zf" else power + noise
        symbols = np.conj(h) * y / below
        gain = power / below
        variance = noise * power / below**2
        usable &= np.isfinite(symbols) & np.isfinite(variance)
    symbols = np.where(usable, symbols, 0).astype(np.complex64)
    gain = np.where(usable, gain, 1).astype(np.complex64)
    return Received(symbols, gain, np.where(usable, variance, np.inf).astype(np.float32))


class Equalizer(Block):
    """Undo the gain of a flat channel: zero forcing ("zf") or linear minimum mean square error ("mmse").

    Ref: D. Tse and P. Viswanath, Fundamentals of Wireless Communication, 2005, section 8.3 (one antenna).
    """

    received = In(Received, "n")
    equalized = Out(Received, "n")

    method: str = setting("zf", choices=("zf", "mmse"))

    def work(self, received: Received) -> Received:
        return equalize(received, self.method)
