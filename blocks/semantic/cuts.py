"""Hard cuts between neighbouring frames.

Small pictures of the frames on both sides are compared. A cut separates *every* frame just before it from *every*
frame just behind it, by content and by colours, and by much more than the frames of one side differ among
themselves: so flashes (the scene comes back), pans and action (one side moves as much) and fades (no single step
stands out) are no cuts.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lgvsc_flow.blocks.semantic.motion import shrink

__all__ = ["LOOKAHEAD", "CutDetector", "find_cuts"]

LOOKAHEAD = 3  # frames behind a boundary that are looked at, the first included
_LOOKBACK = 3
_WIDTH, _HEIGHT, _BINS = 32, 18, 8
_MIN_STEP = 0.06  # mean absolute difference of a thumbnail, in full scale, below which nothing is a cut
_MIN_COLOURS = 0.15  # the same for the distance of colour histograms, 0 to 1
_RATIO = 2.2  # how many times more than the sides' own steps


@dataclass(frozen=True, eq=False)
class _Look:
    """A frame as the detector sees it: `picture` float32 [18, 32, 3] in 0..1, `colours` float32 [512] adding to 1."""

    picture: np.ndarray
    colours: np.ndarray


class CutDetector:
    """Streaming cut detector: push frames in order, ask about a boundary once its neighbourhood is known."""

    def __init__(self) -> None:
        self._looks: deque[_Look] = deque(maxlen=_LOOKBACK + LOOKAHEAD)
        self._count = 0
        self._cuts: list[int] = []
        self._judged = 1

    def push(self, pixels: np.ndarray) -> None:
        """Take the next frame, uint8 [height, width, 3] RGB."""
        self._looks.append(_look(pixels))
        self._count += 1
        if self._count - self._judged >= LOOKAHEAD:
            self._judge()

    def finish(self) -> None:
        """Say that no frame follows; the last boundaries are judged with what is there."""
        while self._judged < self._count:
            self._judge()

    @property
    def known_until(self) -> int:
        """Boundaries 1 to `known_until - 1` are decided; boundary i lies before the i-th frame pushed, from 0."""
        return self._judged

    def first_cut(self, start: int, stop: int) -> int | None:
        """The first cut among the boundaries start to stop, both included, or None."""
        return next((c for c in self._cuts if start <= c <= stop), None)

    def forget(self, before: int) -> None:
        """Drop cuts at boundaries below `before`: a long stream keeps only what can still be asked for."""
        self._cuts = [c for c in self._cuts if c >= before]

    def _judge(self) -> None:
        boundary = self._judged
        oldest = self._count - len(self._looks)
        split = boundary - oldest
        looks = list(self._looks)
        before = looks[max(split - _LOOKBACK, 0) : split]
        after = looks[split : split + LOOKAHEAD]
        if before and after and _is_cut(before, after) and not (self._cuts and self._cuts[-1] >= boundary - 1):
            self._cuts.append(boundary)
        self._judged += 1


def find_cuts(frames: list[np.ndarray]) -> list[int]:
    """Numbers of the frames, from 0, that stand first behind a hard cut.

    Args:
        frames: uint8 [height, width, 3] RGB each, of one size.
    """
    detector = CutDetector()
    for pixels in frames:
        detector.push(pixels)
    detector.finish()
    return list(detector._cuts)


def _look(pixels: np.ndarray) -> _Look:
    thumbnail = shrink(pixels, _WIDTH, _HEIGHT)
    levels = (thumbnail // (256 // _BINS)).astype(np.int64).reshape(-1, 3)
    bins = (levels[:, 0] * _BINS + levels[:, 1]) * _BINS + levels[:, 2]
    counts = np.bincount(bins, minlength=_BINS**3).astype(np.float32)
    return _Look(thumbnail.astype(np.float32) / 255, counts / counts.sum())


def _step(a: _Look, b: _Look) -> float:
    return float(np.abs(a.picture - b.picture).mean())


def _colour_step(a: _Look, b: _Look) -> float:
    return float(np.abs(a.colours - b.colours).sum()) / 2


def _is_cut(before: list[_Look], after: list[_Look]) -> bool:
    last, first = before[-1], after[0]
    step = _step(last, first)
    if step < _MIN_STEP:
        return False
    # Over the nearest two frames a side, so that a flash of one or two frames is bridged by those around it.
    across = min(_step(a, b) for a in before[-2:] for b in after)
    if across < _MIN_STEP:
        return False
    colours = min(_colour_step(a, b) for a in before[-2:] for b in after)
    if colours < _MIN_COLOURS:
        return False
    sides = [_step(a, b) for side in (before, after) for a, b in pairwise(side)]
    return step > _RATIO * max(sides, default=0.0)
