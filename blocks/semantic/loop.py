"""The loop of SKEM: entries in, parts of segments out, with what it cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lgvsc_flow.blocks.semantic.scoring import FrameError, Scorer, content_key, one_by_one, place
from lgvsc_flow.blocks.semantic.search import Search
from lgvsc_flow.blocks.semantic.segmenter import Part, Segmenter
from lgvsc_flow.items import Frame

__all__ = ["Entry", "KeyframeLoop"]


@dataclass(eq=False)
class Entry:
    """A frame on its way through the loop; `position` counts the frames of the stream from 0."""

    position: int
    frame: Frame
    sampled: bool
    s_rel: float = math.nan


class KeyframeLoop:
    """Find keyframes among the entries that come in, in order.

    `line` is the latest keyframe and all entries known behind it. After every call it is no longer than a segment.

    Args:
        scorer: gives the scores; asked once about each distinct pair.
        segmenter: takes the parts and knows the cuts.
        search: makes a search for the next keyframe.
        max_length: frames at which a segment is split.
        refine_cuts: start a segment at the hard cut between its keyframe's sample and the one before.
        skip_failed: a score of NaN is a frame left out, and no error.
    """

    def __init__(
        self,
        scorer: Scorer,
        segmenter: Segmenter,
        search: Callable[[], Search],
        *,
        max_length: int,
        refine_cuts: bool,
        skip_failed: bool = False,
    ) -> None:
        self._scorer, self._segmenter, self._make_search = scorer, segmenter, search
        self._max_length, self._refine, self._skip_failed = max_length, refine_cuts, skip_failed
        self.line: list[Entry] = []
        self.judged = self.reused = self.wasted = self.keyframes = 0
        self._search: Search | None = None
        self._asked: Sequence[int] = ()
        self._over = False
        self._reference = b""
        self._scores: dict[bytes, float] = {}
        self._unused: set[bytes] = set()

    def extend(self, entries: Sequence[Entry]) -> None:
        """Go on as far as the entries reach."""
        self.line.extend(entries)
        self._run(final=False)

    def finish(self, closing: bool) -> None:
        """No entry follows; with `closing` the last one is a part of its own."""
        self._run(final=True)
        if not self.line:
            return
        last = self.line[-1]
        if closing and len(self.line) > 1:
            self._end(len(self.line) - 1)
        self._account(0)
        self._add(self.line, closing=closing and self.line[-1] is last)
        self.line = []

    def _run(self, final: bool) -> None:
        while self.line:
            if self._search is None:
                self._begin()
            hit = 0 if self._over else self._look(final)
            if hit is None:
                return
            if hit:
                self._cut_at(hit)
            elif len(self.line) > self._max_length:
                self._end(self._max_length)
            else:
                return

    def _begin(self) -> None:
        self._search, self._over = self._make_search(), False
        self._asked = next(self._search)

    def _look(self, final: bool) -> int | None:
        """The offset of the next keyframe among the samples, 0 for none, None where more entries are needed."""
        assert self._search is not None
        samples = self._samples()
        complete = final or len(self.line) >= self._max_length
        while True:
            if not complete and max(self._asked, default=0) > len(samples):
                return None
            within = [samples[offset - 1] for offset in self._asked if offset <= len(samples)]
            self._score(within)
            answers: list[float | None] = [_low(e.s_rel) for e in within]
            answers += [None] * (len(self._asked) - len(within))
            try:
                self._asked = self._search.send(answers)
            except StopIteration as stop:
                self._over = not stop.value
                return int(stop.value)

    def _samples(self) -> list[Entry]:
        return [e for e in self.line[1 : self._max_length] if e.sampled]

    def _score(self, entries: Sequence[Entry]) -> None:
        """Put S_rel against the keyframe into the entries; pairs of the same two pictures are judged once."""
        keyframe = self.line[0].frame
        if content_key(keyframe) != self._reference:
            self._reference, self._scores = content_key(keyframe), {}
        new: dict[bytes, Frame] = {}
        for entry in entries:
            key = content_key(entry.frame)
            if key not in self._scores:
                new.setdefault(key, entry.frame)
        if new:
            frames = list(new.values())
            values = one_by_one(
                lambda some: [float(s) for s in self._scorer.score(keyframe, some)],
                frames,
                lambda f: f"scoring frame {place(f)} against keyframe {place(keyframe)}",
            )
            self._scores.update(zip(new, map(float, values), strict=True))
            self._check(keyframe, frames)
            self._unused |= new.keys()
            self.judged += len(new)
        self.reused += len(entries) - len(new)
        for entry in entries:
            entry.s_rel = self._scores[content_key(entry.frame)]

    def _check(self, keyframe: Frame, frames: Sequence[Frame]) -> None:
        for frame in frames:
            if math.isnan(self._scores[content_key(frame)]) and not self._skip_failed:
                raise FrameError(
                    f"{type(self._scorer).__name__} gave no score for frame {place(frame)} against keyframe "
                    f"{place(keyframe)}; S_rel must be a number from -1 to 1"
                )

    def _cut_at(self, hit: int) -> None:
        """Start the next segment at the hit, or at a hard cut since the sample before it."""
        samples = self._samples()
        entry = samples[hit - 1]
        before = samples[hit - 2].position if hit > 1 else self.line[0].position
        cut = self._segmenter.boundary_cut(before + 1, entry.position) if self._refine else None
        score = entry.s_rel
        self._account(hit)
        self._end((entry.position if cut is None else cut) - self.line[0].position)
        self.line[0].s_rel = score

    def _account(self, hit: int) -> None:
        """Count what was judged behind the next keyframe, in vain."""
        samples = self._samples()
        used = {content_key(e.frame) for e in (samples[:hit] if hit else samples) if not math.isnan(e.s_rel)}
        self.wasted += len(self._unused - used)
        self._unused = set()

    def _end(self, length: int) -> None:
        """End the segment after `length` frames; the entry behind them is the next keyframe."""
        self._account(0)
        kept, self.line = self.line[:length], self.line[length:]
        self._add(kept)
        for entry in self.line:
            entry.s_rel = math.nan
        self._search = None

    def _add(self, entries: Sequence[Entry], closing: bool = False) -> None:
        scores = tuple(e.s_rel for e in entries)
        self._segmenter.add(Part(entries[0].position, tuple(e.frame for e in entries), scores, closing))
        self.keyframes += 1


def _low(score: float) -> float:
    """A frame without a score is no keyframe."""
    return -1.0 if math.isnan(score) else score
