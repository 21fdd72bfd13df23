import math

import numpy as np
import pytest

pytest.importorskip("cv2")

from lgvsc_flow.blocks.semantic import FlowDecoder, FlowEncoder
from lgvsc_flow.blocks.semantic.field_code import MAX_SIDE
from lgvsc_flow.blocks.semantic.motion import shrink
from lgvsc_flow.blocks.semantic.side import nearest_step, pack_side, unpack_side
from lgvsc_flow.errors import ModelError, SettingError
from lgvsc_flow.items import Frame, Payload, Segment, SideInfo, describe, nbytes
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


def waves(rows, cols, step=1.0, span=10):
    """A field whose displacements over `span` frames are whole steps."""
    y, x = np.mgrid[0:rows, 0:cols]
    return np.float32(np.rint(6 * np.stack([np.sin(x / 2), np.cos(y / 2)], -1)) * step / span)


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (5, 11), (MAX_SIDE, MAX_SIDE)])
@pytest.mark.parametrize("cut_at", [None, 7, 10])
def test_a_field_crosses(rows, cols, cut_at):
    sent = waves(rows, cols, 2.0, cut_at or 10)
    data = pack_side(SideInfo(4, 30, 10, cut_at, 1.0, field=sent), 2.0)
    side = unpack_side(data, 4)
    assert fields(side) == (4, 30, 10, cut_at, False, False)
    assert side.motion == 1.0
    assert side.field.dtype == np.float32
    np.testing.assert_allclose(side.field, sent, rtol=1e-6)
    assert len(data) <= 8 + rows * cols  # of two numbers each


def test_a_field_without_motion_costs_a_few_bytes():
    still = pack_side(SideInfo(0, 0, 30, field=np.zeros((5, 11, 2), np.float32)))
    assert len(still) <= len(pack_side(SideInfo(0, 0, 30))) + 5


def test_a_field_is_rounded_to_its_steps():
    field = np.random.default_rng(0).normal(0, 1, (6, 9, 2)).astype(np.float32)
    side = unpack_side(pack_side(SideInfo(0, 0, 20, field=field), 0.5), 0)
    assert np.abs(side.field - field).max() <= 0.25 / 20 + np.abs(field).max() / 16
    again = unpack_side(pack_side(side, 0.5), 0)
    np.testing.assert_array_equal(again.field, side.field)


@pytest.mark.parametrize(
    ("pixels", "step"), [(2, 2), (1.3, 1), (1.5, 2), (0.55, 0.5), (1e-9, 1 / 16), (1e9, 2048), (90, 64)]
)
def test_steps_are_powers_of_two(pixels, step):
    assert nearest_step(pixels) == step
    side = SideInfo(0, 0, 10, field=waves(3, 3, step))
    np.testing.assert_allclose(unpack_side(pack_side(side, step), 0).field, side.field, rtol=1e-6)


@pytest.mark.parametrize(
    ("side", "step", "message"),
    [
        (SideInfo(0, 0, 9, field=np.zeros((17, 2, 2))), 1, r"1 to 16 rows and columns, got \(17, 2, 2\)"),
        (SideInfo(0, 0, 9, field=np.zeros((0, 2, 2))), 1, "1 to 16 rows and columns"),
        (SideInfo(0, 0, 9, field=np.zeros((3, 2))), 1, r"is \[rows, cols, 2\]"),
        (SideInfo(0, 0, 9, field=np.full((2, 2, 2), np.nan)), 1, "finite numbers of pixels per frame"),
        (SideInfo(0, 0, 9, 1, field=np.zeros((2, 2, 2))), 1, "two frames in front of the cut"),
        (SideInfo(0, 0, 9, field=np.zeros((2, 2, 2))), 3, "a power of two from 1/16 to 2048 pixels, got 3"),
    ],
)
def test_impossible_fields_are_refused(side, step, message):
    with pytest.raises(ValueError, match=message):
        pack_side(side, step)


def lost(data):
    (side,) = run_block(FlowDecoder(), [Payload(3, "side", data)])
    return side.lost and side.index == 3 and side.field is None


def test_a_damaged_field_gives_a_lost_item():
    data = pack_side(SideInfo(3, 0, 10, field=waves(5, 11)))
    assert not lost(data)
    assert all(lost(data[:size]) for size in range(len(data)))
    for more in (b"\0", b"\1", data):
        assert lost(data + more)
    at = 4  # rows and columns; the length of the code follows
    assert data[at] == 4 << 4 | 10
    for wrong in (data[at + 1] - 1, data[at + 1] + 1):
        assert lost(data[: at + 1] + bytes([wrong]) + data[at + 2 :])
    assert lost(data[: at + 1] + b"\xff\xff\xff\xff\x0f" + data[at + 2 :])
    assert lost(data[: at + 1] + b"\x81\x0a" + bytes(1281))  # longer than any field
    assert lost(bytes([data[0] & ~8]) + data[1:])  # a step without a field
    assert lost(data[:2] + b"\x01" + data[3:])  # one frame does not move


def test_random_bytes_of_a_field_are_bounded_and_never_raise():
    rng = np.random.default_rng(8)
    head = pack_side(SideInfo(0, 0, 10, field=waves(5, 11)))
    for _ in range(600):
        tail = rng.bytes(int(rng.integers(0, 24)))
        data = head[:4] + bytes([int(rng.integers(256)), len(tail)]) + tail
        data = data if rng.random() < 0.7 else rng.bytes(int(rng.integers(1, 40)))
        side = unpack_side(data, 0)
        if side is not None and side.field is not None:
            assert max(side.field.shape[:2]) <= MAX_SIDE
            assert np.isfinite(side.field).all()


def test_a_field_counts_as_memory():
    plain, more = SideInfo(0, 0, 9), SideInfo(0, 0, 9, field=waves(5, 11))
    assert nbytes(more) - nbytes(plain) == 5 * 11 * 2 * 4 - 8
    assert describe(more) == describe(plain) == "SideInfo"


def pan_frames(count=8):
    coarse = np.random.default_rng(0).integers(0, 256, (18, 50, 3), dtype=np.uint8)
    wide = shrink(coarse, 400, 144)
    return tuple(Frame(np.ascontiguousarray(wide[:, 3 * i : 3 * i + 256]), 20 + i) for i in range(count))


def test_the_field_of_a_pan_is_measured_and_crosses():
    plain, told = FlowEncoder(), FlowEncoder(kind="field", grid="3x5", step=1 / 512)
    segment = Segment(1, pan_frames())
    (score,), (payload,) = run_block(plain, [segment]), run_block(told, [segment])
    assert payload.data[1:4] == score.data[1:4]  # start, length and score are the same of either kind
    (side,) = run_block(FlowDecoder(), [payload])
    assert fields(side) == (1, 20, 8, None, False, False)
    assert side.field.shape == (3, 5, 2)
    np.testing.assert_allclose(side.field[1, 1:4], np.broadcast_to([-3, 0], (3, 2)), atol=0.15)


def test_a_segment_of_one_frame_has_no_field():
    encoder = FlowEncoder(kind="field")
    one, cut = Segment(1, pan_frames(1), closing=True), Segment(2, pan_frames(4), cut_at=1)
    sides = run_block(FlowDecoder(), run_block(encoder, [one, cut]))
    assert [s.field for s in sides] == [None, None]
    assert [s.lost for s in sides] == [False, False]


def test_settings_are_checked_when_the_block_is_built(tmp_path):
    with pytest.raises(SettingError, match="kind is one of score, field; got 'fields'"):
        FlowEncoder(kind="fields")
    with pytest.raises(SettingError, match="up to 16 rows and columns, got 17x2"):
        FlowEncoder(grid="17x2")
    with pytest.raises(SettingError, match="step must be > 0 picture widths, got 0"):
        FlowEncoder(step=0)
    pytest.importorskip("torch")
    with pytest.raises(ModelError, match=r"raft.pth does not exist"):
        FlowEncoder(flow=str(tmp_path / "raft.pth")).start()


def test_raft_measures_both_kinds(tmp_path):
    torch = pytest.importorskip("torch")
    from lgvsc_flow.blocks.semantic.raft import SMALL, Raft

    torch.manual_seed(0)
    torch.save(Raft(SMALL).state_dict(), tmp_path / "raft.pth")  # random weights: it runs, the motion means nothing
    encoder = FlowEncoder(kind="field", grid="2x3", pairs=1, flow=str(tmp_path))
    (payload,) = run_block(encoder, [Segment(0, pan_frames(2))])
    (side,) = run_block(FlowDecoder(), [payload])
    assert side.field.shape == (2, 3, 2)
