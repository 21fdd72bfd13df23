"""Quasi-cyclic parity-check matrices as tables of shifts, in the text form of AFF3CT's .qc files.

```
6 3 4                columns, rows, z
0 2 -1 1 0 -1        for each row its shifts: -1 is a z x z zero block, s an identity block whose row r has its one
...                  in column (r + s) mod z
1 1 1 1 1 0          may follow: 1 for the columns that are sent, 0 for those that are punctured
```
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from lgvsc_flow.blocks.phy.ldpc.matrix_text import Lines, read_text, write_text
from lgvsc_flow.blocks.phy.ldpc.parity_check import MAX_BITS, MAX_ONES, MatrixError

__all__ = ["QcTable", "format_qc", "parse_qc", "read_qc", "write_qc"]


@dataclass(frozen=True, eq=False)
class QcTable:
    """`base` int32 [rows, columns] of shifts below z, -1 for zero blocks; `sent` bool [columns]."""

    z: int
    base: np.ndarray
    sent: np.ndarray


def read_qc(path: str | os.PathLike[str]) -> QcTable:
    """The table of a .qc file.

    Raises:
        MatrixError: the file cannot be read, or is no such table; the message names the line.
    """
    text = read_text(path)
    try:
        return parse_qc(text)
    except MatrixError as error:
        raise MatrixError(f"'{path}', {error}") from None


def write_qc(path: str | os.PathLike[str], table: QcTable) -> None:
    """Write a .qc file.

    Raises:
        MatrixError: the file cannot be written.
    """
    write_text(path, format_qc(table))


def format_qc(table: QcTable) -> str:
    """The text of a table; the line of what is sent is left out where all is."""
    lines = [(table.base.shape[1], table.base.shape[0], table.z), *table.base.tolist()]
    if not table.sent.all():
        lines.append(table.sent.astype(int).tolist())
    return "\n".join(" ".join(map(str, line)) for line in lines) + "\n"


def parse_qc(text: str) -> QcTable:
    """The table that a text holds. Shifts of z and more are taken modulo z, as AFF3CT does.

    Raises:
        MatrixError: it holds none; the message names the line and what is expected there.
    """
    lines = Lines(text)
    sizes = "the numbers of columns and of rows, and z"
    header = lines.take(f"{sizes}, as in '24 12 27'")
    if len(header) != 3 or min(header) < 1 or max(header[:2]) * header[2] > MAX_BITS:
        found = "'" + " ".join(map(str, header[:12])) + "'"
        raise lines.wrong(found, f"{sizes}, each at least 1, with columns * z and rows * z at most {MAX_BITS}")
    width, height, z = header
    base = []
    for i in range(height):
        expected = f"the {width} shifts of row {i + 1}, -1 for a zero block"
        shifts = lines.take(expected)
        if len(shifts) != width:
            raise lines.wrong(f"there are {len(shifts)} numbers", expected)
        if min(shifts) < -1:
            raise lines.wrong(f"{min(shifts)} is no shift", expected)
        base.append([shift % z if shift >= 0 else -1 for shift in shifts])
    table = np.array(base, np.int32)
    if np.count_nonzero(table >= 0) * z > MAX_ONES:
        raise MatrixError(f"the matrix has {np.count_nonzero(table >= 0) * z} ones, at most {MAX_ONES}")
    sent = [1] * width
    if lines.peek():
        expected = f"the end of the text, or {width} numbers: 1 for a column that is sent, 0 for one that is not"
        sent = lines.take(expected)
        if len(sent) != width or not set(sent) <= {0, 1}:
            raise lines.wrong(f"there are {len(sent)} numbers, from {min(sent)} to {max(sent)}", expected)
        if lines.peek():
            lines.take("the end of the text")
            raise lines.wrong("there is more behind the line of what is sent", "the end of the text")
        if not any(sent):
            raise lines.wrong("no column is sent", expected)
    return QcTable(z, table, np.array(sent, np.bool_))
