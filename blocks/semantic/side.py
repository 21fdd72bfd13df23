"""Side information of a segment as a few bytes, and back.

Bytes: flags (bit 0 closing, bit 1 a cut inside, bit 2 a cut at the end, others 0), start, length, the offset of
the cut where it is inside (each a base-128 varint, low group first), the motion score (one byte, logarithmic).
"""

from __future__ import annotations

import math

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.semantic.motion import segment_motion
from lgvsc_flow.items import Payload, Segment, SideInfo
from lgvsc_flow.models import import_extra
from lgvsc_flow.varint import read_varint, write_varint

__all__ = ["FlowDecoder", "FlowEncoder", "pack_side", "unpack_side"]

_CLOSING, _CUT_INSIDE, _CUT_AT_END = 1, 2, 4
_STEPS_PER_OCTAVE = 16
_SMALLEST_EXPONENT = -6  # code 1 is 2^-6 pixels per frame; code 255 is 2^9.875, about 939


class FlowEncoder(Block):
    """Side information of a segment: place, length, cut, and mean optical flow as its motion score."""

    segments = In(Segment)
    payloads = Out(Payload)

    pairs: int = setting(4, ge=1, doc="neighbouring frame pairs of a segment whose flow is measured")

    def start(self) -> None:
        import_extra("cv2", "FlowEncoder", "video", "opencv-python-headless")

    def work(self, segment: Segment) -> Payload:
        motion = segment_motion([f.pixels for f in segment.frames], segment.cut_at, self.pairs)
        side = SideInfo(
            segment.index, segment.start, segment.length, segment.cut_at, motion, segment.closing
        )  # fmt: skip
        return Payload(segment.index, "side", pack_side(side))


class FlowDecoder(Block):
    """Bytes back to side information; a lost or malformed payload gives a lost item."""

    payloads = In(Payload)
    side = Out(SideInfo)

    def work(self, payload: Payload) -> SideInfo:
        side = None if payload.lost or payload.data is None else unpack_side(payload.data, payload.index)
        return side or SideInfo(payload.index, lost=True)


def pack_side(side: SideInfo) -> bytes:
    """The bytes of side information; `index` travels in the packet's header.

    Raises:
        ValueError: a number is out of range.
    """
    if not (0 <= side.start < 1 << 32 and 0 < side.length < 1 << 32):
        raise ValueError(f"a segment starts at 0 or later and has a length above 0; got {side.start}, {side.length}")
    if side.cut_at is not None and not 1 <= side.cut_at <= side.length:
        raise ValueError(f"cut_at is from 1 to the segment's length {side.length}, got {side.cut_at}")
    inside = side.cut_at is not None and side.cut_at < side.length
    at_end = side.cut_at is not None and not inside
    flags = _CLOSING * side.closing | _CUT_INSIDE * inside | _CUT_AT_END * at_end
    numbers = [side.start, side.length, *([side.cut_at] if inside and side.cut_at is not None else [])]
    return bytes([flags]) + b"".join(map(write_varint, numbers)) + bytes([_motion_code(side.motion)])


def unpack_side(data: bytes, index: int) -> SideInfo | None:
    """Side information of segment `index` from its bytes, or None where they are malformed."""
    if not data or data[0] & ~(_CLOSING | _CUT_INSIDE | _CUT_AT_END):
        return None
    flags, at, numbers = data[0], 1, []
    for _ in range(3 if flags & _CUT_INSIDE else 2):
        found = read_varint(data, at)
        if found is None:
            return None
        number, at = found
        numbers.append(number)
    start, length = numbers[:2]
    both = flags & _CUT_INSIDE and flags & _CUT_AT_END
    if at != len(data) - 1 or not length or both or (len(numbers) == 3 and not 1 <= numbers[2] < length):
        return None
    cut_at = numbers[2] if flags & _CUT_INSIDE else length if flags & _CUT_AT_END else None
    return SideInfo(index, start, length, cut_at, _motion(data[-1]), bool(flags & _CLOSING))


def _motion_code(motion: float) -> int:
    """0 for less than half a step below the smallest value, else the nearest of 255 logarithmic steps."""
    if not (math.isfinite(motion) and motion >= 0):
        raise ValueError(f"motion is a finite number of pixels per frame, got {motion}")
    if motion == 0:
        return 0
    code = 1 + round((math.log2(motion) - _SMALLEST_EXPONENT) * _STEPS_PER_OCTAVE)
    return min(max(code, 0), 255)


def _motion(code: int) -> float:
    return 0.0 if code == 0 else float(2.0 ** (_SMALLEST_EXPONENT + (code - 1) / _STEPS_PER_OCTAVE))
