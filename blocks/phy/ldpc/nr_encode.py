"""Encoding of the NR codes: the four core parity blocks by rotations, the others row by row."""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from lgvsc_flow.blocks.phy.ldpc.code import LdpcCode
from lgvsc_flow.blocks.phy.ldpc.nr_code import CORE_ROWS

__all__ = ["nr_encode"]


@njit(nogil=True, cache=True)
def _add(total: np.ndarray, twice: np.ndarray, places: np.ndarray, start: int, stop: int) -> None:
    """total ^= the runs of `twice` that begin at places[start:stop], four at a time."""
    z = total.size
    i = start
    while i + 4 <= stop:
        a = twice[places[i] : places[i] + z]
        b = twice[places[i + 1] : places[i + 1] + z]
        c = twice[places[i + 2] : places[i + 2] + z]
        d = twice[places[i + 3] : places[i + 3] + z]
        for r in range(z):
            total[r] ^= a[r] ^ b[r] ^ c[r] ^ d[r]
        i += 4
    while i < stop:
        a = twice[places[i] : places[i] + z]
        for r in range(z):
            total[r] ^= a[r]
        i += 1


@njit(nogil=True, cache=True)
def _put_twice(twice: np.ndarray, at: int, block: np.ndarray) -> None:
    """A block kept twice in a row makes each of its rotations one straight run."""
    z = block.size
    first, second = twice[2 * at : 2 * at + z], twice[2 * at + z : 2 * (at + z)]
    for r in range(z):
        first[r] = block[r]
        second[r] = block[r]


@njit(nogil=True, cache=True)
def _encode(
    words: np.ndarray, z: int, core: int, turn: int, starts: np.ndarray, bounds: np.ndarray, places: np.ndarray
) -> np.ndarray:
    rows = starts.size - 1
    frames, k = words.shape
    n = k + rows * z
    coded = np.zeros((frames, n), np.uint8)
    twice = np.empty(2 * (k + core * z), np.uint8)
    total = np.empty(z, np.uint8)
    for f in range(frames):
        word, sent = coded[f], words[f]
        for i in range(k):
            word[i] = sent[i]
        for at in range(0, k, z):
            _put_twice(twice, at, sent[at : at + z])
        # The core rows' sums go where the parity bits will be, one block later; the last one goes first.
        for i in range(core):
            at = k + (i + 1) % core * z
            _add(word[at : at + z], twice, places, starts[i], bounds[i])
        # The first parity column has three entries, two of them alike: the sum of all sums is it, turned by the third.
        head, one, two, three = word[k : k + z], word[k + z :], word[k + 2 * z :], word[k + 3 * z :]
        for r in range(z):
            total[r] = head[r] ^ one[r] ^ two[r] ^ three[r]
        turned = word[k + turn : k + z]
        for r in range(z - turn):
            turned[r] = total[r]
        rest = total[z - turn :]
        for r in range(turn):
            head[r] = rest[r]
        _put_twice(twice, k, head)
        for i in range(core - 1):
            at = k + (i + 1) * z
            block, before = word[at : at + z], word[at - z : at]
            if i > 0:
                for r in range(z):
                    block[r] ^= before[r]
            _add(block, twice, places, bounds[i], bounds[i] + (places[bounds[i]] // (2 * z) == k // z))
            _put_twice(twice, at, block)
        for i in range(core, rows):
            _add(word[k + i * z : k + (i + 1) * z], twice, places, starts[i], bounds[i])
    return coded


@cache
def _plan(code: LdpcCode) -> tuple[int, np.ndarray, np.ndarray]:
    """The turn of the first parity block; where each row's known columns end; where each entry's run begins."""
    rows, columns = code.base.shape
    information = columns - rows
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
        ValueError: the words do not have k bits.

    Ref: 3GPP TS 38.212, clause 5.3.2.
    """
    if words.ndim != 2 or words.shape[1] != code.k:
        raise ValueError(f"{code.name} encodes words [frames, {code.k}], got {list(words.shape)}.")
    words = np.ascontiguousarray(words, np.uint8)
    turn, bounds, places = _plan(code)
    return _encode(words, code.z, CORE_ROWS, turn, code.starts, bounds, places)
