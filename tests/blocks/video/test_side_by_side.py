from pathlib import Path

import numpy as np
import pytest

from lgvsc_flow.blocks.video import SideBySideWriter, VideoFile
from lgvsc_flow.blocks.video.side_by_side import beside
from lgvsc_flow.errors import BlockError
from lgvsc_flow.items import Frame
from lgvsc_flow.testing import run_block


def plain(value: int, index: int = 0, size: tuple[int, int] = (120, 161)) -> Frame:
    return Frame(np.full((*size, 3), value, np.uint8), index)


def test_left_line_right(tmp_path: Path) -> None:
    writer = SideBySideWriter(path=tmp_path / "a.mp4", crf=5)
    run_block(writer, [plain(60), plain(60, 1)], [plain(180), plain(180, 1)])
    frames = run_block(VideoFile(path=tmp_path / "a.mp4"))
    assert len(frames) == 2
    assert frames[0].pixels.shape == (120, 324, 3)
    assert abs(int(frames[0].pixels[100, 80, 0]) - 60) < 5
    assert abs(int(frames[0].pixels[100, 250, 0]) - 180) < 5


def test_labels_are_drawn_where_there_is_room() -> None:
    a, b = plain(60).pixels, plain(180).pixels
    labelled = beside(a, b, ("sent", "received"))
    assert np.array_equal(labelled[40:], beside(a, b)[40:])
    assert not np.array_equal(labelled, beside(a, b))
    assert labelled[:20].max() == 255
    small = plain(60, size=(20, 20)).pixels
    assert np.array_equal(beside(small, small, ("sent", "received")), beside(small, small))


def test_streams_must_match(tmp_path: Path) -> None:
    with pytest.raises(BlockError, match="frame 0 left and frame 1 right; the streams are out of step"):
        run_block(SideBySideWriter(path=tmp_path / "a.mp4"), [plain(1)], [plain(1, 1)])
    with pytest.raises(BlockError, match="pictures side by side have one height, got 120 and 8"):
        run_block(SideBySideWriter(path=tmp_path / "a.mp4"), [plain(1)], [plain(1, size=(8, 8))])
    assert list(tmp_path.iterdir()) == []
