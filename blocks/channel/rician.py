"""Flat block Rician fading: a steady path beside the scattered ones."""

from __future__ import annotations

import dataclasses

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.channel.awgn import add_noise, noise_variance
from lgvsc_flow.blocks.channel.rayleigh import fading
from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.blocks.random_kernels import NoiseStream
from lgvsc_flow.items import Received, Symbols

__all__ = ["RicianChannel", "rician", "split_power"]


def split_power(k_factor_db: float) -> tuple[np.float32, np.float32]:
    """Amplitudes of the steady and of the scattered part: sqrt(K / (K + 1)), sqrt(1 / (K + 1)); their squares sum to 1.

    K = 10^(k_factor_db / 10) is the power of the steady path over that of all scattered ones.

    Raises:
        ValueError: k_factor_db is not -300 to 300.
    """
    if not -300 <= k_factor_db <= 300:
        raise ValueError(f"k_factor_db is -300 to 300 dB, got {k_factor_db}.")
    k = 10.0 ** (k_factor_db / 10)
    return np.float32(np.sqrt(k / (k + 1))), np.float32(np.sqrt(1 / (k + 1)))


def rician(symbols: int, coherence: int, k_factor_db: float, rng: np.random.Generator | NoiseStream) -> np.ndarray:
    """Gains h ~ CN(sqrt(K / (K + 1)), 1 / (K + 1)), E|h|^2 = 1: complex64 [symbols], constant over `coherence`."""
    steady, scattered = split_power(k_factor_db)
    return steady + scattered * fading(symbols, coherence, rng)


class RicianChannel(Block):
    """y = h x + n with h ~ CN(m, 1 / (K + 1)), m = sqrt(K / (K + 1)), constant over `coherence` symbols.

    The steady path has phase 0; blocks of `coherence` symbols are independent, and each burst begins a new one.
    `esn0_db` is the *average* Es/N0: E|h|^2 = 1, N0 = 10^(-esn0_db / 10). The receiver is given h of every symbol.
    For fading that goes on in time see `JakesChannel(k_factor_db=...)`.

    Ref: J. G. Proakis and M. Salehi, Digital Communications, 5th ed., section 13.1-2.
    """

    symbols = In(Symbols, "n", finite=True)
    received = Out(Received, "n")

    esn0_db: float = setting(
        10.0, ge=-100, le=100, unit="dB", doc="average symbol energy over noise density", live=True
    )
    k_factor_db: float = setting(6.0, ge=-60, le=60, unit="dB", doc="power of the steady path over the scattered")
    coherence: int = setting(64, ge=1, unit="symbols", doc="length of a fading block")
    symbol_count: int = dataclasses.field(default=0, init=False)

    def start(self) -> None:
        self.symbol_count = 0
        self._gains, self._noise = NoiseStream(self.rng), NoiseStream(self.rng)

    def work(self, symbols: np.ndarray) -> Received:
        symbols = burst_of(symbols, Symbols)
        self.symbol_count += symbols.size
        gain = rician(symbols.size, self.coherence, self.k_factor_db, self._gains)
        variance = noise_variance(self.esn0_db)
        return Received(add_noise(gain * symbols, float(variance), self._noise), gain, np.array(variance))
