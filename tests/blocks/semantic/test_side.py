import math

import numpy as np
import pytest

pytest.importorskip("cv2")

from lgvsc_flow.blocks.semantic import FlowDecoder, FlowEncoder
from lgvsc_flow.blocks.semantic.motion import shrink
from lgvsc_flow.blocks.semantic.side import pack_side, unpack_side
from lgvsc_flow.items import Frame, Payload, Segment, SideInfo
from lgvsc_flow.testing import run_block


def fields(side):
    return side.index, side.start, side.length, side.cut_at, side.closing, side.lost


@pytest.mark.parametrize(
    ("side", "size"),
    [
        (SideInfo(0, 0, 30, 30), 4),
        (SideInfo(3, 137, 50, 12), 6),
        (SideInfo(9, 249, 1, closing=True), 5),
        (SideInfo(9, 249, 1, 1, closing=True), 5),
        (SideInfo(1, 2**32 - 1, 2**32 - 1, 5), 13),
    ],
)
def test_side_information_comes_back_in_a_few_bytes(side, size):
    data = pack_side(side)
    assert len(data) == size
    assert fields(unpack_side(data, side.index)) == fields(side)


@pytest.mark.parametrize("motion", [0.02, 0.1, 0.77, 1.0, 3.3, 40.0, 900.0])
def test_motion_is_kept_within_two_and_a_half_percent(motion):
    assert unpack_side(pack_side(SideInfo(0, 0, 9, motion=motion)), 0).motion == pytest.approx(motion, rel=0.0225)


def test_motion_is_clipped_and_zero_stays_zero():
    assert unpack_side(pack_side(SideInfo(0, 0, 9, motion=0.0)), 0).motion == 0.0
    assert unpack_side(pack_side(SideInfo(0, 0, 9, motion=1e9)), 0).motion == pytest.approx(2**9.875)
    assert unpack_side(pack_side(SideInfo(0, 0, 9, motion=1e-9)), 0).motion == 0.0


@pytest.mark.parametrize(
    ("side", "message"),
    [
        (SideInfo(0, 0, 0), "has a length above 0; got 0, 0"),
        (SideInfo(0, -1, 5), "got -1, 5"),
        (SideInfo(0, 0, 5, 6), "cut_at is from 1 to the segment's length 5, got 6"),
        (SideInfo(0, 0, 5, motion=math.nan), "motion is a finite number of pixels per frame, got nan"),
    ],
)
def test_impossible_values_are_refused(side, message):
    with pytest.raises(ValueError, match=message):
        pack_side(side)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x00\x00\x05",  # no motion
        b"\x00\x00\x05\x10\x00",  # a byte too many
        b"\x08\x00\x05\x10",  # an unknown flag
        b"\x06\x00\x05\x02\x10",  # cut inside and at the end
        b"\x02\x00\x05\x05\x10",  # a cut inside, at the end
        b"\x02\x00\x05\x00\x10",  # a cut before the segment
        b"\x00\x00\x00\x10",  # no length
        b"\x00\x80\x00\x05\x10",  # a varint that is not the shortest
        b"\x00\xff\xff\xff\xff\xff\x05\x10",  # a number too large
        b"\x00\x80\x80\x80\x80\x80\x80",
    ],
)
def test_malformed_bytes_give_a_lost_item(data):
    (side,) = run_block(FlowDecoder(), [Payload(7, "side", data)])
    assert (side.index, side.lost) == (7, True)


def test_random_bytes_never_raise():
    rng = np.random.default_rng(5)
    for _ in range(2000):
        side = unpack_side(rng.integers(0, 256, rng.integers(0, 9), dtype=np.uint8).tobytes(), 0)
        assert side is None or (side.length > 0 and (side.cut_at is None or 1 <= side.cut_at <= side.length))


def test_a_lost_payload_gives_a_lost_item():
    (side,) = run_block(FlowDecoder(), [Payload(2, "side", None, lost=True)])
    assert (side.index, side.lost) == (2, True)


def test_the_motion_of_a_pan_is_measured_and_crosses():
    coarse = np.random.default_rng(0).integers(0, 256, (18, 50, 3), dtype=np.uint8)
    wide = shrink(coarse, 400, 144)
    frames = tuple(Frame(np.ascontiguousarray(wide[:, 3 * i : 3 * i + 256]), 20 + i) for i in range(8))
    (payload,) = run_block(FlowEncoder(), [Segment(1, frames)])
    assert (payload.index, payload.stream, len(payload.data)) == (1, "side", 4)
    (side,) = run_block(FlowDecoder(), [payload])
    assert fields(side) == (1, 20, 8, None, False, False)
    assert side.motion == pytest.approx(3, rel=0.15)
