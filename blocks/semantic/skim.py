"""SKIM, keyframes at a fixed interval (paper, section II-C1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.semantic.choices import make_describer
from lgvsc_flow.blocks.semantic.psss import Describer
from lgvsc_flow.blocks.semantic.scoring import PerFrameScorer
from lgvsc_flow.blocks.semantic.segmenter import Part, Segmenter, with_motion
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Frame, Segment

__all__ = ["Skim"]


class Skim(Block):
    """Cut a video into segments of one length; the frames left at the end make a shorter one.

    With `closing` the last frame of the video is a segment of its own, so that every other segment has a keyframe
    at both ends; a video of n frames then gives n - 1 frames to the segments before it.
    """

    frames = In(Frame)
    segments = Out(Segment, rate="many", segment_length="{segment_length}")

    segment_length: int = setting(16, ge=1, unit="frames", doc="the interval of keyframes")
    captions: bool = setting(True, doc="describe every segment; needs the describer's model")
    caption_frames: int = setting(3, ge=1, unit="frames", doc="frames of a segment that are described")
    describer: str | Describer = setting("embedded", doc="embedded, or an object with load and describe")
    closing: bool = setting(True, doc="send the last frame as a keyframe of its own (K_{N+1} = F)")

    def validate(self) -> None:
        try:
            make_describer(self.describer)
        except SettingError as error:
            raise SettingError(f"Skim.{error}") from None

    def start(self) -> None:
        self._scorer: PerFrameScorer | None = None
        if self.captions:
            self._scorer = PerFrameScorer(make_describer(self.describer))
            self._scorer.load()
        self._segmenter = Segmenter(self._caption if self.captions else None)
        self._open: list[Frame] = []
        self._count = 0

    def work(self, frame: Frame) -> Iterator[Segment]:
        self._segmenter.push(frame)
        # One frame more than a segment is held, since the last frame of all may have to stand alone.
        if len(self._open) == self.segment_length:
            self._add(self._open)
            self._open = []
        self._open.append(frame)
        self._count += 1
        yield from self._segmenter.ready()

    def finish(self) -> Iterator[Segment]:
        self._segmenter.decide()
        if self._open and self.closing:
            *rest, last = self._open
            if rest:
                self._add(rest, behind=1)
            self._add([last], closing=True)
        elif self._open:
            self._add(self._open)
        yield from self._segmenter.ready()

    def stop(self) -> None:
        self._open = []

    def _add(self, frames: Sequence[Frame], closing: bool = False, behind: int = 0) -> None:
        start = self._count - len(frames) - behind
        self._segmenter.add(Part(start, tuple(frames), closing=closing))

    def _caption(self, frames: Sequence[Frame], cut_at: int | None) -> str:
        assert self._scorer is not None  # set in start, whenever captions are on
        chosen = np.unique(np.linspace(0, len(frames) - 1, min(self.caption_frames, len(frames))).round().astype(int))
        some = [frames[i] for i in chosen]
        self._scorer.prepare(some)
        text = self._scorer.text(some)
        self._scorer.forget(frames[-1].index + 1)
        return with_motion(text, frames, cut_at)
