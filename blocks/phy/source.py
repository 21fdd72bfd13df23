"""Random bits: the source of every link measurement."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lgvsc_flow import Block, Out, setting
from lgvsc_flow.blocks.random_kernels import BitStream
from lgvsc_flow.items import Bits

__all__ = ["RandomBits"]


class RandomBits(Block):
    """Send `count` bursts of `n` equiprobable, independent bits."""

    bits = Out(Bits, "n")

    n: int = setting(4096, ge=1, doc="bits per burst")
    count: int = setting(1, ge=0, doc="bursts to send")

    def work(self) -> Iterator[np.ndarray]:
        stream = BitStream(self.rng)
        for _ in range(self.count):
            yield stream.take(self.n)
