"""Encoding of the 802.11 codes in linear time, along their dual diagonal: one bit of an integer for each codeword."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from lgvsc_flow.blocks.given import bits_of
from lgvsc_flow.blocks.phy.ldpc.across import signs_across, turn_across, words_across
from lgvsc_flow.blocks.phy.ldpc.checks import STAMP
from lgvsc_flow.blocks.phy.ldpc.code import LdpcCode
from lgvsc_flow.blocks.phy.ldpc.simd import lanes
from lgvsc_flow.kernels import kernel

__all__ = ["encode"]


@kernel
def _add_shifted(total: np.ndarray, block: np.ndarray, shift: int) -> None:
    """total[r] ^= block[(r + shift) mod z], as two straight runs."""
    left = total.size - shift
    for r in range(left):
        total[r] ^= block[r + shift]
    for r in range(shift):
        total[left + r] ^= block[r]


@kernel
def _parity(word: np.ndarray, k: int, z: int, starts: np.ndarray, columns: np.ndarray, shifts: np.ndarray) -> None:
    """Fill word[k:] uint64, as many codewords as bits."""
    rows = starts.size - 1
    parity = word[k:]
    parity[:] = 0
    first = parity[:z]
    last = np.zeros(z, np.uint64)
    # The row sums go where the parity bits will be, one block later; the last one is needed for `first` only.
    for i in range(rows):
        total = parity[(i + 1) * z : (i + 2) * z] if i < rows - 1 else last
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


@cache
def _kernel(width: int) -> Callable[..., Any]:
    stamp = STAMP

    @kernel
    def encode_across(
        bits: np.ndarray, n: int, z: int, starts: np.ndarray, columns: np.ndarray, shifts: np.ndarray
    ) -> np.ndarray:
        k = n - (starts.size - 1) * z
        frames = bits.size // k
        coded = np.empty((frames + 1) * n, np.uint8)
        turned, word = np.empty(k * width, np.int8), np.empty(n, np.uint64)
        outs = np.empty(width, np.int64)
        few = np.zeros((width if frames % width else 0) * k, np.uint8)
        for frame in range(0, frames, width):
            some = min(width, frames - frame)
            batch = bits[frame * k :]
            if some < width:
                for i in range(some * k):
                    few[i] = batch[i]
                batch = few
            for lane in range(width):
                # The parity of lanes without a word goes behind the last codeword, where nobody reads.
                outs[lane] = (frame + lane) * n + k if lane < some else frames * n
            for lane in range(some):
                sent, place = batch[lane * k : (lane + 1) * k], coded[(frame + lane) * n : (frame + lane) * n + k]
                for i in range(k):
                    place[i] = sent[i]
            turn_across(batch, turned, k, width, stamp)
            signs_across(turned, word, k, width, stamp)
            for i in range(k):
                word[i] = ~word[i]  # a sign bit is set for 0
            _parity(word, k, z, starts, columns, shifts)
            words_across(word[k:], coded, outs, n - k, width, stamp)
        return coded[: frames * n]

    return encode_across


@cache
def _demand(code: LdpcCode) -> None:
    """Raise `ValueError` where the parity columns are not the dual diagonal that the encoder goes along."""
    rows, columns = code.base.shape
    parity = code.base[:, columns - rows :]
    staircase = np.full((rows, rows - 1), -1)
    np.fill_diagonal(staircase, 0)
    np.fill_diagonal(staircase[1:], 0)
    first = np.flatnonzero(parity[:, 0] >= 0)
    ends = first.size == 3 and first[0] == 0 and first[2] == rows - 1 and parity[0, 0] == parity[-1, 0]
    if columns - rows < 1 or not ends or parity[first[1], 0] != 0 or not np.array_equal(parity[:, 1:], staircase):
        raise ValueError(f"{code.name} is not one of the 802.11 codes, which alone this encoder knows.")


def encode(bits: np.ndarray, code: LdpcCode) -> np.ndarray:
    """Systematic codewords: uint8 [frames * k] to [frames * n].

    Ref: IEEE Std 802.11-2016, clause 19.3.11.7 (the code), Annex F (the tables).

    Raises:
        ValueError: the bits are not whole information words, of another dtype, or not 0 and 1; the code is none of
            802.11.
    """
    bits = bits_of(bits)
    _demand(code)
    if bits.size % code.k:
        raise ValueError(f"a burst must hold whole information words of k={code.k}.")
    kernel = _kernel(lanes())
    return kernel(bits, code.n, code.z, code.starts, code.columns, code.shifts)
