import sys
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lgvsc_flow.blocks.video import SideBySideWriter, VideoFile, VideoWriter
from lgvsc_flow.blocks.video.decode import decode
from lgvsc_flow.errors import BlockError, MediaError
from lgvsc_flow.testing import run_block


def test_says_which_extra_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(BlockError, match=r"VideoFile needs av: pip install 'lgvsc-flow\[video\]'"):
        run_block(VideoFile(path=tmp_path / "a.mp4"))
    with pytest.raises(BlockError, match=r"VideoWriter needs av: pip install 'lgvsc-flow\[video\]'"):
        run_block(VideoWriter(path=tmp_path / "a.mp4"), [])
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(BlockError, match=r"SideBySideWriter needs opencv-python-headless: pip install"):
        run_block(SideBySideWriter(path=tmp_path / "a.mp4"), [], [])


def test_a_file_is_closed_when_nobody_reads_on(make_video: Any) -> None:
    path = make_video("a.mp4", count=5)
    frames = decode(path)
    next(frames)
    frames.close()
    with pytest.raises(StopIteration):
        next(frames)


def test_a_picture_is_no_video(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "a.png"
    codec = av.CodecContext.create("png", "w")
    codec.width = codec.height = 16
    codec.pix_fmt, codec.time_base = "rgb24", Fraction(1, 25)
    path.write_bytes(b"".join(bytes(p) for p in codec.encode(av.VideoFrame(16, 16, "rgb24"))))
    with pytest.raises(MediaError, match=r"a.png' is no video file that can be read"):
        next(decode(path))


def test_frames_beyond_the_limit_are_refused(make_video: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_video("a.mp4", count=2, size=(48, 64))
    monkeypatch.setattr("lgvsc_flow.blocks.video.decode._MAX_PIXELS", 48 * 63)
    with pytest.raises(MediaError, match="no frame of it can be decoded"):
        next(decode(path))


def test_bytes_flipped_at_random_never_give_another_error(make_video: Any) -> None:
    path, rng = make_video("a.mp4", faststart=True), np.random.default_rng(2)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(40):
        damaged = whole.copy()
        damaged[rng.integers(0, min(len(whole), 3000), 20)] = rng.integers(0, 256, 20)
        path.write_bytes(damaged.tobytes())
        with suppress(MediaError):
            assert len(list(decode(path))) == 30


def test_an_unknown_codec(make_video: Any) -> None:
    path = make_video("a.mp4")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(MediaError, match=r"a.mp4' is coded in a format that this FFmpeg does not know"):
        next(decode(path))
