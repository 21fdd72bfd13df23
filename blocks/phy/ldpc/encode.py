"""Encoding of the 802.11 codes in linear time, along their dual diagonal."""

from __future__ import annotations

import numpy as np
from numba import njit

from lgvsc_flow.blocks.phy.ldpc.code import LdpcCode

__all__ = ["encode"]


@njit(nogil=True, cache=True)
def _add_shifted(total: np.ndarray, block: np.ndarray, shift: int) -> None:
    """total[r] ^= block[(r + shift) mod z], as two straight runs."""
    left = total.size - shift
    for r in range(left):
        total[r] ^= block[r + shift]
    for r in range(shift):
        total[left + r] ^= block[r]


@njit(nogil=True, cache=True)
def _encode(bits: np.ndarray, z: int, starts: np.ndarray, columns: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    rows = starts.size - 1
    k = (24 - rows) * z
    n = 24 * z
    frames = bits.size // k
    coded = np.zeros(frames * n, np.uint8)
    for f in range(frames):
        word = coded[f * n : (f + 1) * n]
        word[:k] = bits[f * k : (f + 1) * k]
        parity = word[k:]
        first = parity[:z]
        # The row sums go where the parity bits will be, one block later; the last one is never needed.
        for i in range(rows):
            total = parity[(i + 1) * z : (i + 2) * z] if i < rows - 1 else np.zeros(z, np.uint8)
            for e in range(starts[i], starts[i + 1]):
                if columns[e] * z < k:
                    _add_shifted(total, word[columns[e] * z : (columns[e] + 1) * z], shifts[e])
            for r in range(z):
                first[r] ^= total[r]
        # The first parity column has three entries, outer two alike: over all rows only the middle one is left.
        for i in range(rows - 1):
            block = parity[(i + 1) * z : (i + 2) * z]
            if i > 0:
                for r in range(z):
                    block[r] ^= parity[i * z + r]
            for e in range(starts[i], starts[i + 1]):
                if columns[e] * z == k:
                    _add_shifted(block, first, shifts[e])
    return coded


def encode(bits: np.ndarray, code: LdpcCode) -> np.ndarray:
    """Systematic codewords: uint8 [frames * k] to [frames * n].

    Ref: IEEE Std 802.11-2016, clause 19.3.11.7 (the code), Annex F (the tables).

    Raises:
        ValueError: the bits are not whole information words.
    """
    if bits.size % code.k:
        raise ValueError(f"a burst must hold whole information words of k={code.k}.")
    return _encode(bits, code.z, code.starts, code.columns, code.shifts)
