import numpy as np
import pytest

pytest.importorskip("cv2")

from lgvsc_flow.blocks.semantic.gates import FeatureGate, PixelGate, picture_difference
from lgvsc_flow.items import Frame


def grey(level, height=72, width=128):
    return np.full((height, width, 3), level, dtype=np.uint8)


def frames(pictures):
    return [Frame(p, i, i / 25) for i, p in enumerate(pictures)]


def test_the_difference_is_that_of_the_block_that_differs_most():
    a, b = grey(100, 36, 64), grey(100, 36, 64)
    assert picture_difference(a, b) == 0
    b[4:8, 8:12] = 151  # one block of 4x4
    assert picture_difference(a, b) == pytest.approx(51 / 255)
    b[4:6, 8:12] = 100  # half of it
    assert picture_difference(a, b) == pytest.approx(25.5 / 255)
    assert picture_difference(grey(0, 36, 64), grey(255, 36, 64)) == picture_difference(grey(255, 36, 64), a * 0) == 1


def test_a_pixel_gate_passes_what_differs_from_the_last_one_passed():
    gate = PixelGate(0.05)
    # 13 levels of 255 are more than 5 %; small steps add up, since the last one that passed counts.
    levels = [100, 100, 108, 112, 114, 118, 126, 128, 128, 100]
    passed = [v for v, passes in zip(levels, gate.passes(frames(grey(v) for v in levels)), strict=True) if passes]
    assert passed == [100, 114, 128, 100]


def test_a_pixel_gate_of_zero_stops_only_what_looks_the_same():
    assert PixelGate(0.0).passes(frames([grey(9), grey(9), grey(10)])) == [True, False, True]


def test_gates_go_on_from_one_call_to_the_next():
    gate, pictures = PixelGate(0.05), frames([grey(10), grey(12), grey(200)])
    assert [gate.passes([p]) for p in pictures] == [[True], [False], [True]]


def test_a_feature_gate_stops_what_has_nearly_the_same_features():
    angles = [0, 10, 20, 30, 60, 50, 90]
    features = [np.array([np.cos(np.radians(a)), np.sin(np.radians(a))]) for a in angles]
    gate = FeatureGate(lambda some: [features[f.index] for f in some], limit=np.cos(np.radians(25)))
    assert gate.passes(frames(grey(0) for _ in angles)) == [True, False, False, True, True, False, True]


def test_what_has_no_features_passes():
    gate = FeatureGate(lambda some: [None] * len(some), limit=0.9)
    assert gate.passes(frames([grey(0), grey(0)])) == [True, True]
