"""Side information of a segment as a few bytes, and back.

Bytes: flags (bit 0 closing, bit 1 a cut inside, bit 2 a cut at the end, bit 3 a motion field, bits 4 to 7 its step,
0 without one), start, length, the offset of the cut where it is inside (each a base-128 varint, low group first), the
motion score (one byte, logarithmic). With a field: rows - 1 and columns - 1 (four bits each), the length of its code
(a varint), its code.
"""

from __future__ import annotations

import math

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.semantic.field_code import (
    MAX_CODE,
    MAX_SIDE,
    decode_levels,
    encode_levels,
    to_levels,
    to_values,
)
from lgvsc_flow.blocks.semantic.motion import segment_motion
from lgvsc_flow.blocks.semantic.motion_field import field_grid, motion_field
from lgvsc_flow.blocks.semantic.optical_flow import open_flow
from lgvsc_flow.items import Payload, Segment, SideInfo
from lgvsc_flow.models import import_extra
from lgvsc_flow.varint import read_varint, write_varint

__all__ = ["FlowDecoder", "FlowEncoder", "nearest_step", "pack_side", "unpack_side"]

_CLOSING, _CUT_INSIDE, _CUT_AT_END, _FIELD = 1, 2, 4, 8
_STEPS_PER_OCTAVE = 16
_SMALLEST_EXPONENT = -6  # code 1 is 2^-6 pixels per frame; code 255 is 2^9.875, about 939
_STEP_EXPONENT = -4  # a field's steps are 2^-4 to 2^11 pixels


class FlowEncoder(Block):
    """Side information of a segment: place, length, cut, mean optical flow as its motion score; on wish a motion field.

    Kind `field` adds the motion of each cell of a grid; a segment with one frame in front of its cut has none, and is
    sent as kind `score`. The decoder tells the kinds apart by the bytes.
    """

    segments = In(Segment)
    payloads = Out(Payload)

    kind: str = setting("score", choices=("score", "field"), doc="one motion score, or beside it a coarse motion field")
    pairs: int = setting(4, ge=1, doc="neighbouring frame pairs of a segment whose flow is measured for the score")
    grid: int | str = setting(24, doc="of the field: about how many cells; or rows x columns, as in '6x10'")
    step: float = setting(
        1 / 320,
        gt=0,
        lt=1,
        unit="picture widths",
        doc="of the field: quantisation of a displacement over the segment near zero, to a power of two in pixels",
    )
    flow: str = setting("dis", doc="'dis', or a RAFT checkpoint in torchvision's layout, file or folder")
    device: str = setting("cpu", doc="torch device of RAFT")

    def validate(self) -> None:
        field_grid(self.grid, 1, 1)

    def start(self) -> None:
        import_extra("cv2", "FlowEncoder", "video", "opencv-python-headless")
        self._flow = open_flow(self.flow, self.device)
        self._flow.load()

    def work(self, segment: Segment) -> Payload:
        frames = [f.pixels for f in segment.frames]
        motion = segment_motion(frames, segment.cut_at, self.pairs, self._flow)
        field, step = None, 1.0
        if self.kind == "field":
            height, width = frames[0].shape[:2]
            step = nearest_step(self.step * width)
            rows, cols = field_grid(self.grid, height, width)
            field = motion_field(frames, rows, cols, step, segment.cut_at, self._flow)
        side = SideInfo(
            segment.index, segment.start, segment.length, segment.cut_at, motion, segment.closing, field=field
        )  # fmt: skip
        return Payload(segment.index, "side", pack_side(side, step))


class FlowDecoder(Block):
    """Bytes back to side information of either kind; a lost or malformed payload gives a lost item."""

    payloads = In(Payload)
    side = Out(SideInfo)

    def work(self, payload: Payload) -> SideInfo:
        side = None if payload.lost or payload.data is None else unpack_side(payload.data, payload.index)
        return side or SideInfo(payload.index, lost=True)


def nearest_step(pixels: float) -> float:
    """The nearest step, in pixels, that side information can name: a power of two from 1/16 to 2048."""
    return float(2.0 ** min(max(round(math.log2(pixels)), _STEP_EXPONENT), _STEP_EXPONENT + 15))


def pack_side(side: SideInfo, step: float = 1.0) -> bytes:
    """The bytes of side information; `index` travels in the packet's header.

    Args:
        side: with a field or without.
        step: of the field's displacement over the segment up to its cut, near zero, in pixels; see `nearest_step`.

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
    field = b""
    if side.field is not None:
        if step != nearest_step(step):
            raise ValueError(f"a field's step is a power of two from 1/16 to 2048 pixels, got {step}")
        flags |= _FIELD | (round(math.log2(step)) - _STEP_EXPONENT) << 4
        field = _pack_field(side.field, side.cut_at or side.length, step)
    return bytes([flags]) + b"".join(map(write_varint, numbers)) + bytes([_motion_code(side.motion)]) + field


def unpack_side(data: bytes, index: int) -> SideInfo | None:
    """Side information of segment `index` from its bytes, or None where they are malformed."""
    if not data or (not data[0] & _FIELD and data[0] >> 4):
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
    if at >= len(data) or not length or both or (len(numbers) == 3 and not 1 <= numbers[2] < length):
        return None
    cut_at = numbers[2] if flags & _CUT_INSIDE else length if flags & _CUT_AT_END else None
    motion, rest, field = _motion(data[at]), data[at + 1 :], None
    if flags & _FIELD:
        field = _unpack_field(rest, cut_at or length, 2.0 ** ((flags >> 4) + _STEP_EXPONENT))
        if field is None:
            return None
    elif rest:
        return None
    return SideInfo(index, start, length, cut_at, motion, bool(flags & _CLOSING), field=field)


def _pack_field(field: np.ndarray, span: int, step: float) -> bytes:
    if field.ndim != 3 or field.shape[2] != 2 or not 1 <= min(field.shape[:2]) <= max(field.shape[:2]) <= MAX_SIDE:
        raise ValueError(f"a motion field is [rows, cols, 2] with 1 to {MAX_SIDE} rows and columns, got {field.shape}")
    if not np.isfinite(field).all():
        raise ValueError("a motion field holds finite numbers of pixels per frame, got NaN or infinity")
    if span < 2:
        raise ValueError("a motion field needs two frames in front of the cut, got one")
    code = encode_levels(to_levels(field.astype(np.float64) * (span / step)))
    rows, cols = field.shape[:2]
    return bytes([(rows - 1) << 4 | (cols - 1)]) + write_varint(len(code)) + code


def _unpack_field(data: bytes, span: int, step: float) -> np.ndarray | None:
    """The field of a segment with `span` frames in front of its cut; a grid's two halves bound it to 16 by 16."""
    size = read_varint(data, 1, limit=MAX_CODE + 1)
    if size is None or len(data) != size[1] + size[0] or span < 2:
        return None
    levels = decode_levels(data[size[1] :], (data[0] >> 4) + 1, (data[0] & 15) + 1)
    return None if levels is None else (to_values(levels) * (step / span)).astype(np.float32)


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
