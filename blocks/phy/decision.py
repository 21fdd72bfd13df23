"""Hard decision: the sign of each LLR."""

from __future__ import annotations

import numpy as np
from numba import njit

from lgvsc_flow import Block, In, Out
from lgvsc_flow.items import Bits, Llrs

__all__ = ["HardDecision", "decide"]


@njit(nogil=True, cache=True)
def decide(llrs: np.ndarray) -> np.ndarray:
    """uint8 bits [n] from float32 LLRs [n]: 1 where the LLR is below zero, else 0 (so NaN decides for 0)."""
    bits = np.empty(llrs.size, np.uint8)
    for i in range(llrs.size):
        bits[i] = llrs[i] < 0
    return bits


class HardDecision(Block):
    """Decide each bit by the sign of its LLR = ln P(b=0)/P(b=1)."""

    llrs = In(Llrs, "n")
    bits = Out(Bits, "n")

    def work(self, llrs: np.ndarray) -> np.ndarray:
        return decide(llrs)
