"""The LDPC codes of 5G NR: two base graphs, 51 lifting sizes."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from lgvsc_flow.blocks.phy.ldpc.code import LdpcCode

__all__ = ["BASE_GRAPHS", "CORE_ROWS", "LIFTING_SETS", "LIFTING_SIZES", "nr_code", "nr_table"]

LIFTING_SETS: tuple[tuple[int, ...], ...] = tuple(
    tuple(a << j for j in range(8) if a << j <= 384) for a in (2, 3, 5, 7, 9, 11, 13, 15)
)
"""The lifting sizes of set index 0 to 7 (TS 38.212, table 5.3.2-1)."""

LIFTING_SIZES: tuple[int, ...] = tuple(sorted(z for sizes in LIFTING_SETS for z in sizes))

BASE_GRAPHS: dict[int, tuple[int, int]] = {1: (46, 68), 2: (42, 52)}
"""Rows and columns of each base graph; the columns beyond the rows hold the information bits."""

CORE_ROWS = 4
"""The rows whose parity columns depend on each other; each row behind them has a parity column of its own."""


@cache
def nr_table(base_graph: int) -> np.ndarray:
    """int16 [8, rows, columns]: the shifts V of a base graph for each lifting set, -1 for a zero block.

    Ref: 3GPP TS 38.212, tables 5.3.2-2 (base graph 1) and 5.3.2-3 (base graph 2).
    """
    text = files("lgvsc_flow.blocks.phy.ldpc").joinpath("data/nr_base_graphs.csv").read_text("ascii")
    table = np.full((len(LIFTING_SETS), *BASE_GRAPHS[base_graph]), -1, np.int16)
    for line in text.splitlines()[1:]:
        graph, row, column, *shifts = map(int, line.split(","))
        if graph == base_graph:
            table[:, row, column] = shifts
    table.setflags(write=False)
    return table


@cache
def nr_code(base_graph: int, z: int, rows: int | None = None) -> LdpcCode:
    """The code of `base_graph` 1 or 2 and lifting size `z`: k = 22 z or 10 z, n = 68 z or 52 z.

    Its words hold all columns of the base graph: the first 2 z bits, which are never sent, and the filler bits too.
    With `rows` it is cut to the first so many base rows (at least 4) and to the columns these need, n = k + rows * z:
    the rest are parity bits that nobody has received, each in one check only, and decide nothing.

    Raises:
        ValueError: there is no such code.

    Ref: 3GPP TS 38.212, clause 5.3.2.
    """
    if base_graph not in BASE_GRAPHS or z not in LIFTING_SIZES:
        raise ValueError(
            f"NR has base graphs 1 and 2 and lifting sizes a * 2**j up to 384, a of 2, 3, 5, 7, 9, 11, 13, 15; "
            f"got base_graph={base_graph}, z={z}"
        )
    all_rows, columns = BASE_GRAPHS[base_graph]
    kept = all_rows if rows is None else rows
    if not CORE_ROWS <= kept <= all_rows:
        raise ValueError(
            f"base graph {base_graph} has {all_rows} rows and needs the first {CORE_ROWS}; got rows={rows}"
        )
    lifting_set = next(i for i, sizes in enumerate(LIFTING_SETS) if z in sizes)
    shifts = nr_table(base_graph)[lifting_set, :kept, : columns - all_rows + kept]
    base = np.where(shifts >= 0, shifts % z, -1).astype(np.int16)
    cut = "" if kept == all_rows else f" rows={kept}"
    return LdpcCode(f"NR BG{base_graph} Z={z}{cut}", z, base)
