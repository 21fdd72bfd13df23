"""Interleaving of a burst, so that a fade is shared by all codewords."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.items import Bits, Llrs

__all__ = ["Deinterleaver", "Interleaver", "permutation"]


@lru_cache(maxsize=64)
def permutation(n: int, columns: int) -> np.ndarray:
    """Where each place of the interleaved burst is filled from: int64 [n].

    The burst is written in rows of `columns` and read column by column, column j beginning in row j (modulo the
    number of rows). Without that turn, a codeword could meet the same bit of every QAM label, the weakest maybe.

    Raises:
        ValueError: the burst is not whole rows.
    """
    if n % columns:
        raise ValueError(f"a burst must hold whole rows of columns={columns}.")
    rows = n // columns
    column, place = np.divmod(np.arange(n), max(rows, 1))
    return (place - column) % max(rows, 1) * columns + column


class Interleaver(Block):
    """Spread each row of `columns` bits, as a rule a codeword, evenly over the whole burst.

    Without it a fade takes few codewords whole; with it each loses a little, and the code repairs it. It goes behind
    the encoder and before `BitRepeat`, so that the copies of a bit stay far apart.
    """

    bits = In(Bits, "rows * columns")
    interleaved = Out(Bits, "rows * columns", interleaving="rows of {columns}")

    columns: int = setting(648, ge=1, unit="bits", doc="length of a codeword")

    def work(self, bits: np.ndarray) -> np.ndarray:
        return bits[permutation(bits.size, self.columns)]


class Deinterleaver(Block):
    """Put the LLRs of an interleaved burst back in order."""

    llrs = In(Llrs, "rows * columns", interleaving="rows of {columns}")
    ordered = Out(Llrs, "rows * columns")

    columns: int = setting(648, ge=1, unit="bits", doc="length of a codeword")

    def work(self, llrs: np.ndarray) -> np.ndarray:
        ordered = np.empty_like(llrs)
        ordered[permutation(llrs.size, self.columns)] = llrs
        return ordered
