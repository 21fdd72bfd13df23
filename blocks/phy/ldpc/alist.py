"""Parity-check matrices as alist text, the form in which LDPC codes are handed around.

```
7 3                  columns (bits), rows (checks)
3 4                  most ones in a column, in a row
1 1 2 1 2 2 3        ones in each column
4 4 4                ones in each row
1 0 0                for each column the rows of its ones, counted from 1; zeros may fill the line up
...
1 3 5 7              for each row the columns of its ones
...
```

AFF3CT, GNU Radio, Sionna and the tools of MacKay and Neal read and write it. Lines of `#` are comments.

Ref: D. MacKay, Encyclopedia of Sparse Graph Codes (the format).
"""

from __future__ import annotations

import os

import numpy as np

from lgvsc_flow.blocks.phy.ldpc.matrix_text import Lines, read_text, write_text
from lgvsc_flow.blocks.phy.ldpc.parity_check import MAX_BITS, MAX_ONES, MatrixError, ParityCheck

__all__ = ["format_alist", "parse_alist", "read_alist", "write_alist"]


def read_alist(path: str | os.PathLike[str]) -> ParityCheck:
    """The matrix of an alist file.

    Raises:
        MatrixError: the file cannot be read, or is no such matrix; the message names the line.
    """
    text = read_text(path)
    try:
        return parse_alist(text)
    except MatrixError as error:
        raise MatrixError(f"'{path}', {error}") from None


def write_alist(path: str | os.PathLike[str], matrix: ParityCheck, *, zero_padding: bool = True) -> None:
    """Write an alist file; `zero_padding` fills each list up, as MacKay's files have it and AFF3CT reads soonest.

    Raises:
        MatrixError: the file cannot be written.
    """
    write_text(path, format_alist(matrix, zero_padding=zero_padding))


def format_alist(matrix: ParityCheck, *, zero_padding: bool = True) -> str:
    """The alist text of a matrix."""
    sides = [matrix.transposed(), matrix]
    weights = [np.diff(side.starts) for side in sides]
    most = [int(w.max(initial=0)) for w in weights]
    lines = [f"{matrix.n} {matrix.m}", f"{most[0]} {most[1]}", *(" ".join(map(str, w.tolist())) for w in weights)]
    for side, longest in zip(sides, most, strict=True):
        places, starts = (side.columns + 1).tolist(), side.starts.tolist()
        for i in range(side.m):
            listed = places[starts[i] : starts[i + 1]]
            # A line must not be empty: many readers pass over those.
            listed += [0] * (longest - len(listed) if zero_padding else not listed)
            lines.append(" ".join(map(str, listed)) or "0")
    return "\n".join(lines) + "\n"


def parse_alist(text: str) -> ParityCheck:
    """The matrix that alist text holds.

    The lists may be padded with zeros or not; numbers of ones may go over several lines. The two parts of the text,
    columns and rows, must tell of the same ones.

    Raises:
        MatrixError: it holds none; the message names the line and what is expected there.
    """
    lines = Lines(text)
    sizes = "the numbers of columns and of rows"
    header = lines.take(f"{sizes}, as in '7 3'")
    if len(header) != 2 or not all(1 <= size <= MAX_BITS for size in header):
        raise lines.wrong(_short(header), f"{sizes}, each 1 to {MAX_BITS}")
    n, m = header
    most = lines.take("the most ones in a column and in a row")
    if len(most) != 2 or not (0 <= most[0] <= m and 0 <= most[1] <= n):
        raise lines.wrong(_short(most), f"the most ones in a column, at most {m}, and in a row, at most {n}")
    weights = [
        _weights(lines, n, most[0], "column"),
        _weights(lines, m, most[1], "row"),
    ]
    ones = [sum(w) for w in weights]
    if ones[0] != ones[1] or ones[0] > MAX_ONES:
        raise lines.wrong(
            f"the columns have {ones[0]} ones, the rows {ones[1]}", f"the same number, at most {MAX_ONES}"
        )
    by_column, column_lines = _lists(lines, weights[0], "column", m)
    by_row, row_lines = _lists(lines, weights[1], "row", n)
    if lines.peek():
        lines.take("the end of the text")
        raise lines.wrong("there is more behind the last row", "the end of the text")
    rows, columns = _spread(weights[1]), by_row
    _compare(by_column * n + _spread(weights[0]), rows * n + columns, n, column_lines, row_lines)
    return ParityCheck.of_ones(m, n, rows, columns)


def _weights(lines: Lines, count: int, most: int, what: str) -> list[int]:
    expected = f"the number of ones of each {what}, {count} numbers from 0 to {most}"
    weights: list[int] = []
    while len(weights) < count:
        some = lines.take(expected)
        if not 0 <= min(some) <= max(some) <= most:
            wrong = next(weight for weight in some if not 0 <= weight <= most)
            raise lines.wrong(f"{what} {len(weights) + some.index(wrong) + 1} has {wrong}", expected)
        weights += some
    if len(weights) > count:
        raise lines.wrong(f"there are {len(weights)} numbers", expected)
    return weights


def _lists(lines: Lines, weights: list[int], what: str, limit: int) -> tuple[np.ndarray, list[int]]:
    """The places, counted from 0, of the ones of every column (or row), and the line of each."""
    other = "row" if what == "column" else "column"
    places: list[int] = []
    numbers = []
    for i, weight in enumerate(weights, 1):
        if weight == 0:
            # A line of zeros stands for it, or none at all.
            if lines.peek() and not lines.peek().replace("0", "").strip():
                lines.take("")
            numbers.append(lines.number)
            continue
        expected = f"the {other}s of the {weight} ones of {what} {i}, each 1 to {limit}, then zeros or none"
        listed = lines.take(expected)
        mine, padding = listed[:weight], listed[weight:]
        if len(mine) < weight or any(padding) or not 1 <= min(mine) <= max(mine) <= limit:
            raise lines.wrong(_short(listed), expected)
        if len(set(mine)) != weight:
            raise lines.wrong(f"a {other} is there twice", expected)
        places += mine
        numbers.append(lines.number)
    return np.array(places, np.int64) - 1, numbers


def _spread(weights: list[int]) -> np.ndarray:
    return np.repeat(np.arange(len(weights), dtype=np.int64), weights)


def _compare(by_column: np.ndarray, by_row: np.ndarray, n: int, column_lines: list[int], row_lines: list[int]) -> None:
    """Ones of both parts, as row * n + column."""
    if np.array_equal(np.sort(by_column), np.sort(by_row)):
        return
    for mine, theirs, in_rows in ((by_row, by_column, True), (by_column, by_row, False)):
        alone = np.setdiff1d(mine, theirs)
        if alone.size:
            row, column = divmod(int(alone[0]), n)
            ends = [(f"row {row + 1}", row_lines[row]), (f"column {column + 1}", column_lines[column])]
            (first, line), (second, other) = ends if in_rows else ends[::-1]
            raise MatrixError(
                f"line {line}: {first} lists {second}, but {second} (line {other}) does not list {first}; "
                "expected the same ones in both parts"
            )


def _short(numbers: list[int]) -> str:
    shown = " ".join(map(str, numbers[:12])) + (" ..." if len(numbers) > 12 else "")
    return f"'{shown}'"
