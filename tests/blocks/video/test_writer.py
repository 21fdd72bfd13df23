from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lgvsc_flow.blocks.video import TestScene, VideoFile, VideoWriter, probe
from lgvsc_flow.errors import BlockError, SettingError
from lgvsc_flow.items import Frame
from lgvsc_flow.testing import run_block


def grey(height: int, width: int, index: int = 0) -> Frame:
    return Frame(np.full((height, width, 3), 99, np.uint8), index)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "b.M4V"])
def test_round_trip(tmp_path: Path, name: str) -> None:
    frames = run_block(TestScene(height=48, width=64, count=12, scenes=2))
    run_block(VideoWriter(path=tmp_path / name, fps="30000/1001", crf=10), frames)
    back = run_block(VideoFile(path=tmp_path / name))
    assert len(back) == 12
    assert probe(tmp_path / name).fps == Fraction(30000, 1001)
    assert all(np.abs(a.pixels.astype(int) - b.pixels).mean() < 4 for a, b in zip(frames, back, strict=True))
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("size", "written"), [((49, 63), (50, 64)), ((1, 1), (2, 2)), ((16, 17), (16, 18))])
def test_odd_sizes_grow_by_one(tmp_path: Path, size: tuple[int, int], written: tuple[int, int]) -> None:
    run_block(VideoWriter(path=tmp_path / "a.mp4"), [grey(*size)])
    frames = run_block(VideoFile(path=tmp_path / "a.mp4"))
    assert frames[0].pixels.shape == (*written, 3)
    assert abs(int(frames[0].pixels[-1, -1, 0]) - 99) < 4


def test_nothing_is_left_of_a_failed_run(tmp_path: Path) -> None:
    writer = VideoWriter(path=tmp_path / "a.mp4")
    with pytest.raises(BlockError, match=r"a.mp4' holds frames of 8x8, got one of 8x10"):
        run_block(writer, [grey(8, 8), grey(8, 10, 1)])
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_file_survives_a_failed_run(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"the earlier one")
    with pytest.raises(BlockError):
        run_block(VideoWriter(path=path), [grey(8, 8), grey(8, 10, 1)])
    assert path.read_bytes() == b"the earlier one"


def test_no_frame_no_file_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BlockError, match=r"a.mp4' was not written: no frame arrived"):
        run_block(VideoWriter(path=tmp_path / "a.mp4"), [])
    with pytest.raises(BlockError, match=r"there is no folder '.*nowhere'. Make it first"):
        run_block(VideoWriter(path=tmp_path / "nowhere" / "a.mp4"), [grey(8, 8)])
    assert list(tmp_path.iterdir()) == []


def test_settings() -> None:
    with pytest.raises(SettingError, match=r"VideoWriter.path must end in .mp4, .m4v, .mov, .mkv; got 'a.wmv'"):
        VideoWriter(path="a.wmv")
    for fps in (0, "fast", -1, float("inf")):
        with pytest.raises(SettingError, match="fps is a number or a fraction like '30000/1001'"):
            VideoWriter(path="a.mp4", fps=fps)
    with pytest.raises(SettingError, match="crf must be <= 51"):
        VideoWriter(path="a.mp4", crf=60)
