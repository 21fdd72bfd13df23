import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from lgvsc_flow.blocks.world.frame_size import generation_size, parse_resolution, resized
from lgvsc_flow.errors import SettingError


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1024, 1_000_000), st.sampled_from([16, 32]))
def test_sizes_are_on_the_grid_within_the_area_and_near_the_aspect(height, width, area, step):
    made = generation_size(height, width, area, step)
    assert all(n >= step and n % step == 0 for n in made)
    assert made[0] * made[1] <= max(area, step * step)
    # Rounding a side moves it by less than one step.
    ideal = math.sqrt(area * height / width), math.sqrt(area * width / height)
    if min(ideal) >= step:
        assert all(abs(a - b) < step for a, b in zip(made, ideal, strict=True))


@pytest.mark.parametrize(
    ("video", "area", "step", "made"),
    [
        ((480, 832), 480 * 832, 16, (480, 832)),
        ((272, 640), 512 * 704, 32, (384, 896)),
        ((720, 1280), 480 * 832, 16, (464, 832)),
        ((1, 4000), 4096, 32, (32, 128)),
        ((17, 9), 256, 16, (16, 16)),
    ],
)
def test_sizes_as_worked_out_by_hand(video, area, step, made):
    assert generation_size(*video, area, step) == made


def test_a_fixed_size_is_taken_as_it_is():
    assert generation_size(17, 9, (64, 96), 32) == (64, 96)


@pytest.mark.parametrize(
    ("given", "found"),
    [(399360, 399360), ("399360", 399360), ("480x832", (480, 832)), ((480, 832), (480, 832)), ([480, 832], (480, 832))],
)
def test_resolutions_that_are_taken(given, found):
    assert parse_resolution(given, 16) == found


@pytest.mark.parametrize(
    "given", ["", "x", "480x", "480x832x3", "-480x832", "a", 4.0, True, None, (480,), (480.0, 832)]
)
def test_resolutions_that_are_none(given):
    with pytest.raises(SettingError, match=r"resolution is pixels in all, or height and width as in '480x832'; got"):
        parse_resolution(given, 16)


@pytest.mark.parametrize("given", [(0, 0), (-16, -16), "0x16", (8192, 8192), (470, 832)])
def test_sizes_off_the_grid_are_refused(given):
    with pytest.raises(SettingError, match=r"resolution=.* are multiples of 16; set \d+x\d+, or the pixels in all"):
        parse_resolution(given, 16)


def test_a_picture_comes_back_through_a_larger_size():
    y, x = np.mgrid[0:40, 0:60]
    smooth = np.stack([100 + 60 * np.sin(x / 9), 120 + 50 * np.cos(y / 7), 128 + x + y], -1).astype(np.uint8)
    back = resized(resized(smooth, 96, 128), 40, 60)
    assert np.abs(back.astype(int) - smooth).mean() < 1
    same = resized(smooth, 40, 60)
    assert np.array_equal(same, smooth)
    assert not np.shares_memory(same, smooth)


def test_a_shrunk_picture_is_smoothed_first():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(resized(stripes, 16, 16).astype(int)[:, 2:-2] - 127.5).max() < 8
