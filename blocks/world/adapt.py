"""Segments of any length from a world model of fixed lengths: plain code, no graph (paper, section II-D2).

The rules, and why they are so, are written down in docs/world.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise

import numpy as np

from lgvsc_flow.blocks.world.model import WorldModel
from lgvsc_flow.errors import ModelError
from lgvsc_flow.items import Caption, SideInfo

__all__ = ["Dsa", "retimed"]

GREY = 128
SAME_SHOT = 0.24  # `likeness` of two keyframes below which they are taken for two shots


@dataclass(frozen=True, eq=False)
class _Told:
    """What holds for all frames of a shot."""

    caption: Caption
    side: SideInfo
    rng: np.random.Generator


class Dsa:
    """Makes segments of any length with a model of fixed lengths, and holds pictures where it cannot.

    - A length off the model's grid is rounded up to the grid. Between two keyframes the frames are retimed to the
      segment, so that both stay in their places; with one keyframe those farthest from it are dropped.
    - A segment above `max_frames` is made in pieces. Between two keyframes: an overview of the whole segment first,
      then the pieces between pictures of it. Behind one keyframe: each piece continues from the last frame of the
      piece before it. In front of one: backwards likewise.
    - A segment of one frame is its keyframe.

    The model is loaded once; a length is only an argument of it.

    Args:
        model: the generator.
        height, width: size of the video in pixels.

    Raises:
        ModelError: `max_frames` is below the model's own shortest length.
    """

    def __init__(self, model: WorldModel, height: int, width: int) -> None:
        self.model = model
        self.suspected = 0  # cuts that no side information told of
        self._size = (height, width, 3)
        self._seen: np.ndarray | None = None
        most = model.max_frames
        if model.length_grid.lengths:
            most = min(max(model.length_grid.lengths), most or max(model.length_grid.lengths))
        self._longest = None if most is None else model.length_grid.at_most(most)
        if self._longest is not None and self._longest < 2:
            raise ModelError(
                f"the world model {model.name} makes {model.length_grid}, and at most {most} at once; its longest must "
                "be 2 frames or more"
            )

    def generate(
        self,
        first: np.ndarray | None,
        last: np.ndarray | None,
        caption: Caption,
        side: SideInfo,
        num_frames: int,
        rng: np.random.Generator,
    ) -> Iterator[np.ndarray]:
        """Exactly `num_frames` frames, uint8 [height, width, 3]; arguments as in `WorldModel.generate`.

        `side.cut_at` = c: frames before c know `first` alone, frames from c on `last` alone. With nothing to go by
        (no keyframe, and no caption or a model that does not generate from text) the picture seen last is held,
        mid-grey at the beginning.

        Raises:
            RuntimeError: the model made another number of frames, or another size.
        """
        shots = [(first, last, num_frames, side)]
        if side.cut_at is not None:
            cut = min(side.cut_at, num_frames)
            # A field describes what moves in front of the cut.
            shots = [(first, None, cut, side), (None, last, num_frames - cut, replace(side, field=None))]
        for opening, closing, count, part in shots:
            for frame in self._shot(opening, closing, count, _Told(caption, replace(part, cut_at=None), rng)):
                self._seen = frame
                yield frame

    def _shot(self, first: np.ndarray | None, last: np.ndarray | None, count: int, told: _Told) -> Iterator[np.ndarray]:
        """Frames of one shot; of two, where side information was lost and the keyframes have too little in common."""
        if count == 0:
            return
        if first is None and last is None and (told.caption.text is None or not self.model.from_text):
            held = np.full(self._size, GREY, np.uint8) if self._seen is None else self._seen
            yield from (held.copy() for _ in range(count))
            return
        if told.side.lost and first is not None and last is not None and count > 1 and _two_shots(first, last):
            self.suspected += 1
            half = (count + 1) // 2
            yield from self._pieces(first, None, half, told)
            yield from self._pieces(None, last, count - half, told)
            return
        yield from self._pieces(first, last, count, told)

    def _pieces(
        self, first: np.ndarray | None, last: np.ndarray | None, count: int, told: _Told
    ) -> Iterator[np.ndarray]:
        """`count` frames in pieces that the model can make."""
        if first is not None and count == 1:
            yield first.copy()
        elif self._longest is None or count <= self._longest:
            yield from self._fitted(first, last, count, told)
        elif last is None:
            yield from self._onwards(first, count, told, self._longest)
        elif first is None:
            yield from self._backwards(last, count, told, self._longest)
        else:
            yield from self._between(first, last, count, told, self._longest)

    def _onwards(self, first: np.ndarray | None, count: int, told: _Told, longest: int) -> Iterator[np.ndarray]:
        while count > longest:
            piece = list(self._fitted(first, None, longest, told))
            # Its last frame opens the next piece.
            yield from piece[:-1]
            first, count = piece[-1], count - (longest - 1)
        yield from self._pieces(first, None, count, told)

    def _backwards(self, last: np.ndarray, count: int, told: _Told, longest: int) -> Iterator[np.ndarray]:
        """The first frames of the pieces from the last piece to the first, then the pieces between them.

        Every piece is made twice; kept in memory are those first frames alone.
        """
        anchors, lengths = [last], list[int]()
        while count > 0:
            lengths.append(min(longest, count))
            anchors.append(next(self._fitted(None, anchors[-1], lengths[-1], told)))
            count -= lengths[-1]
        for opening, closing, length in zip(anchors[:0:-1], anchors[-2::-1], lengths[::-1], strict=True):
            yield from self._pieces(opening, closing, length, told)

    def _between(
        self, first: np.ndarray, last: np.ndarray, count: int, told: _Told, longest: int
    ) -> Iterator[np.ndarray]:
        """An overview of the segment, as long as the model can make it, then the pieces between pictures of it."""
        picks, times = _plan(count, longest)
        overview = self._made(first, last, longest, told, count / longest)
        chosen = set(picks[1:-1])
        anchors = [first, *(frame for number, frame in enumerate(overview) if number in chosen), last]
        for (opening, closing), (start, stop) in zip(pairwise(anchors), pairwise(times), strict=True):
            yield from self._pieces(opening, closing, stop - start, told)

    def _fitted(
        self, first: np.ndarray | None, last: np.ndarray | None, count: int, told: _Told
    ) -> Iterator[np.ndarray]:
        """`count` frames by one call of the model."""
        made = self.model.length_grid.at_least(count)
        if made == count:
            return self._made(first, last, made, told)
        if last is None:
            return islice(self._made(first, None, made, told), count)
        if first is None:
            return islice(self._made(None, last, made, told), made - count, None)
        return retimed(self._made(first, last, made, told, count / made), made, count)

    def _made(
        self, first: np.ndarray | None, last: np.ndarray | None, count: int, told: _Told, pace: float = 1.0
    ) -> Iterator[np.ndarray]:
        """What the model makes, counted; `pace` is how many frames of the video one of its frames stands for."""
        model, side = self.model, replace(told.side, length=count, motion=told.side.motion * pace)
        if side.field is not None and pace != 1.0:
            side = replace(side, field=(side.field * pace).astype(np.float32))
        number = 0
        for frame in model.generate(first, last, told.caption, side, count, told.rng):
            number += 1
            if number > count:
                break
            if frame.shape != self._size or frame.dtype != np.uint8:
                raise RuntimeError(
                    f"the world model {model.name} made a frame of {frame.dtype} {list(frame.shape)}, the video takes "
                    f"uint8 {list(self._size)}"
                )
            yield frame
        if number != count:
            found = f"more than {count}" if number > count else str(number)
            raise RuntimeError(f"the world model {model.name} made {found} frames where {count} were asked for")


def retimed(frames: Iterable[np.ndarray], made: int, count: int) -> Iterator[np.ndarray]:
    """`count` of `made` frames, evenly spaced: the first stays, and what follows them stays behind them."""
    position = 0
    for number, frame in enumerate(frames):
        while position < count and (2 * position * made + count) // (2 * count) == number:
            yield frame
            position += 1


def _plan(count: int, longest: int) -> tuple[list[int], list[int]]:
    """Which pictures of an overview of `longest` frames open the pieces of `count` frames, and where they belong.

    As few pieces as get along with the fewest levels: each is at most a power of `longest`.
    """
    reach = longest
    while reach * longest < count:
        reach *= longest
    for pieces in range(-(-count // reach), longest + 1):
        picks = [(2 * i * longest + pieces) // (2 * pieces) for i in range(pieces + 1)]
        times = [(2 * pick * count + longest) // (2 * longest) for pick in picks]
        if max(b - a for a, b in pairwise(times)) <= reach:
            break
    return picks, times


def _two_shots(first: np.ndarray, last: np.ndarray) -> bool:
    from lgvsc_flow.blocks.world.interpolate import likeness

    return likeness(first, last) < SAME_SHOT
