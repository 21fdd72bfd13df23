"""Elimination over GF(2): a sparse part by substitution, and what is left as dense rows of packed bits."""

from __future__ import annotations

import heapq

import numpy as np

from lgvsc_flow.kernels import kernel

__all__ = ["bits_of", "dense_product", "packed", "peel", "reduce_rows", "remainders", "substitute", "units"]

CLOSED, OPEN, PARKED, SOLVED = 0, 1, 2, 3


@kernel
def peel(
    starts: np.ndarray, columns: np.ndarray, tops: np.ndarray, rows: np.ndarray, is_open: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order rows so that each gives one open bit from those before it, once some open bits, the parked ones, are known.

    Args:
        starts: of the ones of each row in `columns`.
        columns: the column of each one, row by row.
        tops: of the ones of each column in `rows`.
        rows: the row of each one, column by column.
        is_open: the columns to be solved for.

    Returns:
        (rows, columns) in the order of solution, and the open columns that are parked.

    Ref: the idea of inactivation decoding, M. Shokrollahi and M. Luby, Raptor Codes, FnT Comm. Inf. Theory 6 (2011).
    """
    m, n = starts.size - 1, tops.size - 1
    state = is_open.astype(np.uint8)
    degrees, used = np.zeros(m, np.int64), np.zeros(m, np.bool_)
    for row in range(m):
        for e in range(starts[row], starts[row + 1]):
            degrees[row] += state[columns[e]] == OPEN
    # Rows with the fewest open bits come first; an entry whose degree is no longer true is passed over.
    waiting = [degrees[row] * m + row for row in range(m)]
    heapq.heapify(waiting)
    solved = np.empty((2, min(m, n)), np.int32)
    count = 0
    while len(waiting):
        key = heapq.heappop(waiting)
        degree, row = key // m, key % m
        if used[row] or degree != degrees[row] or degree == 0:
            continue
        chosen, weight = -1, -1
        for e in range(starts[row], starts[row + 1]):
            column = columns[e]
            if state[column] == OPEN and tops[column + 1] - tops[column] > weight:
                chosen, weight = column, tops[column + 1] - tops[column]
        if degree == 1:
            state[chosen] = SOLVED
            used[row] = True
            solved[0, count], solved[1, count] = row, chosen
            count += 1
        else:
            state[chosen] = PARKED
        for e in range(tops[chosen], tops[chosen + 1]):
            other = rows[e]
            if not used[other]:
                degrees[other] -= 1
                heapq.heappush(waiting, degrees[other] * m + other)
    parked = np.flatnonzero((state == PARKED) | (state == OPEN)).astype(np.int32)
    return solved[0, :count].copy(), solved[1, :count].copy(), parked


@kernel
def substitute(
    values: np.ndarray, starts: np.ndarray, columns: np.ndarray, rows: np.ndarray, pivots: np.ndarray
) -> None:
    """values[pivots[i]] = the sum of the other bits of row rows[i], in order; values uint64 [n, words]."""
    words = values.shape[1]
    for i in range(rows.size):
        own = values[pivots[i]]
        own[:] = 0
        for e in range(starts[rows[i]], starts[rows[i] + 1]):
            if columns[e] != pivots[i]:
                other = values[columns[e]]
                for j in range(words):
                    own[j] ^= other[j]


@kernel
def remainders(values: np.ndarray, starts: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The sums of all bits of some rows: uint64 [rows, words]."""
    words = values.shape[1]
    sums = np.zeros((rows.size, words), np.uint64)
    for i in range(rows.size):
        for e in range(starts[rows[i]], starts[rows[i] + 1]):
            other = values[columns[e]]
            for j in range(words):
                sums[i, j] ^= other[j]
    return sums


@kernel
def reduce_rows(matrix: np.ndarray, columns: int) -> np.ndarray:
    """Gauss-Jordan elimination of packed rows, in place, pivots from the first `columns` bits; returns their columns.

    Row i of the result has the i-th pivot, alone in its column; the rows behind the last are zero in these columns.
    """
    height, words = matrix.shape
    pivots = np.empty(min(height, columns), np.int64)
    rank = 0
    for column in range(columns):
        word, bit = column // 64, np.uint64(1) << np.uint64(column % 64)
        found = rank
        while found < height and not matrix[found, word] & bit:
            found += 1
        if found == height:
            continue
        if found != rank:
            for j in range(words):
                matrix[found, j], matrix[rank, j] = matrix[rank, j], matrix[found, j]
        pivot = matrix[rank]
        for row in range(height):
            if row != rank and matrix[row, word] & bit:
                target = matrix[row]
                for j in range(word, words):
                    target[j] ^= pivot[j]
        pivots[rank] = column
        rank += 1
        if rank == height:
            break
    return pivots[:rank].copy()


@kernel
def dense_product(matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
    """matrix (packed bits, uint64 [height, ...]) times values uint64 [width, words]: uint64 [height, words].

    Eight bits of a row at once pick from a table of all sums of eight values.

    Ref: V. Arlazarov et al., Soviet Math. Dokl. 11 (1970) 1209.
    """
    height, (width, words) = matrix.shape[0], values.shape
    total = np.zeros((height, words), np.uint64)
    table = np.zeros((256, words), np.uint64)
    for at in range(0, width, 8):
        size = 1
        for i in range(min(8, width - at)):
            for entry in range(size):
                for j in range(words):
                    table[size + entry, j] = table[entry, j] ^ values[at + i, j]
            size *= 2
        word, shift = at // 64, np.uint64(at % 64)
        for row in range(height):
            picked = np.int64(matrix[row, word] >> shift & np.uint64(size - 1))
            if picked:
                for j in range(words):
                    total[row, j] ^= table[picked, j]
    return total


def units(count: int, words: int) -> np.ndarray:
    """The identity matrix as packed rows: uint64 [count, words], bit i in row i."""
    matrix = np.zeros((count, words), np.uint64)
    at = np.arange(count)
    matrix[at, at // 64] = np.uint64(1) << (at % 64).astype(np.uint64)
    return matrix


def bits_of(matrix: np.ndarray, columns: int) -> np.ndarray:
    """Packed rows as uint8 [height, columns]."""
    columns_of_words = matrix.astype("<u8").view(np.uint8).reshape(matrix.shape[0], -1)
    return np.unpackbits(columns_of_words, axis=1, bitorder="little")[:, :columns]


def packed(bits: np.ndarray) -> np.ndarray:
    """uint8 [height, columns] of 0 and 1 as packed rows, uint64 [height, words]."""
    height, columns = bits.shape
    full = np.zeros((height, -(-columns // 64) * 64), np.uint8)
    full[:, :columns] = bits
    return np.packbits(full, axis=1, bitorder="little").view("<u8").astype(np.uint64)
