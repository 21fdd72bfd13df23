"""A systematic encoder for any parity-check matrix, of any rank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lgvsc_flow.blocks.phy.ldpc.gf2 import (
    bits_of,
    dense_product,
    packed,
    peel,
    reduce_rows,
    remainders,
    substitute,
    units,
)
from lgvsc_flow.blocks.phy.ldpc.parity_check import MatrixError, ParityCheck
from lgvsc_flow.kernels import kernel

__all__ = ["MAX_GAP", "Encoder", "encode_general", "encoder_of"]

MAX_GAP = 8192  # bits that a dense matrix solves for: seconds once, and the square of it for each word
MAX_DENSE = 2**27  # bits of the search for parity bits elsewhere, a byte each
WIDTH = 8  # 64-bit words side by side: 512 codewords at once


@dataclass(frozen=True, eq=False)
class Encoder:
    """What encoding takes: which bits carry information, and how the others follow.

    `information` are the k positions of the information bits, rising. The bits `solved` follow one by one from the
    rows `steps`, once the bits `dense` are known; and these are `inverse` (packed) times the remainders of the rows
    `rest` that are found with them at zero.
    """

    matrix: ParityCheck
    information: np.ndarray
    steps: np.ndarray
    solved: np.ndarray
    dense: np.ndarray
    rest: np.ndarray
    inverse: np.ndarray

    @property
    def k(self) -> int:
        return self.information.size

    @property
    def rank(self) -> int:
        """The independent rows of the matrix."""
        return self.matrix.n - self.k


def encoder_of(matrix: ParityCheck, front: bool = True) -> Encoder:
    """The encoder of a matrix.

    With `front` the parity bits are the last bits of a word where the last m columns are independent, so that the
    information bits come first; else as many of the last as are independent, and bits before them that complete them.
    Without it all that from the other end.

    Raises:
        MatrixError: the matrix leaves no information bits, or is not sparse enough.
    """
    n, m = matrix.n, matrix.m
    order = np.arange(n)[::-1] if front else np.arange(n)
    is_open = np.zeros(n, np.bool_)
    is_open[order[:m]] = True
    down = matrix.transposed()
    steps, solved, parked = peel(matrix.starts, matrix.columns, down.starts, down.columns, is_open)
    is_rest = np.ones(m, np.bool_)
    is_rest[steps] = False
    rest = np.flatnonzero(is_rest).astype(np.int32)
    if max(parked.size, rest.size) > MAX_GAP:
        raise MatrixError(
            f"{max(parked.size, rest.size)} of the {m} checks cannot be solved one after the other, at most {MAX_GAP} "
            "may be left for a dense matrix. Is the matrix sparse? Parity bits belong at one end of the word"
        )
    found, shares = _eliminated(matrix, steps, solved, parked, rest)
    dense = parked[found]
    if found.size < parked.size and n > m:
        more = _completed(matrix, down, steps, solved, rest, shares[found.size :], order[m:])
        if more.size:
            dense = np.concatenate([dense, more])
            _, shares = _eliminated(matrix, steps, solved, dense, rest)
    inverse = np.ascontiguousarray(shares[: dense.size])
    free = np.ones(n, np.bool_)
    free[solved] = free[dense] = False
    information = np.flatnonzero(free).astype(np.int32)
    if not information.size:
        raise MatrixError(f"the {m} checks leave no information bit in a word of n={n}")
    return Encoder(matrix, information, steps, solved, dense.astype(np.int32), rest, inverse)


def _responses(
    matrix: ParityCheck, steps: np.ndarray, solved: np.ndarray, bits: np.ndarray, rest: np.ndarray
) -> np.ndarray:
    """Remainders of the rows `rest` for each single one of `bits` set: packed, uint64 [rest, bits / 64]."""
    words = -(-bits.size // 64)
    sums = np.empty((rest.size, words), np.uint64)
    for at in range(0, words, WIDTH):
        some = min(WIDTH, words - at)
        mine = bits[at * 64 : (at + some) * 64]
        values = np.zeros((matrix.n, some), np.uint64)
        values[mine] = units(mine.size, some)
        substitute(values, matrix.starts, matrix.columns, steps, solved)
        sums[:, at : at + some] = remainders(values, matrix.starts, matrix.columns, rest)
    return sums


def _eliminated(
    matrix: ParityCheck, steps: np.ndarray, solved: np.ndarray, bits: np.ndarray, rest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which of `bits` the rows `rest` determine, as places in `bits`; and how often each of `rest` takes part in that.

    The second is packed, uint64 [rest, rest / 64]: first the rows that give these bits, then those with none of `bits`.
    """
    left = _responses(matrix, steps, solved, bits, rest)
    both = np.hstack([left, units(rest.size, -(-rest.size // 64))])
    return reduce_rows(both, bits.size), both[:, left.shape[1] :]


def _completed(
    matrix: ParityCheck,
    down: ParityCheck,
    steps: np.ndarray,
    solved: np.ndarray,
    rest: np.ndarray,
    shares: np.ndarray,
    others: np.ndarray,
) -> np.ndarray:
    """Those of the bits `others`, the first that will do, that complete the open ones to all that can be solved for.

    `shares` (packed, [rows, rest]) are sums of rows of the matrix in which no open bit is left.
    """
    count = shares.shape[0]
    if others.size * count > MAX_DENSE:
        raise MatrixError(
            f"{count} parity bits are not at the end of the word where the others are, more than can be found among "
            f"n={matrix.n}. Put the parity bits at one end"
        )
    by_row = packed(np.ascontiguousarray(bits_of(shares, rest.size).T))
    parts = np.zeros((matrix.m, by_row.shape[1]), np.uint64)
    parts[rest] = by_row
    substitute(parts, down.starts, down.columns, solved[::-1].copy(), steps[::-1].copy())
    # What is left of the sums in the other bits.
    left = bits_of(remainders(parts, down.starts, down.columns, others.astype(np.int32)), count)
    rows = packed(np.ascontiguousarray(left.T))
    return others[reduce_rows(rows, others.size)]


@kernel
def _load(bits: np.ndarray, k: int, some: int, places: np.ndarray, values: np.ndarray) -> None:
    """`some` words of information into values uint8 [n, codewords / 8], zero elsewhere."""
    values[:] = 0
    column = np.empty(k, np.uint8)
    for byte in range((some + 7) // 8):
        column[:] = 0
        for lane in range(min(8, some - 8 * byte)):
            sent, shift = bits[(8 * byte + lane) * k :][:k], np.uint8(lane)
            for i in range(k):
                column[i] |= (sent[i] & np.uint8(1)) << shift
        for i in range(k):
            values[places[i], byte] = column[i]


@kernel
def _store(values: np.ndarray, some: int, coded: np.ndarray) -> None:
    """`some` codewords from values uint8 [n, codewords / 8] to coded [frames, n]."""
    column = np.empty(values.shape[0], np.uint8)
    for byte in range((some + 7) // 8):
        for i in range(column.size):
            column[i] = values[i, byte]
        for lane in range(min(8, some - 8 * byte)):
            out, shift = coded[8 * byte + lane], np.uint8(lane)
            for i in range(column.size):
                out[i] = column[i] >> shift & np.uint8(1)


def encode_general(bits: np.ndarray, encoder: Encoder) -> np.ndarray:
    """Codewords: uint8 [frames * k] to [frames * n], the information bits at `encoder.information`.

    Ref: T. Richardson and R. Urbanke, IEEE Trans. Inf. Theory 47 (2001) 638: a sparse triangle and a dense gap.

    Raises:
        ValueError: the bits are not whole information words.
    """
    k, matrix = encoder.k, encoder.matrix
    if bits.size % k:
        raise ValueError(f"a burst must hold whole information words of k={k}.")
    frames = bits.size // k
    coded = np.empty((frames, matrix.n), np.uint8)
    bits = np.ascontiguousarray(bits, np.uint8)
    values = np.empty((matrix.n, max(1, min(WIDTH, -(-frames // 64)))), np.uint64)
    few = values.view(np.uint8)
    for frame in range(0, frames, 64 * values.shape[1]):
        some = min(64 * values.shape[1], frames - frame)
        _load(bits[frame * k :], k, some, encoder.information, few)
        substitute(values, matrix.starts, matrix.columns, encoder.steps, encoder.solved)
        if encoder.dense.size:
            left = remainders(values, matrix.starts, matrix.columns, encoder.rest)
            values[encoder.dense] = dense_product(encoder.inverse, left)
            substitute(values, matrix.starts, matrix.columns, encoder.steps, encoder.solved)
        _store(few, some, coded[frame : frame + some])
    return coded.ravel()
