"""The code object: what encoder and decoder must know of a quasi-cyclic LDPC code."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from lgvsc_flow.blocks.phy.ldpc.tables import WIFI_TABLES

__all__ = ["CODE_RATES", "LENGTHS", "LdpcCode", "wifi_code"]

LENGTHS = (648, 1296, 1944)
CODE_RATES = ("1/2", "2/3", "3/4", "5/6")


@dataclass(frozen=True, eq=False)
class LdpcCode:
    """A systematic quasi-cyclic LDPC code.

    `base` is int16 [rows, columns]: -1 for a z x z zero block, else the shift s of an identity block whose row r
    has its one in column (r + s) mod z. The same is kept as flat lists for the kernels: the entries of base row i
    are `columns[starts[i]:starts[i+1]]` and `shifts[...]`.
    """

    name: str
    z: int
    base: np.ndarray
    starts: np.ndarray = field(init=False)
    columns: np.ndarray = field(init=False)
    shifts: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        rows, columns = np.nonzero(self.base >= 0)
        starts = np.searchsorted(rows, np.arange(self.base.shape[0] + 1))
        object.__setattr__(self, "starts", starts.astype(np.int32))
        object.__setattr__(self, "columns", columns.astype(np.int32))
        object.__setattr__(self, "shifts", self.base[rows, columns].astype(np.int32))

    @property
    def n(self) -> int:
        """Bits per codeword."""
        return self.base.shape[1] * self.z

    @property
    def m(self) -> int:
        """Parity checks."""
        return self.base.shape[0] * self.z

    @property
    def k(self) -> int:
        """Information bits per codeword; they come first."""
        return self.n - self.m

    def parity_check(self) -> np.ndarray:
        """The matrix H, uint8 [m, n]."""
        full = np.zeros((self.m, self.n), np.uint8)
        lane = np.arange(self.z)
        for i in range(self.base.shape[0]):
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
