"""A bounded, fair sample of received symbols, for constellation plots."""

from __future__ import annotations

import numpy as np

from lgvsc_flow.block import Block, setting
from lgvsc_flow.items import Received
from lgvsc_flow.ports import In

__all__ = ["ConstellationMeter"]


class ConstellationMeter(Block):
    """Keep a uniform random sample of at most `max_symbols` of the symbols that pass, as they arrive.

    Behind an equalizer they show the constellation. Every symbol of the run has the same chance to be kept
    (reservoir sampling, J. S. Vitter's algorithm R, 1985), so the sample shows fades and good bursts in proportion.
    """

    received = In(Received)

    max_symbols: int = setting(4096, ge=1, unit="symbols")

    seen = 0

    def start(self) -> None:
        self.seen = 0
        self._kept = np.empty(self.max_symbols, np.complex64)

    def work(self, received: Received) -> None:
        symbols = received.symbols
        free = max(0, self.max_symbols - self.seen)
        self._kept[self.seen : self.seen + min(free, symbols.size)] = symbols[:free]
        rest = symbols[free:]
        if rest.size:
            first = self.seen + min(free, symbols.size)
            slots = self.rng.integers(0, np.arange(first + 1, first + rest.size + 1))
            hits = slots < self.max_symbols
            self._kept[slots[hits]] = rest[hits]
        self.seen += symbols.size

    @property
    def symbols(self) -> np.ndarray:
        """The sample, complex64 [min(seen, max_symbols)]."""
        if not self.seen:
            return np.empty(0, np.complex64)
        return self._kept[: min(self.seen, self.max_symbols)].copy()
