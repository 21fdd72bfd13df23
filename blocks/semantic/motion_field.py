"""A coarse motion field of a segment: what moves how fast in each cell of a grid, as a receiver can use it.

A field describes straight motion at constant speed. The picture at frame t of a segment is then expected where the
keyframe, followed forwards for t frames, and the last frame, followed backwards, both have it. The sender knows the
frames between, which the receiver does not: of several motions that optical flow suggests (over one long step, and
chained over steps of a few frames, which finds what a long step misses), each cell takes the one that makes these
frames best, if it does so better than no motion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from lgvsc_flow.blocks.semantic.field_code import MAX_SIDE, to_levels, to_values
from lgvsc_flow.blocks.semantic.optical_flow import WIDTH, DisFlow, OpticalFlow
from lgvsc_flow.blocks.semantic.shrink import shrink
from lgvsc_flow.errors import SettingError
from lgvsc_flow.models import import_extra

__all__ = ["field_grid", "motion_field", "spread"]

_HOPS = 2, 4, 8  # frames between which flow is found and chained
_LINKS = 16  # the most links of a chain; longer segments take longer hops
_TIMES = 5  # frames between the ends at which a motion is tried
_PRICE = 2.0  # squared grey levels, averaged over a cell, that a bit is worth
_SWEEPS = 2


def field_grid(grid: int | str, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of a grid.

    Args:
        grid: about how many cells, near square whatever the picture's shape is; or rows and columns, as in `6x10`.
        height, width: of the picture, in pixels.

    Raises:
        SettingError: not such a grid, or more than 16 rows or columns.
    """
    bound = f"up to {MAX_SIDE} rows and columns"
    if isinstance(grid, str):
        rows, _, cols = grid.partition("x")
        if not (rows.isascii() and rows.isdecimal() and cols.isascii() and cols.isdecimal()):
            raise SettingError(f"grid is a number of cells or rows x columns as in '6x10', got {grid!r}")
        if not (1 <= int(rows) <= MAX_SIDE and 1 <= int(cols) <= MAX_SIDE):
            raise SettingError(f"grid has {bound}, got {grid}")
        return int(rows), int(cols)
    if not 1 <= grid <= MAX_SIDE * MAX_SIDE:
        raise SettingError(f"grid has {bound}, so 1 to {MAX_SIDE * MAX_SIDE} cells, got {grid}")
    rows_wanted = math.sqrt(grid * height / width)
    found = min(max(round(rows_wanted), 1), MAX_SIDE)
    return found, min(max(round(grid / found), 1), MAX_SIDE)


def motion_field(
    frames: Sequence[np.ndarray],
    rows: int,
    cols: int,
    step: float,
    cut_at: int | None = None,
    flow: OpticalFlow | None = None,
) -> np.ndarray | None:
    """The field of a segment up to its cut, float32 [rows, cols, 2] in pixels per frame of the full size (x, y).

    Args:
        frames: uint8 [height, width, 3] each, in order.
        rows, cols: of the grid.
        step: of the displacement over the whole segment near zero, in pixels; the field's values are those that the
            code can hold.
        cut_at: offset of the first frame behind a hard cut; what follows it is left out.
        flow: how flow is found; OpenCV's DIS where None.

    Returns:
        None where there is no motion to find: a single frame in front of the cut.
    """
    span = len(frames) if cut_at is None else min(cut_at, len(frames))
    if span < 2:
        return None
    shown = frames[:span]
    found = _suggestions(shown, flow or DisFlow())
    # The last frame is one short of the next keyframe, where the displacement that is coded ends.
    fields = [to_levels(_medians(d, rows, cols) * (span / (span - 1) / step)) for d in found]
    if span == 2:  # nothing lies between that could decide
        levels = fields[0]
    else:
        levels = _choose([np.zeros((rows, cols, 2), np.int64), *fields], _Trial(shown, step, rows, cols))
    return (to_values(levels) * (step / span)).astype(np.float32)


def spread(field: np.ndarray, height: int, width: int) -> np.ndarray:
    """A field at every pixel, float32 [height, width, 2]: linear between the cells' centres, constant outside them."""
    cv2 = import_extra("cv2", "motion fields", "video", "opencv-python-headless")
    field = np.ascontiguousarray(field, np.float32)
    wide = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(wide).reshape(height, width, 2)


def _suggestions(frames: Sequence[np.ndarray], flow: OpticalFlow) -> list[np.ndarray]:
    """Displacements from the first frame to the last, float32 [h, w, 2] in pixels of the full size."""
    last = len(frames) - 1
    hops = sorted({min(max(hop, -(-last // _LINKS)), last) for hop in (*_HOPS, last)})
    return [_chain(frames, [*range(0, last, hop), last], flow) for hop in hops]


def _chain(frames: Sequence[np.ndarray], stops: Sequence[int], flow: OpticalFlow) -> np.ndarray:
    cv2 = import_extra("cv2", "motion fields", "video", "opencv-python-headless")
    total: np.ndarray | None = None
    for one, two in pairwise(stops):
        link = flow.flow(frames[one], frames[two]).astype(np.float32)
        if total is None:
            total = link
            continue
        there = _places(*link.shape[:2]) + total * _small_per_full(frames[0], *link.shape[:2])
        total = total + cv2.remap(link, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    assert total is not None
    return total


def _medians(values: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """The medians over each cell, float32 [rows, cols, 2]."""
    h, w = values.shape[:2]
    tall, wide = (
        [(i * n // k, max((i + 1) * n // k, i * n // k + 1)) for i in range(k)] for n, k in ((h, rows), (w, cols))
    )
    cells = [np.median(values[a:b, c:d].reshape(-1, 2), axis=0) for a, b in tall for c, d in wide]
    return np.array(cells, np.float32).reshape(rows, cols, 2)


class _Trial:
    """How well fields make the frames between the first and the last."""

    def __init__(self, frames: Sequence[np.ndarray], step: float, rows: int, cols: int) -> None:
        height, width = frames[0].shape[:2]
        scale = min(1.0, WIDTH / width)
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        self._shape = rows, cols
        span = len(frames)
        self._places = _places(size[1], size[0])
        self._pixels = _small_per_full(frames[0], size[1], size[0]) * np.float32(step * (span - 1) / span)
        self._cv2 = import_extra("cv2", "motion fields", "video", "opencv-python-headless")
        grey = [self._grey(f, size) for f in (frames[0], frames[-1])]
        self._first, self._last = grey
        times = np.unique(np.linspace(0, span - 1, _TIMES + 2).round().astype(int))
        self._between = [(np.float32(t / (span - 1)), self._grey(frames[t], size)) for t in times if 0 < t < span - 1]

    def _grey(self, frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        return np.asarray(self._cv2.cvtColor(shrink(frame, *size), self._cv2.COLOR_RGB2GRAY), np.float32)

    def error(self, levels: np.ndarray) -> np.ndarray:
        """Mean squared difference per cell, in grey levels, float32 [rows, cols]."""
        cv2 = self._cv2
        moved = spread(to_values(levels).astype(np.float32), *self._places.shape[:2]) * self._pixels
        total = np.zeros(self._places.shape[:2], np.float32)
        for t, frame in self._between:
            made = self._sample(self._first, self._places - t * moved) * (1 - t)
            made += self._sample(self._last, self._places + (1 - t) * moved) * t
            total += (made - frame) ** 2
        rows, cols = self._shape
        cells = cv2.resize(total / len(self._between), (cols, rows), interpolation=cv2.INTER_AREA)
        return np.asarray(cells).reshape(rows, cols)

    def _sample(self, picture: np.ndarray, places: np.ndarray) -> np.ndarray:
        cv2 = self._cv2
        return np.asarray(cv2.remap(picture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _choose(fields: Sequence[np.ndarray], trial: _Trial) -> np.ndarray:
    """Of each cell the best motion: by error first, then by error and price, its neighbours' motions among them."""
    errors = np.stack([trial.error(f) for f in fields])
    levels = np.take_along_axis(np.stack(fields), errors.argmin(0)[None, ..., None], axis=0)[0]
    rows, cols = levels.shape[:2]
    # Cells next to each other blend, so only every second one changes at a time.
    turns = [(np.arange(rows)[:, None] % 2 == a) & (np.arange(cols) % 2 == b) for a in (0, 1) for b in (0, 1)]
    for turn in turns * _SWEEPS:
        best = trial.error(levels) + _PRICE * _bits(levels, levels)
        now = levels
        for other in (*_neighbours(now), *fields):
            tried = np.where(turn[..., None], other, now)
            cost = trial.error(tried) + _PRICE * _bits(tried, now)
            better = turn & (cost < best)
            levels, best = np.where(better[..., None], tried, levels), np.where(better, cost, best)
    return levels


def _neighbours(levels: np.ndarray) -> list[np.ndarray]:
    """The levels to the left and right, above and below of every cell; at the border the cell's own."""
    wide = np.pad(levels, ((1, 1), (1, 1), (0, 0)), mode="edge")
    return [wide[1:-1, :-2], wide[1:-1, 2:], wide[:-2, 1:-1], wide[2:, 1:-1]]


def _bits(levels: np.ndarray, around: np.ndarray) -> np.ndarray:
    """About the bits of each cell: one where it repeats a neighbour, else what sets it apart from the nearest."""
    gaps = np.min([np.log2(1 + np.abs(levels - n)).sum(-1) for n in _neighbours(around)], axis=0)
    return np.where(gaps == 0, 1, 6 + gaps).astype(np.float32)


def _places(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([x, y], -1)


def _small_per_full(full: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.array([width / full.shape[1], height / full.shape[0]], np.float32)
