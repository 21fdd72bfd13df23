"""Any parity-check matrix, by the places of its ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lgvsc_flow.errors import FlowError

__all__ = ["MAX_BITS", "MAX_ONES", "MatrixError", "ParityCheck"]

MAX_BITS = 2**20  # rows, and columns
MAX_ONES = 2**23


class MatrixError(FlowError, ValueError):
    """A parity-check matrix is malformed, too large, or makes no code."""


@dataclass(frozen=True, eq=False)
class ParityCheck:
    """A sparse matrix H of m rows (checks) and n columns (bits of a codeword).

    The ones of row i are in `columns[starts[i]:starts[i+1]]`, which rise.
    """

    n: int
    starts: np.ndarray
    columns: np.ndarray

    @classmethod
    def of_ones(cls, m: int, n: int, rows: np.ndarray, columns: np.ndarray) -> ParityCheck:
        """The matrix with ones at (rows[i], columns[i]), in any order, none twice."""
        order = np.lexsort((columns, rows))
        starts = np.searchsorted(rows[order], np.arange(m + 1))
        return cls(n, starts.astype(np.int32), columns[order].astype(np.int32))

    @classmethod
    def of_dense(cls, matrix: np.ndarray) -> ParityCheck:
        """The matrix of an array [m, n] of 0 and 1."""
        return cls.of_ones(*matrix.shape, *np.nonzero(matrix))

    @property
    def m(self) -> int:
        return self.starts.size - 1

    @property
    def rows(self) -> np.ndarray:
        """The row of each one, beside `columns`."""
        return np.repeat(np.arange(self.m, dtype=np.int32), np.diff(self.starts))

    def dense(self) -> np.ndarray:
        """uint8 [m, n]."""
        full = np.zeros((self.m, self.n), np.uint8)
        full[self.rows, self.columns] = 1
        return full

    def transposed(self) -> ParityCheck:
        return ParityCheck.of_ones(self.n, self.m, self.columns, self.rows)

    def circulants(self) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
        """(z, rows, columns, shifts): the ones as shifted z x z identity blocks, of the largest z for which they are.

        Block (rows[i], columns[i]) has the one of its row r in column (r + shifts[i]) mod z. Blocks begin at multiples
        of z. Where the matrix is not quasi-cyclic z is 1, and every one is a block.
        """
        rows, columns, weights = self.rows, self.columns, np.diff(self.starts)
        widths = np.bincount(columns, minlength=self.n)
        common = np.gcd(self.m, self.n)
        for z in range(int(common), 1, -1):
            if common % z or columns.size % z or _ragged(weights, z) or _ragged(widths, z):
                continue
            if not np.array_equal(columns[: weights[0]] // z, columns[weights[0] : 2 * weights[0]] // z):
                continue  # rows 0 and 1 already differ; most are turned away here
            blocks = rows // z * (self.n // z) + columns // z
            order = np.argsort(blocks, kind="stable")
            groups, shifts = blocks[order].reshape(-1, z), ((columns - rows) % z)[order].reshape(-1, z)
            # z ones in each group, rows rising within it: equal shifts make it the whole circulant.
            whole = (groups[:, :1] == groups).all() and (shifts[:, :1] == shifts).all()
            if whole and (groups[1:, 0] > groups[:-1, 0]).all():
                first = groups[:, 0]
                return z, first // (self.n // z), first % (self.n // z), shifts[:, 0]
        return 1, rows, columns, np.zeros(columns.size, np.int32)


def _ragged(weights: np.ndarray, z: int) -> bool:
    groups = weights.reshape(-1, z)
    return bool((groups[:, :1] != groups).any())
