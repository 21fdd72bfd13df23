import colorsys

import numpy as np

from lgvsc_flow.blocks.world.flow_colours import colour_wheel, flow_picture


def hue(dx: float, dy: float) -> float:
    """Degrees on the colour circle of a field that goes one way."""
    field = np.full((3, 4, 2), (dx, dy), np.float32)
    picture = flow_picture(field, 8, 12)
    assert (picture == picture[0, 0]).all()
    return 360 * colorsys.rgb_to_hsv(*(picture[0, 0] / 255))[0]


def test_the_wheel_has_55_hues_and_six_corners():
    wheel = colour_wheel()
    assert wheel.shape == (55, 3)
    corners = {
        0: (255, 0, 0),
        15: (255, 255, 0),
        21: (0, 255, 0),
        25: (0, 255, 255),
        36: (0, 0, 255),
        49: (255, 0, 255),
    }
    for place, colour in corners.items():
        assert tuple(wheel[place]) == colour


def test_directions_have_the_colours_of_the_middlebury_wheel():
    # By figure 2 of Baker et al.: right is red, down is yellow, left is cyan to blue, up is blue to magenta.
    assert min(hue(1, 0), 360 - hue(1, 0)) < 10
    assert 40 < hue(0, 1) < 75
    assert 170 < hue(-1, 0) < 230
    assert 230 < hue(0, -1) < 300


def test_no_motion_is_white_and_less_motion_is_paler():
    assert (flow_picture(np.zeros((2, 2, 2), np.float32), 6, 6) == 255).all()
    field = np.zeros((1, 2, 2), np.float32)
    field[0, 0, 0], field[0, 1, 0] = 4, 1
    picture = flow_picture(field, 4, 8).astype(int)
    saturation = picture.max(-1) - picture.min(-1)
    assert saturation[0, 0] > 3 * saturation[0, -1] > 0
    assert (np.diff(saturation[0]) <= 0).all()  # bilinear between the cells' centres


def test_only_relative_lengths_count():
    field = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
    assert np.abs(flow_picture(field, 12, 20).astype(int) - flow_picture(10 * field, 12, 20)).max() <= 1
