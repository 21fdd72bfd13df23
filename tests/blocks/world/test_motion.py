import numpy as np
import pytest

from lgvsc_flow.blocks.video.synthetic import scene_frame
from lgvsc_flow.blocks.world.motion import estimate_motion


def shifted(by: int) -> tuple[np.ndarray, np.ndarray]:
    wide = scene_frame(96, 200, 2, 0)
    return np.ascontiguousarray(wide[:, 40:168]), np.ascontiguousarray(wide[:, 40 - by : 168 - by])


def test_flow_of_a_shift_both_ways() -> None:
    motion = estimate_motion(*shifted(6))
    inner = np.s_[16:-16, 24:-24]
    assert np.abs(np.median(motion.forward[inner], axis=(0, 1)) - (6, 0)).max() < 0.3
    assert np.abs(np.median(motion.backward[inner], axis=(0, 1)) - (-6, 0)).max() < 0.3
    assert np.median(motion.forward_trust[inner]) > 0.9


@pytest.mark.parametrize("told", [(6, 0), (-25, 12)])
def test_what_was_told_is_believed_only_where_it_explains_the_pictures(told: tuple[int, int]) -> None:
    first, last = shifted(6)
    motion = estimate_motion(first, last, told=np.full((96, 128, 2), told, np.float32))
    assert np.abs(np.median(motion.forward[16:-16, 24:-24], axis=(0, 1)) - (6, 0)).max() < 0.3
