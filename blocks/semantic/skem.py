"""SKEM, keyframes by meaning (paper, section II-C2)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.semantic.cuts import LOOKAHEAD
from lgvsc_flow.blocks.semantic.psss import Describer, Judge
from lgvsc_flow.blocks.semantic.scoring import PerFrameScorer, Scorer, make_describer, make_judge
from lgvsc_flow.blocks.semantic.segmenter import Part, Segmenter, with_motion
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Frame, Segment

__all__ = ["Skem"]


@dataclass(frozen=True, eq=False)
class _Entry:
    """A frame on its way through the loop; `position` counts the frames of the stream from 0."""

    position: int
    frame: Frame
    sampled: bool
    s_rel: float = math.nan


class Skem(Block):
    """Cut a video into semantic segments: a new one starts where a frame no longer says what its keyframe says.

    The loop is the paper's: each sampled frame is compared with the latest keyframe; where S_rel (eq. 2) exceeds
    `threshold` the frame becomes the next keyframe. Frames are described in batches and judged ahead of the loop,
    and what is judged against an old keyframe is judged again: the keyframes are those of the plain loop.

    Memory is bounded by `max_segment_length + frames_ahead` frames.
    """

    frames = In(Frame)
    segments = Out(Segment, rate="many", segment_length="variable")

    threshold: float = setting(0.35, ge=-1, le=1, doc="eta_th: S_rel above it starts a segment")
    sample_every: int = setting(1, ge=1, unit="frames", doc="compare every n-th frame of the stream")
    sample_fps: float | None = setting(None, gt=0, unit="Hz", doc="or so many frames per second of video")
    refine_cuts: bool = setting(True, doc="between two samples, start the segment at the hard cut if there is one")
    focus: str = setting("general", doc="semantic focus: general, main_object, background or your own words")
    describer: str | Describer = setting("embedded", doc="embedded, or an object with load and describe")
    judge: str | Judge = setting("embedded", doc="embedded, minilm, or an object with load and judge")
    frames_ahead: int = setting(16, ge=1, unit="frames", doc="frames described and judged together")
    max_segment_length: int = setting(250, ge=1, unit="frames", doc="a longer segment is split")
    closing: bool = setting(True, doc="send the last frame as a keyframe of its own (K_{N+1} = F)")

    def validate(self) -> None:
        if self.sample_fps is not None and self.sample_every != 1:
            raise SettingError(
                f"Skem takes sample_every or sample_fps, not both; got {self.sample_every} and {self.sample_fps}"
            )
        if not isinstance(self.describer, str | Describer):
            raise SettingError(f"Skem.describer needs the methods load and describe; got {self.describer!r}")
        if not isinstance(self.judge, str | Judge):
            raise SettingError(f"Skem.judge needs the methods load and judge; got {self.judge!r}")
        make_describer(self.describer)
        judge = make_judge(self.judge)
        foci = getattr(judge, "foci", None)
        if foci is not None and self.focus not in foci:
            raise SettingError(
                f"Skem.focus is {self.focus!r}, but {type(judge).__name__} answers only {', '.join(foci)}; "
                "another focus needs a language model: judge=PromptJudge(model)"
            )

    def start(self) -> None:
        self.scorer: Scorer = PerFrameScorer(make_describer(self.describer), make_judge(self.judge), self.focus)
        self.scorer.load()
        self._segmenter = Segmenter(self._caption)
        self._queue: list[_Entry] = []
        self._open: list[_Entry] = []
        self._count = 0
        self._tick = -1

    def work(self, frame: Frame) -> Iterator[Segment]:
        self._segmenter.push(frame)
        self._queue.append(_Entry(self._count, frame, self._is_sample(frame)))
        self._count += 1
        if len(self._queue) >= self.frames_ahead + LOOKAHEAD:
            # The last few wait until the detector knows whether a cut stands before them.
            self._advance(len(self._queue) - LOOKAHEAD)
            yield from self._segmenter.ready()

    def finish(self) -> Iterator[Segment]:
        self._segmenter.decide()
        self._advance(len(self._queue))
        if self._open:
            last = self._open[-1]
            if self.closing and len(self._open) > 1:
                self._end(len(self._open) - 1)
            self._add(self._open, closing=self.closing and self._open[-1] is last)
        yield from self._segmenter.ready()

    def stop(self) -> None:
        self._queue, self._open = [], []

    def _is_sample(self, frame: Frame) -> bool:
        if self.sample_fps is None:
            return self._count % self.sample_every == 0
        tick = math.floor(frame.time_s * self.sample_fps + 1e-6)
        due = self._count == 0 or tick > self._tick
        self._tick = max(tick, self._tick)
        return due

    def _advance(self, count: int) -> None:
        """Run the loop over the first `count` queued frames."""
        todo, self._queue = self._queue[:count], self._queue[count:]
        self.scorer.prepare([e.frame for e in todo if e.sampled])
        while todo:
            if not self._open:
                self._open = [todo.pop(0)]
            elif len(self._open) >= self.max_segment_length:
                self._end(len(self._open))
            else:
                todo = self._extend(todo)

    def _extend(self, todo: list[_Entry]) -> list[_Entry]:
        """Add frames up to the next keyframe to the open segment; returns what is still to do."""
        reach = todo[: self.max_segment_length - len(self._open)]
        scored = self._score(reach)
        for n, entry in enumerate(scored):
            if entry.s_rel > self.threshold:
                self._open.extend(scored[:n])
                position = self._start_of(entry)
                back = len(self._open) - (entry.position - position)
                moved = [_Entry(e.position, e.frame, e.sampled) for e in self._open[back:]]
                self._open = self._open[:back]
                self._end(back)
                first, *others = [*moved, *todo[n:]]
                return [replace(first, s_rel=entry.s_rel), *others]
        self._open.extend(scored)
        return todo[len(reach) :]

    def _score(self, entries: Sequence[_Entry]) -> list[_Entry]:
        sampled = [e for e in entries if e.sampled]
        if not sampled:
            return list(entries)
        scores = self.scorer.score(self._open[0].frame, [e.frame for e in sampled])
        by_position = {e.position: float(s) for e, s in zip(sampled, scores, strict=True)}
        return [_Entry(e.position, e.frame, e.sampled, by_position.get(e.position, math.nan)) for e in entries]

    def _start_of(self, entry: _Entry) -> int:
        """Where the segment of a new keyframe starts: at it, or at a cut since the sample before it."""
        before = next((e.position for e in reversed(self._open) if e.sampled), self._open[0].position)
        cut = self._segmenter.boundary_cut(before + 1, entry.position) if self.refine_cuts else None
        return entry.position if cut is None else cut

    def _end(self, length: int) -> None:
        """End the open segment after `length` frames; those behind them stay open."""
        kept, self._open = self._open[:length], self._open[length:]
        self._add(kept)

    def _add(self, entries: Sequence[_Entry], closing: bool = False) -> None:
        scores = tuple(e.s_rel for e in entries)
        self._segmenter.add(Part(entries[0].position, tuple(e.frame for e in entries), scores, closing))

    def _caption(self, frames: Sequence[Frame], cut_at: int | None) -> str:
        text = self.scorer.text(frames)
        if not text:
            self.scorer.prepare(frames[:1])
            text = self.scorer.text(frames[:1])
        self.scorer.forget(frames[-1].index + 1)
        return with_motion(text, frames, cut_at)
