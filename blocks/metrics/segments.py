"""A log of the segments that pass: where they start, what they say, how they scored; no pixels are kept."""

from __future__ import annotations

from dataclasses import dataclass

from lgvsc_flow.block import Block
from lgvsc_flow.items import Segment
from lgvsc_flow.ports import In

__all__ = ["LoggedSegment", "SegmentLog"]


@dataclass(frozen=True)
class LoggedSegment:
    """A segment without its frames; the terms are those of `items.Segment`."""

    start: int
    stop: int
    caption: str
    s_rel: tuple[float, ...]
    cut_at: int | None
    closing: bool


class SegmentLog(Block):
    """Keep what is said of each segment, for reports."""

    segments = In(Segment)

    def start(self) -> None:
        self._log: list[LoggedSegment] = []

    def work(self, segment: Segment) -> None:
        self._log.append(
            LoggedSegment(segment.start, segment.stop, segment.caption, segment.s_rel, segment.cut_at, segment.closing)
        )

    @property
    def entries(self) -> list[LoggedSegment]:
        """The segments so far, in order."""
        return list(self._log)

    @property
    def keyframes(self) -> list[int]:
        """Frame numbers of the keyframes, from 0."""
        return [s.start for s in self._log]
