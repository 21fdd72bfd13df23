"""Flat block Rayleigh fading."""

from __future__ import annotations

import dataclasses

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.channel.awgn import add_noise, noise_variance
from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.blocks.random_kernels import NoiseStream
from lgvsc_flow.items import Received, Symbols
from lgvsc_flow.kernels import kernel

__all__ = ["RayleighChannel", "fading"]


def fading(symbols: int, coherence: int, rng: np.random.Generator | NoiseStream) -> np.ndarray:
    """Gains h ~ CN(0, 1), E|h|^2 = 1: complex64 [symbols], constant over runs of `coherence` symbols.

    Raises:
        ValueError: `symbols` is negative or `coherence` less than 1.
    """
    if symbols < 0 or coherence < 1:
        raise ValueError(f"symbols is 0 or more and coherence 1 or more, got {symbols} and {coherence}.")
    stream = rng if isinstance(rng, NoiseStream) else NoiseStream(rng)
    draws = stream.add(np.zeros(-(-symbols // coherence), np.complex64), 1.0)
    return _spread(draws, coherence, symbols)


@kernel
def _spread(draws: np.ndarray, coherence: int, symbols: int) -> np.ndarray:
    gain = np.empty(symbols, np.complex64)
    for block in range(draws.size):
        gain[block * coherence : min((block + 1) * coherence, symbols)] = draws[block]
    return gain


class RayleighChannel(Block):
    """y = h x + n with h ~ CN(0, 1), constant over `coherence` symbols and independent between such blocks.

    `esn0_db` is the *average* Es/N0: E|h|^2 = 1, N0 = 10^(-esn0_db / 10). Each burst begins a new block. The receiver
    is given h of every symbol (perfect channel knowledge).
    """

    symbols = In(Symbols, "n", finite=True)
    received = Out(Received, "n")

    esn0_db: float = setting(
        10.0, ge=-100, le=100, unit="dB", doc="average symbol energy over noise density", live=True
    )
    coherence: int = setting(64, ge=1, unit="symbols", doc="length of a fading block")
    symbol_count: int = dataclasses.field(default=0, init=False)
    _gains: NoiseStream | None = dataclasses.field(default=None, init=False)
    _noise: NoiseStream | None = dataclasses.field(default=None, init=False)

    def start(self) -> None:
        self.symbol_count, self._gains, self._noise = 0, None, None

    def work(self, symbols: np.ndarray) -> Received:
        if self._gains is None or self._noise is None:
            self._gains, self._noise = NoiseStream(self.rng), NoiseStream(self.rng)
        symbols = burst_of(symbols, Symbols)
        self.symbol_count += symbols.size
        gain = fading(symbols.size, self.coherence, self._gains)
        variance = noise_variance(self.esn0_db)
        return Received(add_noise(gain * symbols, float(variance), self._noise), gain, np.array(variance))
