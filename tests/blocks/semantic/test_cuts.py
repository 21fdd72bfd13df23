import numpy as np
import pytest

pytest.importorskip("cv2")

from lgvsc_flow.blocks.semantic.cuts import CutDetector, find_cuts
from lgvsc_flow.blocks.semantic.motion import shrink

HEIGHT, WIDTH = 72, 128


def scene(seed, width=WIDTH):
    """A smooth random picture with its own palette."""
    rng = np.random.default_rng(seed)
    low, high = np.sort(rng.integers(0, 256, (2, 3)), axis=0)
    coarse = rng.integers(low, high + 1, (5, max(width // 24, 2), 3)).astype(np.uint8)
    return shrink(coarse, width, HEIGHT)


def noisy(picture, rng, sigma=3.0):
    return np.clip(picture + rng.normal(0, sigma, picture.shape), 0, 255).astype(np.uint8)


def shots(*lengths):
    rng = np.random.default_rng(0)
    return [noisy(scene(40 + n), rng) for n, length in enumerate(lengths) for _ in range(length)]


def test_hard_cuts_are_found_at_their_frames():
    assert find_cuts(shots(10, 7, 12, 3, 9)) == [10, 17, 29, 32]


def test_cuts_right_behind_the_first_and_before_the_last_frame_are_found():
    assert find_cuts(shots(1, 8, 1)) == [1, 9]


def test_a_still_noisy_scene_has_no_cut():
    assert find_cuts(shots(40)) == []


@pytest.mark.parametrize("speed", [1, 4, 12])
def test_a_pan_is_no_cut(speed):
    wide = scene(5, WIDTH + 30 * speed)
    assert find_cuts([wide[:, i * speed : i * speed + WIDTH].copy() for i in range(30)]) == []


@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_is_no_cut(length):
    frames = shots(20)
    for i in range(9, 9 + length):
        frames[i] = np.clip(frames[i].astype(int) + 120, 0, 255).astype(np.uint8)
    assert find_cuts(frames) == []


@pytest.mark.parametrize("length", [8, 20])
def test_cross_fades_and_fades_to_black_are_no_cuts(length):
    a, b = scene(41).astype(float), scene(42).astype(float)
    for last in (b, np.zeros_like(b)):
        weights = np.concatenate([np.zeros(6), np.linspace(0, 1, length), np.ones(6)])
        frames = [np.clip((1 - w) * a + w * last, 0, 255).astype(np.uint8) for w in weights]
        assert find_cuts(frames) == []


def test_black_and_frozen_video_has_no_cut():
    assert find_cuts([np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)] * 12) == []


def test_streaming_knows_a_boundary_a_few_frames_later():
    detector = CutDetector()
    for i, pixels in enumerate(shots(10, 10)):
        detector.push(pixels)
        assert detector.known_until == max(1, i - 1)
    assert detector.first_cut(1, 9) is None
    assert detector.first_cut(10, 19) == 10
    detector.forget(11)
    assert detector.first_cut(1, 19) is None


def test_bikes_has_five_hard_cuts_and_the_other_clips_none(clip_frames):
    assert find_cuts([f.pixels for f in clip_frames("bikes")]) == [30, 76, 137, 187, 242]
    assert find_cuts([f.pixels for f in clip_frames("carphone_pristine")]) == []
