"""Additive white Gaussian noise."""

from __future__ import annotations

import dataclasses

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.items import Received, Symbols

__all__ = ["AwgnChannel", "add_noise", "noise_variance"]


def noise_variance(esn0_db: float) -> np.float32:
    """N0 = E|n|^2 of the complex noise for symbols of unit average power: 10^(-esn0_db / 10)."""
    return np.float32(10.0 ** (-esn0_db / 10))


def add_noise(symbols: np.ndarray, variance: float, rng: np.random.Generator) -> np.ndarray:
    """symbols + n, n ~ CN(0, variance): complex64 [n], half the variance in each dimension."""
    noise = rng.standard_normal(2 * symbols.size, dtype=np.float32)
    noise *= np.float32(np.sqrt(variance / 2))
    noisy = noise.view(np.complex64)
    noisy += symbols
    return noisy


class AwgnChannel(Block):
    """y = x + n with n ~ CN(0, N0), N0 = 10^(-esn0_db / 10).

    Es is taken as 1, the nominal symbol power, and is not measured: a burst sent with less power has less SNR.
    """

    symbols = In(Symbols, "n")
    received = Out(Received, "n")

    esn0_db: float = setting(10.0, ge=-100, le=100, unit="dB", doc="symbol energy over noise density", live=True)
    symbol_count: int = dataclasses.field(default=0, init=False)

    def start(self) -> None:
        self.symbol_count = 0

    def work(self, symbols: np.ndarray) -> Received:
        self.symbol_count += symbols.size
        variance = noise_variance(self.esn0_db)
        return Received(add_noise(symbols, float(variance), self.rng), np.array(1, np.complex64), np.array(variance))
