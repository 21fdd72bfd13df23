"""The receiver's timeline: which frames to make from which keyframes, whatever was lost on the way.

The rules are written down in docs/world.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, zip_longest

import numpy as np

from lgvsc_flow.items import Caption, Keyframe, SideInfo

__all__ = ["Span", "Timeline"]

CAPTION = "lost captions"
SIDE = "lost side information"
KEYFRAME = "lost keyframes"
CONTRADICTION = "contradictory side information"
UNCLAIMED = "frames of no segment"


@dataclass(frozen=True, eq=False)
class Span:
    """Frames `start` to `stop` (exclusive) of one shot, made from the keyframe at `start` and the one at `stop`.

    A lost keyframe joins its segment to the one before it, so a span covers one segment or several; a cut ends it, and
    the keyframe beyond the cut is None. `caption` and `side` are in the span's own terms (`side.start`,
    `side.length`; `side.cut_at` is None).
    """

    index: int
    start: int
    stop: int
    first: np.ndarray | None
    last: np.ndarray | None
    caption: Caption
    side: SideInfo


@dataclass(eq=False)
class _Entry:
    """A segment as it arrived; `start` and `stop` are guesses until its side information is believed."""

    index: int
    keyframe: np.ndarray | None
    caption: Caption
    side: SideInfo | None
    start: int = 0
    stop: int = 0


class Timeline:
    """Turns received segments into spans that cover frames 0 to `num_frames` exactly once, in order.

    A span is given out as soon as the segment behind it has arrived with its place and its keyframe. `concealed`
    counts what was lost or not believed.

    Args:
        num_frames: frames of the whole video, agreed beforehand.
        join: whether a segment without a keyframe joins the one before it; a model that generates from text alone
            makes each for itself.
    """

    def __init__(self, num_frames: int, join: bool = True) -> None:
        self.num_frames, self.join = num_frames, join
        self.concealed: Counter[str] = Counter({CAPTION: 0, SIDE: 0, KEYFRAME: 0, CONTRADICTION: 0, UNCLAIMED: 0})
        self._open: list[_Entry] = []
        self._position = 0

    def push(self, keyframe: Keyframe, caption: Caption, side: SideInfo) -> Iterator[Span]:
        """Take the next segment, and give out the spans that it completes."""
        self.concealed[CAPTION] += caption.lost
        self.concealed[KEYFRAME] += keyframe.pixels is None
        entry = _Entry(keyframe.index, keyframe.pixels, caption, None)
        if side.lost:
            self.concealed[SIDE] += 1
        elif self._believable(side):
            entry.side = side
            entry.start, entry.stop = side.start, side.start + side.length
        else:
            self.concealed[CONTRADICTION] += 1
        if self._open and entry.side is not None and entry.keyframe is not None:
            yield from self._release(entry.start, entry)
        self._open.append(entry)

    def finish(self) -> Iterator[Span]:
        """Give out the rest, up to the last frame of the video."""
        yield from self._release(self.num_frames, None)

    def _believable(self, side: SideInfo) -> bool:
        """Whether side information agrees with itself, with the session, and with the segments before it."""
        known = next((i for i in reversed(range(len(self._open))) if self._open[i].side is not None), None)
        earliest = self._position if known is None else self._open[known].stop
        unknown = len(self._open) - (0 if known is None else known + 1)
        # Every segment between has at least one frame.
        follows = side.start >= earliest + unknown if unknown else side.start == earliest
        inside = side.length >= 1 and side.start + side.length <= self.num_frames
        return follows and inside and (side.cut_at is None or 1 <= side.cut_at <= side.length)

    def _release(self, end: int, arrived: _Entry | None) -> Iterator[Span]:
        entries, self._open = self._open, []
        self._place(entries, end)
        position = self._position
        if not entries:
            # Nothing arrived at all; the frames are still owed.
            nothing = SideInfo(0, lost=True)
            entries = [_Entry(0, None, Caption(0, None, lost=True), nothing, position, end)]
            self.concealed[UNCLAIMED] += end - position
        if entries[-1].stop < end:
            self.concealed[UNCLAIMED] += end - entries[-1].stop
            entries[-1].stop = end
        groups: list[list[_Entry]] = []
        for entry in entries:
            if entry.stop == entry.start:
                continue
            if groups and entry.keyframe is None and self.join:
                groups[-1].append(entry)
            else:
                groups.append([entry])
        for group, following in zip_longest(groups, groups[1:]):
            yield from _spans(group, arrived if following is None else following[0])
        self._position = end

    def _place(self, entries: list[_Entry], end: int) -> None:
        """Give segments of unknown place an even share of the gap that they are in."""
        at, waiting = self._position, list[_Entry]()
        for entry in entries:
            if entry.side is None:
                waiting.append(entry)
                continue
            _share(waiting, at, entry.start)
            waiting, at = [], entry.stop
        if len(waiting) > 1 and end == self.num_frames and end > at:
            # The stream closes with a segment of one frame, the last of the video.
            closing = waiting.pop()
            closing.start, closing.stop = end - 1, end
            _share(waiting, at, end - 1)
        else:
            _share(waiting, at, end)


def _share(entries: list[_Entry], start: int, stop: int) -> None:
    count = len(entries)
    for i, entry in enumerate(entries):
        entry.start = start + i * (stop - start) // count
        entry.stop = start + (i + 1) * (stop - start) // count


def _spans(group: list[_Entry], following: _Entry | None) -> Iterator[Span]:
    """A group of segments with one keyframe, at its front, as one span; cuts part it, at most into three.

    Shots between the first and the last cut have no keyframe. Where there is none at all, captions are what is left:
    each that arrived has a span of its own.
    """
    start, stop = group[0].start, group[-1].stop
    first, last = group[0].keyframe, None if following is None else following.keyframe
    cuts = [e.start + e.side.cut_at for e in group if e.side is not None and e.side.cut_at is not None]
    parts = [(start, stop, first, last)]
    if cuts:
        parts = [(start, cuts[0], first, None), (cuts[0], cuts[-1], None, None), (cuts[-1], stop, None, last)]
    # A caption tells of its segment's first frame: behind a cut, of the shot that the next segment opens with.
    tellers = [*group, following] if cuts and following is not None else group
    for begin, end, opening, closing in parts:
        told = [e for e in tellers if begin <= e.start and (e.start < end or end == stop)]
        edges = [begin]
        if opening is None and closing is None:
            heard = [e.start for e in told if not e.caption.lost]
            edges += [at for at in heard[1:] if begin < at < end]
        for at, until in pairwise([*edges, end]):
            if at < until:
                yield _span(group, at, until, opening, closing, [e for e in told if at in (begin, e.start)])


def _span(
    group: list[_Entry],
    start: int,
    stop: int,
    first: np.ndarray | None,
    last: np.ndarray | None,
    told: list[_Entry],
) -> Span:
    """A part of the group; its caption is the first that arrived of the segments `told`."""
    index = group[0].index
    caption = next((e.caption for e in told if not e.caption.lost), Caption(index, None, lost=True))
    inside = [(e, min(stop, e.stop) - max(start, e.start)) for e in group if e.start < stop and e.stop > start]
    known = [(e.side, frames) for e, frames in inside if e.side is not None and not e.side.lost]
    frames = sum(n for _, n in known)
    motion = sum(side.motion * n for side, n in known) / frames if frames else 0.0
    field = _field([side for side, _ in known], start, stop)
    side = SideInfo(index, start, stop - start, None, motion, lost=len(known) < len(inside), field=field)
    return Span(index, start, stop, first, last, caption, side)


def _field(sides: list[SideInfo], start: int, stop: int) -> np.ndarray | None:
    """The mean of the segments' motion fields, by the frames that each tells of; None where most are untold."""
    fields, weights = list[np.ndarray](), list[int]()
    for side in sides:
        told = min(stop, side.start + (side.length if side.cut_at is None else side.cut_at)) - max(start, side.start)
        # A field holds from its segment's first frame to the cut; a part that begins later is another shot.
        if side.field is not None and told > 0 and side.start >= start:
            fields.append(side.field)
            weights.append(told)
    if len({f.shape for f in fields}) != 1 or 2 * sum(weights) < stop - start:
        return None
    if len(fields) == 1:
        return fields[0]
    return np.average(np.stack(fields), axis=0, weights=weights).astype(np.float32)
