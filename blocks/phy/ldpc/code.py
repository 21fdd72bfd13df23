"""The code object: what encoder and decoder must know of an LDPC code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from lgvsc_flow.blocks.phy.ldpc.tables import WIFI_TABLES

__all__ = ["CODE_RATES", "LENGTHS", "LdpcCode", "wifi_code"]

LENGTHS = (648, 1296, 1944)
CODE_RATES = ("1/2", "2/3", "3/4", "5/6")


@dataclass(frozen=True, eq=False, init=False)
class LdpcCode:
    """A quasi-cyclic LDPC code; with z = 1 any LDPC code.

    Its matrix is made of z x z blocks: zero blocks, and identity blocks of a shift s, whose row r has its one in column
    (r + s) mod z. The blocks of block row i that are not zero are `columns[starts[i]:starts[i+1]]` and `shifts[...]`.

    Args:
        name: what messages call it.
        z: the size of a block.
        base: int16 [rows, columns], the shift of each block, -1 for a zero block.
    """

    name: str
    z: int
    shape: tuple[int, int]
    starts: np.ndarray
    columns: np.ndarray
    shifts: np.ndarray
    rank: int

    def __init__(self, name: str, z: int, base: np.ndarray) -> None:
        rows, columns = np.nonzero(base >= 0)
        self._fill(name, z, base.shape, rows, columns, base[rows, columns], None)
        self.__dict__["base"] = base

    @classmethod
    def of_blocks(
        cls,
        name: str,
        z: int,
        shape: tuple[int, int],
        rows: np.ndarray,
        columns: np.ndarray,
        shifts: np.ndarray,
        rank: int | None = None,
    ) -> LdpcCode:
        """The code of identity blocks at (rows[i], columns[i]), `rows` rising; for tables too large to write out.

        `shape` counts blocks. `rank` is that of the whole matrix, None where all its rows are independent.
        """
        code = cls.__new__(cls)
        code._fill(name, z, shape, rows, columns, shifts, rank)
        return code

    def _fill(
        self,
        name: str,
        z: int,
        shape: tuple[int, ...],
        rows: np.ndarray,
        columns: np.ndarray,
        shifts: np.ndarray,
        rank: int | None,
    ) -> None:
        if shifts.size and not 0 <= shifts.min() <= shifts.max() < z:
            raise ValueError(f"{name}: shifts are 0 to z - 1 = {z - 1}; got {shifts.min()} to {shifts.max()}.")
        if np.unique(np.stack([rows, columns]), axis=1).shape[1] < rows.size:
            raise ValueError(f"{name}: two identity blocks in one place; take a smaller z, at which they are apart.")
        starts = np.searchsorted(rows, np.arange(shape[0] + 1))
        # The object is frozen for everyone else.
        self.__dict__.update(
            name=name,
            z=z,
            shape=(int(shape[0]), int(shape[1])),
            starts=starts.astype(np.int32),
            columns=columns.astype(np.int32),
            shifts=shifts.astype(np.int32),
            rank=int(shape[0]) * z if rank is None else rank,
        )

    @cached_property
    def base(self) -> np.ndarray:
        """The table of shifts, [rows, columns]."""
        table = np.full(self.shape, -1, np.int16 if self.z < 2**15 else np.int32)
        table[np.repeat(np.arange(self.shape[0]), np.diff(self.starts)), self.columns] = self.shifts
        return table

    @property
    def n(self) -> int:
        """Bits per codeword."""
        return self.shape[1] * self.z

    @property
    def m(self) -> int:
        """Parity checks."""
        return self.shape[0] * self.z

    @property
    def k(self) -> int:
        """Information bits per codeword; in the codes of the standards they come first."""
        return self.n - self.rank

    @cached_property
    def extended(self) -> bool:
        """Whether some bits are in one check only, as those by which 5G NR extends its codes to low rates."""
        return bool((np.bincount(self.columns, minlength=self.shape[1]) == 1).any())

    def parity_check(self) -> np.ndarray:
        """The matrix H, uint8 [m, n]."""
        full = np.zeros((self.m, self.n), np.uint8)
        lane = np.arange(self.z)
        for i in range(self.shape[0]):
            for e in range(self.starts[i], self.starts[i + 1]):
                full[i * self.z + lane, self.columns[e] * self.z + (lane + self.shifts[e]) % self.z] = 1
        return full


@cache
def wifi_code(n: int, code_rate: str) -> LdpcCode:
    """The 802.11 code of `n` = 648, 1296 or 1944 bits and `code_rate` = "1/2", "2/3", "3/4" or "5/6".

    Raises:
        ValueError: there is no such code.
    """
    if (n, code_rate) not in WIFI_TABLES:
        raise ValueError(f"802.11 has n of {LENGTHS} and code_rate of {CODE_RATES}; got n={n}, code_rate={code_rate!r}")
    lines = WIFI_TABLES[n, code_rate].split("\n")
    base = [[-1 if s == "-" else int(s) for s in line.split()] for line in lines if line.strip()]
    return LdpcCode(f"802.11n n={n} r={code_rate}", n // 24, np.array(base, np.int16))
