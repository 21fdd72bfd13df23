"""Repetition of whole bursts: what keeps a link alive below the lowest code rate."""

from __future__ import annotations

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.items import Bits, Llrs

__all__ = ["BitRepeat", "LlrCombine", "combine"]


def combine(llrs: np.ndarray, times: int) -> np.ndarray:
    """Sum the LLRs of `times` copies sent one after the other: float32 [times * n] to [n].

    Where a copy is NaN, or copies are infinite of both signs, the sum is NaN, which decoders take for an erasure.

    Raises:
        ValueError: the LLRs are not `times` copies of equal length, or of another dtype.
    """
    llrs = burst_of(llrs, Llrs)
    if times < 1 or llrs.size % times:
        raise ValueError(f"a burst must hold times={times} copies of equal length, one or more.")
    if times == 1:
        return llrs
    with np.errstate(invalid="ignore", over="ignore"):
        return llrs.reshape(times, llrs.size // times).sum(axis=0, dtype=np.float32)


class BitRepeat(Block):
    """Send each burst `times` times over, copy behind copy, so that a fade hits one copy of a bit and not all."""

    bits = In(Bits, "n")
    repeated = Out(Bits, "times * n", repetition="{times}")

    times: int = setting(2, ge=1, le=64, doc="copies sent; 1 passes the burst on")

    def work(self, bits: np.ndarray) -> np.ndarray:
        bits = burst_of(bits, Bits)
        return bits if self.times == 1 else np.tile(bits, self.times)


class LlrCombine(Block):
    """Add up the LLRs of the copies that `BitRepeat` sent: for independent noise, the LLR of the bit given them all."""

    llrs = In(Llrs, "times * n", repetition="{times}")
    combined = Out(Llrs, "n")

    times: int = setting(2, ge=1, le=64, doc="copies sent; 1 passes the burst on")

    def work(self, llrs: np.ndarray) -> np.ndarray:
        return combine(llrs, self.times)
