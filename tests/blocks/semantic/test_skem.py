import math
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("cv2")

from lgvsc_flow.blocks.semantic import Skem
from lgvsc_flow.errors import BlockError, FlowError, ModelError, SettingError
from lgvsc_flow.items import Frame
from lgvsc_flow.testing import run_block


def plain_loop(count, score, threshold, max_length=10**9, sampled=lambda i: True):
    """The paper's loop, one frame and one comparison at a time: starts of the segments."""
    keyframes = [0]
    for i in range(1, count):
        too_long = i - keyframes[-1] >= max_length
        if too_long or (sampled(i) and score(keyframes[-1], i) > threshold):
            keyframes.append(i)
    return keyframes


def random_score(seed, events=0.06):
    """Scores in -1 .. 1 that depend on both frames and mostly stay low."""

    def score(a, b):
        rng = np.random.default_rng((seed, a, b))
        return float(rng.uniform(0.36, 1) if rng.random() < events else rng.uniform(-1, 0.35))

    return score


def starts(segments):
    return [s.start for s in segments if not s.closing]


@pytest.mark.parametrize("seed", range(30))
def test_keyframes_are_those_of_the_plain_loop(seed, describer, scripted_judge, numbered):
    count, ahead, longest = 20 + seed * 3, 1 + seed % 9, (5, 17, 250)[seed % 3]
    score = random_score(seed, events=(0.02, 0.1, 0.5)[seed % 3])
    block = Skem(
        describer=describer, judge=scripted_judge(score), frames_ahead=ahead, max_segment_length=longest, closing=False
    )
    segments = run_block(block, numbered(count))
    assert starts(segments) == plain_loop(count, score, 0.35, longest)
    assert describer.seen == list(range(count))  # each once, in order
    assert math.isnan(segments[0].s_rel[0])
    for before, segment in pairwise(segments):
        split = before.stop - before.start == longest
        expected = math.nan if split else score(before.start, segment.start)
        np.testing.assert_allclose(segment.s_rel[0], expected, atol=1e-12)
    for segment in segments:
        expected = [score(segment.start, i) for i in range(segment.start + 1, segment.stop)]
        np.testing.assert_allclose(segment.s_rel[1:], expected, atol=1e-12)


def test_segments_tile_the_video_and_are_numbered(describer, scripted_judge, numbered):
    segments = run_block(Skem(describer=describer, judge=scripted_judge(random_score(1))), numbered(60))
    assert [s.index for s in segments] == list(range(len(segments)))
    assert [f.index for s in segments for f in s.frames] == list(range(60))


def test_the_last_frame_closes_the_video(describer, scripted_judge, numbered):
    block = Skem(describer=describer, judge=scripted_judge(lambda a, b: -1.0))
    *first, last = run_block(block, numbered(40))
    assert [(s.start, s.length, s.closing) for s in first] == [(0, 39, False)]
    assert (last.start, last.length, last.closing) == (39, 1, True)


def test_a_last_frame_that_is_a_keyframe_already_is_sent_once(describer, scripted_judge, numbered):
    block = Skem(describer=describer, judge=scripted_judge(lambda a, b: 1.0 if b == 9 else -1.0))
    assert [(s.start, s.length, s.closing) for s in run_block(block, numbered(10))] == [(0, 9, False), (9, 1, True)]


def test_one_frame_is_one_closing_segment(describer, scripted_judge, numbered):
    (only,) = run_block(Skem(describer=describer, judge=scripted_judge(lambda a, b: 0.0)), numbered(1))
    assert (only.length, only.closing, only.cut_at) == (1, True, None)
    assert only.caption == "frame 0"


def test_an_empty_stream_gives_nothing(describer, scripted_judge):
    assert run_block(Skem(describer=describer, judge=scripted_judge(lambda a, b: 0.0)), []) == []


@pytest.mark.parametrize("every", [2, 5])
def test_only_samples_are_described_and_judged(every, describer, scripted_judge, numbered):
    score = random_score(7, events=0.2)
    block = Skem(describer=describer, judge=scripted_judge(score), sample_every=every, closing=False)
    segments = run_block(block, numbered(50))
    assert starts(segments) == plain_loop(50, score, 0.35, sampled=lambda i: i % every == 0)
    assert describer.seen == list(range(0, 50, every))


def test_samples_by_frames_per_second_follow_the_frames_times(describer, scripted_judge, numbered):
    block = Skem(describer=describer, judge=scripted_judge(lambda a, b: -1.0), sample_fps=5)
    run_block(block, numbered(30, fps=30.0))
    assert describer.seen == [0, 6, 12, 18, 24, 29]  # the last for the closing segment's caption


def two_scenes(numbered, count, cut):
    dark, bright = numbered(cut), numbered(count)[cut:]
    pixels = [f.pixels for f in dark] + [np.maximum(f.pixels, np.uint8(0)) for f in bright]
    for p in pixels[cut:]:
        p[1:] = (200, 40, 60)
    return [Frame(p, i, i / 25) for i, p in enumerate(pixels)]


def test_between_samples_a_segment_starts_at_the_hard_cut(describer, scripted_judge, numbered):
    score = lambda a, b: 1.0 if (a < 13) != (b < 13) else -1.0  # noqa: E731
    for ahead in (1, 3, 16):
        block = Skem(describer=describer, judge=scripted_judge(score), sample_every=8, frames_ahead=ahead)
        assert starts(run_block(block, two_scenes(numbered, 30, 13))) == [0, 13]
    plain = Skem(describer=describer, judge=scripted_judge(score), sample_every=8, refine_cuts=False)
    segments = run_block(plain, two_scenes(numbered, 30, 13))
    assert starts(segments) == [0, 16]
    assert segments[0].cut_at == 13


def test_a_cut_at_the_end_of_a_segment_is_marked(describer, scripted_judge, numbered):
    score = lambda a, b: 1.0 if (a < 13) != (b < 13) else -1.0  # noqa: E731
    first, second, closing = run_block(
        Skem(describer=describer, judge=scripted_judge(score)), two_scenes(numbered, 30, 13)
    )
    assert (first.length, first.cut_at) == (13, 13)
    assert second.cut_at is None
    assert closing.cut_at is None


def test_captions_hold_text_and_motion(describer, scripted_judge, numbered):
    first, closing = run_block(Skem(describer=describer, judge=scripted_judge(lambda a, b: -1.0)), numbered(9))
    assert first.caption == "frame 4, still"
    assert closing.caption == "frame 8"


def test_a_segment_without_a_described_frame_has_a_caption(describer, scripted_judge, numbered):
    block = Skem(describer=describer, judge=scripted_judge(lambda a, b: -1.0), sample_every=10, max_segment_length=4)
    assert [s.caption.split(",")[0] for s in run_block(block, numbered(9))] == ["frame 0", "frame 4", "frame 8"]


def test_memory_is_bounded_by_the_longest_segment(describer, scripted_judge, numbered):
    block = Skem(describer=describer, judge=scripted_judge(lambda a, b: -1.0), max_segment_length=10, frames_ahead=4)
    block.start()
    held = 0
    for frame in numbered(200):
        list(block.work(frame))
        waiting = sum(len(p.frames) for p in block._segmenter._waiting)
        held = max(held, len(block._loop.line) + len(block._queue) + waiting)
    assert held <= 10 + 4 + 3


def test_frames_of_another_size_are_refused(describer, scripted_judge, numbered):
    frames = [*numbered(3), Frame(np.zeros((20, 30, 3), dtype=np.uint8), 3)]
    with pytest.raises(FlowError, match=r"frame 3 is 30x20, the frames before it are 48x32; put a Resize block"):
        run_block(Skem(describer=describer, judge=scripted_judge(lambda a, b: 0.0)), frames)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": math.nan}, r"Skem\.threshold is NaN"),
        ({"threshold": 1.5}, r"Skem\.threshold must be <= 1, got 1\.5"),
        ({"sample_every": 2, "sample_fps": 4.6}, r"Skem takes sample_every or sample_fps, not both; got 2 and 4\.6"),
        ({"judge": "oracle"}, r"judge is 'embedded', 'minilm' or an object with load and judge; got 'oracle'"),
        ({"describer": 7}, r"Skem\.describer needs the methods load and describe; got 7"),
        ({"focus": "background"}, "Skem.focus is 'background', but EmbeddingJudge answers only general; another focus"),
        ({"max_segment_length": 0}, r"Skem\.max_segment_length must be >= 1 frames, got 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        Skem(**settings)


def test_a_judge_that_answers_nonsense_stops_the_graph(describer, scripted_judge, numbered):
    block = Skem(describer=describer, judge=scripted_judge(lambda a, b: math.nan))
    with pytest.raises(
        (BlockError, ModelError),
        match=r"ScriptedJudge\.judge of frame 1 \(0\.040 s\) against .*p_yes and p_no must be",
    ):
        run_block(block, numbered(30))


@pytest.fixture(scope="module")
def bikes_segments(clip_frames):
    pytest.importorskip("torch")
    try:
        return run_block(Skem(), clip_frames("bikes"))
    except (ModelError, BlockError) as error:
        pytest.skip(str(error))


def test_bikes_opens_a_segment_at_every_hard_cut(bikes_segments):
    keyframes = [s.start for s in bikes_segments]
    assert {30, 76, 137, 187, 242} <= set(keyframes)
    assert len(keyframes) <= 14
    assert keyframes[-1] == 249
    assert {s.stop for s in bikes_segments if s.cut_at == s.length} == {30, 76, 137, 187, 242}


def test_bikes_keyframes_are_those_of_the_plain_loop(bikes_segments, clip_frames):
    from lgvsc_flow.blocks.semantic.embedded import EmbeddedDescriber, EmbeddingJudge
    from lgvsc_flow.blocks.semantic.psss import s_rel

    found = EmbeddedDescriber().describe([f.pixels for f in clip_frames("bikes")[:45]])
    judge = EmbeddingJudge()
    score = lambda a, b: float(s_rel(*judge.judge(found[a], [found[b]], "general"))[0])  # noqa: E731
    assert plain_loop(45, score, 0.35) == [s.start for s in bikes_segments if s.start < 45]


def test_bikes_captions_are_short_words(bikes_segments):
    assert all(5 <= len(s.caption) <= 80 for s in bikes_segments)
    assert any("taxicab" in s.caption for s in bikes_segments)
