import numpy as np
import pytest

pytest.importorskip("cv2")

from lgvsc_flow.blocks.semantic.motion_field import field_grid, motion_field, spread
from lgvsc_flow.blocks.semantic.shrink import shrink
from lgvsc_flow.errors import SettingError


def texture(height, width, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return shrink(coarse, width, height)


def pan(count, dx, dy=0, height=128, width=256, seed=0):
    """Frames whose content moves by (dx, dy) pixels a frame."""
    x, y = abs(dx) * count, abs(dy) * count
    wide = texture(height + y, width + x, seed)
    at = [(y - i * dy if dy > 0 else -i * dy, x - i * dx if dx > 0 else -i * dx) for i in range(count)]
    return [np.ascontiguousarray(wide[top : top + height, left : left + width]) for top, left in at]


@pytest.mark.parametrize(
    ("grid", "height", "width", "found"),
    [
        (60, 272, 640, (5, 12)),
        (60, 144, 176, (7, 9)),
        (60, 720, 1280, (6, 10)),
        (60, 1280, 720, (10, 6)),
        (256, 100, 100, (16, 16)),
        (1, 100, 100, (1, 1)),
        (200, 10, 1000, (1, 16)),
        ("4x6", 272, 640, (4, 6)),
        ("16x16", 1, 1, (16, 16)),
    ],
)
def test_the_grid_follows_the_picture(grid, height, width, found):
    assert field_grid(grid, height, width) == found


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (0, "1 to 256 cells, got 0"),
        (257, "1 to 256 cells, got 257"),
        ("6", "a number of cells or rows x columns as in '6x10', got '6'"),
        ("6x", "got '6x'"),
        ("-1x4", "got '-1x4'"),
        ("17x4", "up to 16 rows and columns, got 17x4"),
        ("0x4", "got 0x4"),
    ],
)
def test_no_grid(grid, message):
    with pytest.raises(SettingError, match=message):
        field_grid(grid, 100, 100)


@pytest.mark.parametrize(("dx", "dy", "count"), [(3, 0, 12), (-2, 1, 12), (0, -2, 3), (-2, 1, 2)])
def test_a_pan_moves_every_cell_alike(dx, dy, count):
    field = motion_field(pan(count, dx, dy), 4, 7, 0.25)
    assert field.dtype == np.float32
    assert field.shape == (4, 7, 2)
    np.testing.assert_allclose(field[1:-1, 1:-1], np.broadcast_to([dx, dy], (2, 5, 2)), atol=0.15)


def test_two_halves_move_apart():
    left, right = pan(10, -2, width=128), pan(10, 2, width=128, seed=5)
    field = motion_field([np.hstack(pair) for pair in zip(left, right, strict=True)], 4, 8, 0.5)
    assert field[:, 1, 0] == pytest.approx(-2, abs=0.4)
    assert field[:, 6, 0] == pytest.approx(2, abs=0.4)


def test_what_stands_still_has_no_motion():
    field = motion_field([texture(90, 160)] * 9, 5, 9, 1.0)
    assert not field.any()


def test_what_follows_a_cut_is_left_out():
    one, other = pan(8, 2), pan(8, -5, seed=3)
    np.testing.assert_array_equal(
        motion_field(one + other, 4, 7, 0.5, cut_at=8), motion_field(one, 4, 7, 0.5, cut_at=8)
    )
    assert motion_field(one, 4, 7, 0.5, cut_at=1) is None
    assert motion_field(one[:1], 4, 7, 0.5) is None


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 40), (7, 3), (300, 20)])
@pytest.mark.parametrize("count", [2, 3, 20])
def test_any_size_and_length_has_a_field(height, width, count):
    rng = np.random.default_rng(1)
    frames = [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]
    field = motion_field(frames, 3, 5, 1.0)
    assert field.shape == (3, 5, 2)
    assert np.isfinite(field).all()


def test_the_field_predicts_the_frames_between_better_than_a_fade():
    cv2 = pytest.importorskip("cv2")
    frames = pan(13, 4, 1)
    first, last = (f.astype(np.float32) for f in (frames[0], frames[12]))
    moved = 12 * spread(motion_field(frames[:12], 4, 7, 0.5), 128, 256)
    y, x = np.mgrid[0:128, 0:256].astype(np.float32)
    places = np.stack([x, y], -1)
    made = 0.5 * sum(
        cv2.remap(p, places + s * moved, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for p, s in ((first, np.float32(-0.5)), (last, np.float32(0.5)))
    )
    faded = (first + last) / 2
    assert ((made - frames[6]) ** 2).mean() < 0.2 * ((faded - frames[6]) ** 2).mean()


def test_a_field_spreads_linearly_between_the_cells_centres():
    field = np.array([[[0, 5], [8, 5]]], np.float32)
    wide = spread(field, 3, 8)
    np.testing.assert_allclose(wide[..., 1], 5)
    np.testing.assert_allclose(wide[1, :, 0], [0, 0, 1, 3, 5, 7, 8, 8])
