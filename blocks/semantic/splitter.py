"""Splitting segments into what is sent of them: caption, side information, keyframe."""

from __future__ import annotations

from lgvsc_flow import Block, In, Out
from lgvsc_flow.items import Caption, Keyframe, Segment

__all__ = ["SegmentSplitter"]


class SegmentSplitter(Block):
    """Send a segment's caption, the segment itself for its side information, and its first frame as keyframe.

    Ref: paper, section II-A, {I_text, I_frame, I_side}.
    """

    segments = In(Segment)
    captions = Out(Caption)
    side = Out(Segment)
    keyframes = Out(Keyframe)

    def work(self, segment: Segment) -> tuple[Caption, Segment, Keyframe]:
        caption = Caption(segment.index, segment.caption)
        return caption, segment, Keyframe(segment.index, segment.frames[0].pixels)
