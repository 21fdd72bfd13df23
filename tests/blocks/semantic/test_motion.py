import numpy as np
import pytest

pytest.importorskip("cv2")

from lgvsc_flow.blocks.semantic.motion import flow_magnitude, segment_motion, shrink


def texture(height, width):
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 255, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return shrink(np.kron(coarse, np.ones((8, 8, 1), dtype=np.uint8)), width, height)


def shifted(picture, x):
    return np.roll(picture, x, axis=1)


@pytest.mark.parametrize("width", [128, 640])
def test_flow_of_a_shift_is_its_length(width):
    picture = texture(192, width)
    assert flow_magnitude(picture, shifted(picture, 4)) == pytest.approx(4, rel=0.15)
    assert flow_magnitude(picture, picture) == pytest.approx(0, abs=0.05)


def test_the_pair_across_a_cut_is_left_out():
    picture, other = texture(128, 256), 255 - texture(128, 256)
    frames = [picture, picture, other, other]
    assert segment_motion(frames, cut_at=2) == pytest.approx(0, abs=0.05)
    assert segment_motion(frames) > 0.5


def test_single_frames_do_not_move():
    assert segment_motion([texture(64, 64)]) == 0.0
    assert segment_motion([texture(64, 64)] * 2, cut_at=1) == 0.0


def test_tiny_pictures_have_a_flow_too():
    picture = texture(9, 11)
    assert np.isfinite(flow_magnitude(picture, picture))
