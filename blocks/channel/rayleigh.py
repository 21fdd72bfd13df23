"""Flat block Rayleigh fading."""

from __future__ import annotations

import dataclasses

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.channel.awgn import add_noise, noise_variance
from lgvsc_flow.items import Received, Symbols

__all__ = ["RayleighChannel", "fading"]


def fading(symbols: int, coherence: int, rng: np.random.Generator) -> np.ndarray:
    """Gains h ~ CN(0, 1), E|h|^2 = 1: complex64 [symbols], constant over runs of `coherence` symbols."""
    blocks = -(-symbols // coherence)
    draws = rng.standard_normal(2 * blocks, dtype=np.float32) * np.float32(np.sqrt(0.5))
    return np.repeat(draws.view(np.complex64), coherence)[:symbols]


class RayleighChannel(Block):
    """y = h x + n with h ~ CN(0, 1), constant over `coherence` symbols and independent between such blocks.

    `esn0_db` is the *average* Es/N0: E|h|^2 = 1, N0 = 10^(-esn0_db / 10). Each burst begins a new block. The receiver
    is given h of every symbol (perfect channel knowledge).
    """

    symbols = In(Symbols, "n")
    received = Out(Received, "n")

    esn0_db: float = setting(
        10.0, ge=-100, le=100, unit="dB", doc="average symbol energy over noise density", live=True
    )
    coherence: int = setting(64, ge=1, unit="symbols", doc="length of a fading block")
    symbol_count: int = dataclasses.field(default=0, init=False)

    def start(self) -> None:
        self.symbol_count = 0

    def work(self, symbols: np.ndarray) -> Received:
        self.symbol_count += symbols.size
        gain = fading(symbols.size, self.coherence, self.rng)
        variance = noise_variance(self.esn0_db)
        return Received(add_noise(gain * symbols, float(variance), self.rng), gain, np.array(variance))
