import numpy as np
import pytest

pytest.importorskip("cv2")

from lgvsc_flow.blocks.semantic.shrink import shrink


def test_a_smaller_picture_averages_areas():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    twin = np.rint(pixels.reshape(4, 2, 4, 3, 3).mean((1, 3)))
    assert np.abs(shrink(pixels, 4, 4) - twin).max() <= 1


def test_a_larger_picture_stays_within_its_values():
    pixels = np.array([[[0, 100, 200], [50, 100, 250]]], dtype=np.uint8)
    big = shrink(pixels, 10, 3)
    assert big.shape == (3, 10, 3)
    assert (big[..., 1] == 100).all()
    assert big[..., 0].min() == 0
    assert big[..., 0].max() == 50
