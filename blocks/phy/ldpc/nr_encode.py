"""Encoding of the NR codes: the four core parity blocks by rotations, the others row by row."""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from lgvsc_flow.blocks.given import bits_of
from lgvsc_flow.blocks.phy.ldpc.code import LdpcCode
from lgvsc_flow.blocks.phy.ldpc.nr_code import CORE_ROWS

__all__ = ["nr_encode"]


# Vector loops of a length that is a multiple of this have no remainder; what they write beyond a block's z bytes is
# written over by the next block, or lies in the padding at the end of a buffer.
STRIDE = 32


@njit(nogil=True, cache=True)
def _add(total: np.ndarray, twice: np.ndarray, places: np.ndarray, start: int, stop: int) -> None:
    """total ^= the runs of `twice` that begin at places[start:stop], four at a time."""
    size = total.size
    i = start
    while i + 4 <= stop:
        a = twice[places[i] : places[i] + size]
        b = twice[places[i + 1] : places[i + 1] + size]
        c = twice[places[i + 2] : places[i + 2] + size]
        d = twice[places[i + 3] : places[i + 3] + size]
        for r in range(size):
            total[r] ^= a[r] ^ b[r] ^ c[r] ^ d[r]
        i += 4
    while i < stop:
        a = twice[places[i] : places[i] + size]
        for r in range(size):
            total[r] ^= a[r]
        i += 1


@njit(nogil=True, cache=True)
def _put_twice(twice: np.ndarray, at: int, z: int, block: np.ndarray) -> None:
    """A block kept twice in a row makes each of its rotations one straight run."""
    size = block.size
    first = twice[at : at + size]
    for r in range(size):
        first[r] = block[r]
    second = twice[at + z : at + z + size]
    for r in range(size):
        second[r] = block[r]


@njit(nogil=True, cache=True)
def _encode(
    words: np.ndarray, z: int, turn: int, starts: np.ndarray, bounds: np.ndarray, places: np.ndarray
) -> np.ndarray:
    rows = starts.size - 1
    frames, k = words.shape
    n = k + rows * z
    size = (z + STRIDE - 1) // STRIDE * STRIDE
    coded = np.empty(frames * n + size, np.uint8)
    twice = np.zeros(2 * (k + CORE_ROWS * z) + size, np.uint8)
    sums = np.empty((CORE_ROWS, size), np.uint8)
    turned = np.zeros(2 * z + size, np.uint8)
    for f in range(frames):
        word, sent = coded[f * n :], words[f]
        for i in range(k):
            word[i] = sent[i]
        for at in range(0, k, z):
            _put_twice(twice, 2 * at, z, word[at : at + size])
        for i in range(CORE_ROWS):
            total = sums[i]
            for r in range(size):
                total[r] = 0
            _add(total, twice, places, starts[i], bounds[i])
        # The first parity column has three entries, two of them alike: the sum of all sums is it, turned by the third.
        head, a, b, c, d = word[k : k + size], sums[0], sums[1], sums[2], sums[3]
        for r in range(size):
            head[r] = a[r] ^ b[r] ^ c[r] ^ d[r]
        _put_twice(turned, 0, z, head)
        source = turned[z - turn : z - turn + size]
        for r in range(size):
            head[r] = source[r]
        _put_twice(twice, 2 * k, z, head)
        for i in range(CORE_ROWS - 1):
            total, before = sums[i], twice[2 * (k + i * z) : 2 * (k + i * z) + size]
            if i > 0:
                for r in range(size):
                    total[r] ^= before[r]
            _add(total, twice, places, bounds[i], bounds[i] + (places[bounds[i]] // (2 * z) == k // z))
            block = word[k + (i + 1) * z : k + (i + 1) * z + size]
            for r in range(size):
                block[r] = total[r]
            _put_twice(twice, 2 * (k + (i + 1) * z), z, total)
        for i in range(CORE_ROWS, rows):
            block = word[k + i * z : k + i * z + size]
            for r in range(size):
                block[r] = 0
            _add(block, twice, places, starts[i], bounds[i])
    return coded[: frames * n].reshape(frames, n)


@cache
def _plan(code: LdpcCode) -> tuple[int, np.ndarray, np.ndarray]:
    """The turn of the first parity block; where each row's known columns end; where each entry's run begins."""
    rows, columns = code.base.shape
    information = columns - rows
    if not code.name.startswith("NR "):
        raise ValueError(f"{code.name} is not one of the NR codes, which alone this encoder knows.")
    own = np.arange(rows) >= CORE_ROWS  # rows with a parity column of their own, their last entry
    core = [np.count_nonzero(row[:information] >= 0) for row in code.base[:CORE_ROWS]]
    bounds = code.starts[1:] - own
    bounds[:CORE_ROWS] = code.starts[:CORE_ROWS] + core
    column = code.base[:CORE_ROWS, information]
    turn = int(np.bitwise_xor.reduce(column[column >= 0]))
    return turn, bounds.astype(np.int64), (2 * code.z * code.columns + code.shifts).astype(np.int64)


def nr_encode(words: np.ndarray, code: LdpcCode) -> np.ndarray:
    """Systematic codewords of a code of `nr_code`: uint8 [frames, k] to [frames, n].

    Filler bits are zeros in their places; the first 2 z bits, which are never sent, are there too.

    Raises:
        ValueError: the words do not have k bits, of another dtype, or not 0 and 1; the code is none of NR.

    Ref: 3GPP TS 38.212, clause 5.3.2.
    """
    if words.ndim != 2 or words.shape[1] != code.k:
        raise ValueError(f"{code.name} encodes words [frames, {code.k}], got {list(words.shape)}.")
    words = bits_of(words.reshape(-1)).reshape(words.shape)
    turn, bounds, places = _plan(code)
    return _encode(words, code.z, turn, code.starts, bounds, places)
