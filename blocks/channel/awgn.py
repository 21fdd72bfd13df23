"""Additive white Gaussian noise."""

from __future__ import annotations

import dataclasses

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.blocks.random_kernels import NoiseStream
from lgvsc_flow.items import Received, Symbols

__all__ = ["AwgnChannel", "add_noise", "noise_variance"]


def noise_variance(esn0_db: float) -> np.float32:
    """N0 = E|n|^2 of the complex noise for symbols of unit average power: 10^(-esn0_db / 10).

    Raises:
        ValueError: esn0_db is not -380 to 380.
    """
    if not -380 <= esn0_db <= 380:
        raise ValueError(f"esn0_db is -380 to 380 dB, got {esn0_db}.")
    return np.float32(10.0 ** (-esn0_db / 10))


def add_noise(symbols: np.ndarray, variance: float, rng: np.random.Generator | NoiseStream) -> np.ndarray:
    """symbols + n, n ~ CN(0, variance): complex64 [n], half the variance in each dimension.

    With a `Generator` each call begins a stream of its own, seeded from it; a channel that keeps one `NoiseStream` for
    all its bursts is faster, and gives the same values however the symbols are cut into bursts. Symbols that are NaN or
    infinite stay so.

    Raises:
        ValueError: the symbols are of another dtype or dimension, or the variance is negative, NaN or infinite.
    """
    if not 0 <= variance < np.inf:
        raise ValueError(f"the noise variance is finite and 0 or more, got {variance}.")
    stream = rng if isinstance(rng, NoiseStream) else NoiseStream(rng)
    return stream.add(burst_of(symbols, Symbols), variance)


class AwgnChannel(Block):
    """y = x + n with n ~ CN(0, N0), N0 = 10^(-esn0_db / 10).

    Es is taken as 1, the nominal symbol power, and is not measured: a burst sent with less power has less SNR. The
    noise is one stream: how the symbols are cut into bursts changes no value.
    """

    symbols = In(Symbols, "n", finite=True)
    received = Out(Received, "n")

    esn0_db: float = setting(10.0, ge=-100, le=100, unit="dB", doc="symbol energy over noise density", live=True)
    symbol_count: int = dataclasses.field(default=0, init=False)
    _noise: NoiseStream | None = dataclasses.field(default=None, init=False)

    def start(self) -> None:
        self.symbol_count, self._noise = 0, None

    def work(self, symbols: np.ndarray) -> Received:
        if self._noise is None:
            self._noise = NoiseStream(self.rng)
        symbols = burst_of(symbols, Symbols)
        self.symbol_count += symbols.size
        variance = noise_variance(self.esn0_db)
        noisy = add_noise(symbols, float(variance), self._noise)
        return Received(noisy, np.array(1, np.complex64), np.array(variance))
