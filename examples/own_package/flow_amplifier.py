"""A power amplifier that saturates, and a meter of the peaks that it cuts."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.items import Symbols

__all__ = ["PeakMeter", "RappAmplifier", "amplify"]


@njit(nogil=True, cache=True)
def amplify(symbols: np.ndarray, saturation: float, smoothness: float) -> np.ndarray:
    """complex64 [n]: x / (1 + (|x| / saturation)^(2 p))^(1 / (2 p)), p the smoothness; the phase is kept."""
    out = np.empty(symbols.size, np.complex64)
    for i in range(symbols.size):
        level = abs(symbols[i]) / saturation
        if level <= 1:
            shrink = (1.0 + level ** (2 * smoothness)) ** (-0.5 / smoothness)
        else:  # the same, without overflow
            shrink = (1.0 + level ** (-2 * smoothness)) ** (-0.5 / smoothness) / level
        out[i] = symbols[i] * np.float32(shrink)
    return out


class RappAmplifier(Block):
    """A solid-state power amplifier: linear for small signals, no more than `saturation_db` for large ones.

    Ref: C. Rapp, "Effects of HPA-nonlinearity on a 4-DPSK/OFDM signal", ECSC 1991.
    """

    symbols = In(Symbols, "n")
    amplified = Out(Symbols, "n", finite=True)

    saturation_db: float = setting(
        3.0, ge=-40, le=40, unit="dB", doc="largest output power, over the symbols' mean", live=True
    )
    smoothness: float = setting(2.0, ge=0.5, le=10, doc="p: how sharp the knee is")

    def work(self, symbols: np.ndarray) -> np.ndarray:
        return amplify(symbols, 10 ** (self.saturation_db / 20), self.smoothness)


class PeakMeter(Block):
    """The ratio of the largest to the mean power of all symbols that pass, in dB; NaN before the first."""

    symbols = In(Symbols, "n")

    def start(self) -> None:
        self._peak, self._energy, self._count = 0.0, 0.0, 0

    def work(self, symbols: np.ndarray) -> None:
        power = symbols.real.astype(np.float64) ** 2 + symbols.imag.astype(np.float64) ** 2
        self._peak = max(self._peak, float(power.max(initial=0.0)))
        self._energy += float(power.sum())
        self._count += symbols.size

    @property
    def papr_db(self) -> float:
        if not self._energy:
            return math.nan
        return 10 * math.log10(self._peak * self._count / self._energy)
