"""SKEM of the embedded profile on real clips; one that is not installed is skipped."""

import hashlib
import math
import os
from itertools import islice
from pathlib import Path
from typing import ClassVar

import pytest

pytest.importorskip("cv2")

from lgvsc_flow.blocks.semantic import EmbeddedDescriber, EmbeddingJudge, Skem, s_rel
from lgvsc_flow.blocks.semantic.cuts import find_cuts
from lgvsc_flow.blocks.semantic.psss import Description
from lgvsc_flow.errors import MissingExtraError, ModelError
from lgvsc_flow.items import Frame
from lgvsc_flow.testing import run_block
from tests.blocks.semantic.plain import plain_loop


class Remembers:
    """The embedded describer; what it has described in this module is not computed again."""

    found: ClassVar[dict[bytes, Description]] = {}

    def __init__(self):
        self.inner = EmbeddedDescriber()

    def load(self):
        try:
            self.inner.load()
        except (ModelError, MissingExtraError) as error:
            pytest.skip(str(error))

    def describe(self, frames):
        self.load()
        keys = [hashlib.sha256(f.tobytes()).digest() for f in frames]
        new = {k: f for k, f in zip(keys, frames, strict=True) if k not in self.found}
        self.found.update(zip(new, self.inner.describe(list(new.values())), strict=True))
        return [self.found[k] for k in keys]


def embedded_score(frames):
    """S_rel by the embedded describer and judge, of two frames by their numbers."""
    describer, judge = Remembers(), EmbeddingJudge()

    def score(a, b):
        first, second = describer.describe([frames[a].pixels, frames[b].pixels])
        return float(s_rel(*judge.judge(first, [second], "general"))[0])

    return score


@pytest.fixture(scope="module")
def bikes_segments(clip_frames):
    pytest.importorskip("torch")
    return run_block(Skem(describer=Remembers()), clip_frames("bikes"))


def test_bikes_opens_a_segment_at_every_hard_cut(bikes_segments):
    keyframes = [s.start for s in bikes_segments]
    assert {30, 76, 137, 187, 242} <= set(keyframes)
    assert len(keyframes) <= 14
    assert keyframes[-1] == 249
    assert {s.stop for s in bikes_segments if s.cut_at == s.length} == {30, 76, 137, 187, 242}


def test_bikes_keyframes_are_those_of_the_plain_loop(bikes_segments, clip_frames):
    keyframes, _ = plain_loop(250, embedded_score(clip_frames("bikes")))
    assert [s.start for s in bikes_segments][:-1] == keyframes


def test_bikes_captions_are_short_words(bikes_segments):
    assert all(5 <= len(s.caption) <= 80 for s in bikes_segments)
    assert any("taxicab" in s.caption for s in bikes_segments)


def vtest_frames():
    """The first 200 frames of OpenCV's vtest.avi, from the Debian package opencv-doc or a named place."""
    av = pytest.importorskip("av")
    path = Path(os.environ.get("LGVSC_FLOW_VTEST", "/usr/share/doc/opencv-doc/examples/data/vtest.avi"))
    if not path.is_file():
        pytest.skip(f"{path} is not here: install the Debian package opencv-doc or set LGVSC_FLOW_VTEST")
    with av.open(str(path)) as container:
        decoded = islice(container.decode(video=0), 200)
        return [Frame(f.to_ndarray(format="rgb24"), i, float(f.time)) for i, f in enumerate(decoded)]


@pytest.mark.parametrize("clip", ["bikes", "carphone_pristine", "bigbuckbunny", "vtest"])
def test_clips_sampled_at_the_papers_rate(clip, clip_frames):
    pytest.importorskip("torch")
    frames = vtest_frames() if clip == "vtest" else clip_frames(clip)
    block = Skem(describer=Remembers(), sample_fps=4.6)
    segments = run_block(block, frames)
    keyframes = [s.start for s in segments]

    ticks = [math.floor(f.time_s * 4.6 + 1e-6) for f in frames]
    sampled = lambda i: i == 0 or ticks[i] > max(ticks[:i])  # noqa: E731
    cuts = find_cuts([f.pixels for f in frames])
    plain, calls = plain_loop(len(frames), embedded_score(frames), 250, sampled, cuts)
    assert keyframes == (plain if plain[-1] == len(frames) - 1 else [*plain, len(frames) - 1])
    counts = block.counts
    assert counts.judged - counts.wasted == calls
    # Each sample once, and the keyframes that are none: at a hard cut, and the closing one.
    assert counts.described == counts.sampled + sum(not sampled(k) for k in keyframes)

    if clip == "bikes":
        assert {30, 76, 137, 187, 242} <= set(keyframes)  # the five hard cuts, to the frame
        soft = ((45, 66), (86, 105), (205, 215))  # giving way to a taxi, hidden by a van, a pedestrian leaves
        assert sum(any(a <= k <= b for k in keyframes) for a, b in soft) >= 2
    elif clip != "bigbuckbunny":
        assert len(keyframes) <= 3


def test_the_profile_by_name_gives_the_same(bikes_segments, clip_frames):
    block = Skem(sample_fps=4.6)
    assert [s.start for s in run_block(block, clip_frames("bikes")[:100])] == [0, 30, 66, 76, 98, 99]
