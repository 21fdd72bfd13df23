import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lgvsc_flow.blocks.video import TestScene, VideoFile, VideoWriter, count_frames, probe
from lgvsc_flow.errors import BlockError, MediaError, SettingError
from lgvsc_flow.testing import run_block


def cut_short(path: Path, share: float = 0.6) -> Path:
    """A copy of a file with its end missing."""
    part = path.with_name(f"cut_{path.name}")
    part.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return part


def test_frames_come_in_order_with_index_and_time(make_video: Any) -> None:
    path = make_video("a.mp4", count=7, fps=Fraction(30000, 1001))
    frames = run_block(VideoFile(path=path))
    assert [f.index for f in frames] == list(range(7))
    assert frames[3].time_s == pytest.approx(3 * 1001 / 30000, abs=1e-4)
    assert frames[0].pixels.shape == (48, 64, 3)
    assert frames[0].pixels.dtype == np.uint8
    info = probe(path)
    assert (info.height, info.width, info.fps, info.num_frames) == (48, 64, Fraction(30000, 1001), 7)
    assert count_frames(path) == 7


def test_max_frames(make_video: Any) -> None:
    path = make_video("a.mp4", count=7)
    assert len(run_block(VideoFile(path=path, max_frames=3))) == 3
    assert count_frames(path, max_frames=3) == 3
    assert count_frames(path, max_frames=9) == 7


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.ts", "libx264"), ("a.webm", "libvpx-vp9")]
)
def test_other_containers(make_video: Any, name: str, codec: str) -> None:
    frames = run_block(VideoFile(path=make_video(name, count=9, codec=codec)))
    assert len(frames) == 9
    assert frames[0].time_s == 0
    assert frames[8].time_s == pytest.approx(8 / 25, abs=2e-3)


def test_one_frame_and_odd_sizes(make_video: Any, tmp_path: Path) -> None:
    assert len(run_block(VideoFile(path=make_video("one.mp4", count=1)))) == 1
    odd = make_video("odd.mkv", count=3, size=(49, 63), codec="ffv1")
    assert run_block(VideoFile(path=odd))[0].pixels.shape == (49, 63, 3)


def test_colours_are_right(tmp_path: Path) -> None:
    frames = run_block(TestScene(height=64, width=64, count=3, scenes=1))
    run_block(VideoWriter(path=tmp_path / "a.mp4", crf=1), frames)
    back = run_block(VideoFile(path=tmp_path / "a.mp4"))
    assert np.abs(frames[1].pixels.astype(int) - back[1].pixels).mean() < 2.5


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_rotation_is_respected(make_video: Any, rotation: int, turns: int) -> None:
    plain = run_block(VideoFile(path=make_video("a.mp4", count=2)))
    turned_path = make_video("b.mp4", count=2, rotation=rotation)
    turned = run_block(VideoFile(path=turned_path))
    assert np.array_equal(turned[1].pixels, np.rot90(plain[1].pixels, turns))
    assert (probe(turned_path).height, probe(turned_path).width) == turned[0].pixels.shape[:2]


def test_missing_folder_empty_and_unreadable_files(tmp_path: Path) -> None:
    cases = {"missing.mp4": r"missing.mp4': no such file. Check the path", ".": "is no file. Give the path of a video"}
    (tmp_path / "empty.mp4").touch()
    cases["empty.mp4"] = r"empty.mp4' is empty \(0 bytes\). Fetch it again"
    (tmp_path / "text.mp4").write_text("not a video\n" * 100)
    (tmp_path / "text.txt").write_text("not a video\n" * 100)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\n/etc/hostname\n")
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(9000))
    for name in ("text.mp4", "text.txt", "list.m3u8", "noise.mp4"):
        cases[name] = f"{name}' is no video file that can be read"
    for name, message in cases.items():
        with pytest.raises(MediaError, match=message):
            probe(tmp_path / name)
        with pytest.raises(MediaError, match=message):
            count_frames(tmp_path / name)
        with pytest.raises(BlockError, match=message):
            run_block(VideoFile(path=tmp_path / name))


def test_only_sound(make_sound: Any) -> None:
    with pytest.raises(MediaError, match=r"sound.mp4' has no video stream, only sound. Give a file with a video"):
        probe(make_sound("sound.mp4"))


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.ts", "libx264")]
)
def test_truncated_files(make_video: Any, name: str, codec: str) -> None:
    path = cut_short(make_video(name, faststart=name.endswith("mp4"), codec=codec))
    with pytest.raises(
        MediaError, match=r"is truncated or damaged: it breaks off after \d+.* frames; .*Fetch it again"
    ):
        count_frames(path)
    with pytest.raises(BlockError, match=r"on_truncated='stop'"):
        run_block(VideoFile(path=path))
    block = VideoFile(path=path, on_truncated="stop")
    frames = run_block(block)
    assert 5 < len(frames) < 30
    assert "is truncated or damaged" in block.truncated
    assert count_frames(path, on_truncated="stop") == len(frames)


def test_a_truncated_file_is_fine_up_to_where_it_is_whole(make_video: Any) -> None:
    path = cut_short(make_video("a.mp4", faststart=True))
    assert len(run_block(VideoFile(path=path, max_frames=5))) == 5


def test_an_index_at_the_missing_end(make_video: Any) -> None:
    with pytest.raises(MediaError, match="its beginning or its index is damaged"):
        probe(cut_short(make_video("a.mp4")))


def test_damage_in_the_middle_does_not_pass_for_a_whole_video(make_video: Any) -> None:
    path = make_video("a.mp4", faststart=True)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(4000)
    path.write_bytes(data)
    with pytest.raises(MediaError, match="is truncated or damaged"):
        count_frames(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(make_video: Any) -> None:
    path = make_video("a.mp4", count=1)
    path.chmod(0)
    with pytest.raises(MediaError, match="may not be read"):
        probe(path)


def test_settings() -> None:
    with pytest.raises(SettingError, match="max_frames must be >= 1"):
        VideoFile(path="a.mp4", max_frames=0)
    with pytest.raises(SettingError, match="on_truncated is one of error, stop"):
        VideoFile(path="a.mp4", on_truncated="skip")
