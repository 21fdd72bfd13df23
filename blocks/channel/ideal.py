"""From symbols to `Received` and back, with nothing in between."""

from __future__ import annotations

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.channel.awgn import noise_variance
from lgvsc_flow.blocks.given import burst_of, received_of
from lgvsc_flow.items import Received, Symbols

__all__ = ["DropState", "IdealChannel"]


class IdealChannel(Block):
    """y = x, with gain 1 and the noise variance that the receiver is to assume, 10^(-esn0_db / 10).

    For symbols that come from elsewhere: a recording already holds its noise, and only its user knows how much.
    """

    symbols = In(Symbols, "n", finite=True)
    received = Out(Received, "n")

    esn0_db: float = setting(100.0, ge=-100, le=100, unit="dB", doc="symbol energy over noise, as assumed", live=True)

    def work(self, symbols: np.ndarray) -> Received:
        return Received(burst_of(symbols, Symbols), np.array(1, np.complex64), np.array(noise_variance(self.esn0_db)))


class DropState(Block):
    """The received symbols alone, without the channel's state: to write them to a file, say."""

    received = In(Received, "n")
    symbols = Out(Symbols, "n")

    def work(self, received: Received) -> np.ndarray:
        return received_of(received).symbols
