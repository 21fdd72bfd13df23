import itertools

import numpy as np
import pytest

import lgvsc_flow.blocks.video as video
from lgvsc_flow.blocks.video import TestScene
from lgvsc_flow.errors import SettingError
from lgvsc_flow.testing import run_block


def test_moves_slowly_within_a_scene_and_jumps_at_cuts() -> None:
    block = TestScene(height=60, width=91, count=45, fps=30, scenes=3)
    frames = run_block(block)
    assert block.cuts == [15, 30]
    assert [f.index for f in frames] == list(range(45))
    assert frames[30].time_s == 1.0
    assert frames[0].pixels.shape == (60, 91, 3)
    steps = [np.abs(a.pixels.astype(int) - b.pixels).mean() for a, b in itertools.pairwise(frames)]
    jumps = {i + 1: s for i, s in enumerate(steps) if i + 1 in block.cuts}
    moves = [s for i, s in enumerate(steps) if i + 1 not in block.cuts]
    assert min(jumps.values()) > 2 * max(moves)
    assert min(moves) > 0.5


def test_is_the_same_in_every_run() -> None:
    first, second = (run_block(TestScene(count=3, scenes=1), seed=s) for s in (1, 2))
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, second, strict=True))


def test_settings() -> None:
    with pytest.raises(SettingError, match="3 scenes need at least as many frames, count is 2"):
        TestScene(count=2, scenes=3)


@pytest.mark.parametrize("name", video.__all__)
def test_every_public_name_imports(name: str) -> None:
    assert getattr(video, name).__name__ == name
