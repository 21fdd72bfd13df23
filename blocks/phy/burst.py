"""Bursts of any length over a link that carries whole frames: a SIG field says where the burst ends."""

from __future__ import annotations

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.given import burst_of, received_of
from lgvsc_flow.blocks.phy.mux import cut, decode_sig, encode_sig, sig_symbols
from lgvsc_flow.blocks.phy.resource_grid import known_symbols
from lgvsc_flow.items import Received, Symbols

__all__ = ["BurstPad", "BurstTrim"]


class BurstPad(Block):
    """[SIG][symbols][known symbols], up to whole frames of `frame` symbols; `BurstTrim` takes the symbols out again.

    The SIG field is that of `TimeMultiplexer`: the number of symbols behind a CRC and a code, as QPSK, `sig_repeats`
    times over.
    """

    symbols = In(Symbols, finite=True)
    padded = Out(Symbols, padding="{sig_repeats} SIG, frames of {frame}")

    frame: int = setting(ge=1, unit="symbols", doc="what the link carries whole numbers of")
    sig_repeats: int = setting(2, ge=1, le=64, doc="copies of the SIG field")

    def work(self, symbols: np.ndarray) -> np.ndarray:
        symbols = burst_of(symbols, Symbols)
        used = sig_symbols(self.sig_repeats) + symbols.size
        filler = known_symbols(-used % self.frame, 3)
        return np.concatenate([encode_sig(symbols.size, 0, self.sig_repeats), symbols, filler])


class BurstTrim(Block):
    """Take the symbols of a burst out of its frames. Where the SIG field cannot be read, the burst is lost: empty."""

    received = In(Received, padding="{sig_repeats} SIG, frames of {frame}")
    trimmed = Out(Received)

    frame: int = setting(ge=1, unit="symbols", doc="as in BurstPad")
    sig_repeats: int = setting(2, ge=1, le=64, doc="copies of the SIG field")

    def work(self, received: Received) -> Received:
        received = received_of(received)
        head, total = sig_symbols(self.sig_repeats), received.symbols.size
        if total < head:
            return cut(received, 0, 0)
        counts = decode_sig(cut(received, 0, head), self.sig_repeats)
        if counts is None or counts[1] or not 0 <= total - head - counts[0] < self.frame:
            return cut(received, 0, 0)
        return cut(received, head, head + counts[0])
