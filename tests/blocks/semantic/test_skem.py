import math
from itertools import pairwise
from weakref import WeakSet

import numpy as np
import pytest

pytest.importorskip("cv2")

from lgvsc_flow.blocks.semantic import Skem, SkemCounts
from lgvsc_flow.blocks.semantic.cuts import LOOKAHEAD
from lgvsc_flow.blocks.semantic.psss import Description
from lgvsc_flow.blocks.semantic.skem import SEARCHES
from lgvsc_flow.errors import BlockError, FlowError, ModelError, SettingError
from lgvsc_flow.items import Frame
from lgvsc_flow.testing import run_block
from tests.blocks.semantic.plain import plain_loop


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
    assert starts(segments) == plain_loop(count, score, longest)[0]
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
    assert starts(segments) == plain_loop(50, score, sampled=lambda i: i % every == 0)[0]
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
        ({"judge": "oracle"}, r"Skem\.judge is 'embedded', 'minilm', .*; got 'oracle'"),
        ({"focus": " "}, r"Skem\.focus is empty; name general, main_object or background"),
        ({"search": "fast"}, r"Skem\.search is one of exact, pixel-gate, feature-gate, gallop, coarse-to-fine; got"),
        ({"strategy": "joint"}, r"Skem\.describer is 'embedded', and strategy='joint' needs a vision-language model"),
        ({"judge": "same"}, r"Skem\.describer is 'embedded', and judge='same' needs a vision-language model"),
        ({"on_describe_error": "hope"}, r"Skem\.on_describe_error is one of stop, skip; got 'hope'"),
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


ALL_SEARCHES = pytest.mark.parametrize("search", SEARCHES)


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("search", [s for s in SEARCHES if s != "feature-gate"])
def test_every_search_holds_few_frames_of_a_long_stream(search, every, describer, scripted_judge):
    judge = scripted_judge(lambda a, b: 0.5 if (a * 7 + b) % 97 == 0 else -1.0)
    settings = {"max_segment_length": 40, "frames_ahead": 8, "gallop_stride": 64, "sample_every": every}
    block = Skem(describer=describer, judge=judge, search=search, pixel_gate=0.001, **settings)
    alive: WeakSet[Frame] = WeakSet()
    block.start()
    most = starts = 0
    for i in range(1000):
        pixels = np.full((32, 48, 3), 90 + i // 16 % 40, dtype=np.uint8)
        pixels[0, 0] = i // 256, i % 256, 0
        frame = Frame(pixels, i, i / 25)
        alive.add(frame)
        starts += len(list(block.work(frame)))
        del frame
        most = max(most, len(alive))
    assert starts >= 7
    assert most <= 2 * 40 + LOOKAHEAD + 1


@ALL_SEARCHES
def test_every_search_tiles_the_video(search, describer, scripted_judge, numbered):
    if search == "feature-gate":
        pytest.importorskip("torch")
    judge = scripted_judge(random_score(3))
    block = Skem(describer=describer, judge=judge, search=search, pixel_gate=0.0, sample_every=2, closing=False)
    try:
        segments = run_block(block, numbered(90))
    except (ModelError, BlockError) as error:
        pytest.skip(str(error))
    assert [f.index for s in segments for f in s.frames] == list(range(90))
    for before, segment in pairwise(segments):
        assert segment.s_rel[0] > 0.35
        assert segment.s_rel[0] == pytest.approx(random_score(3)(before.start, segment.start))


def test_a_gate_keeps_what_hardly_differs_from_the_judge(describer, scripted_judge, numbered):
    frames = numbered(40)
    for f in frames[20:]:
        f.pixels[8:16, 8:16] = 250  # something small comes in
    block = Skem(describer=describer, judge=scripted_judge(lambda a, b: float(b >= 20 > a)), search="pixel-gate")
    assert starts(run_block(block, frames)) == [0, 20]
    assert describer.seen == [0, 20, 39]  # the last for the closing segment's caption
    counts = block.counts
    assert (counts.sampled, counts.gated, counts.judged) == (40, 38, 1)


def test_frozen_video_costs_one_description(describer, scripted_judge, numbered):
    frames = [Frame(numbered(1)[0].pixels.copy(), i, i / 25) for i in range(120)]
    block = Skem(describer=describer, judge=scripted_judge(lambda a, b: -0.9), max_segment_length=50)
    segments = run_block(block, frames)
    assert [s.start for s in segments] == [0, 50, 100, 119]
    assert describer.seen == [0]
    counts = block.counts
    assert (counts.sampled, counts.identical, counts.described) == (120, 119, 1)
    assert (counts.judged, counts.wasted) == (1, 0)


@pytest.mark.parametrize("seed", range(6))
def test_counts_add_up(seed, describer, scripted_judge, numbered):
    score = random_score(seed, events=0.2)
    block = Skem(describer=describer, judge=scripted_judge(score), closing=False)
    assert block.counts == SkemCounts()
    segments = run_block(block, numbered(80))
    counts = block.counts
    assert (counts.frames, counts.sampled, counts.described) == (80, 80, 80)
    assert counts.keyframes == len(segments)
    assert counts.judged - counts.wasted == 79  # each frame behind the first against one keyframe
    assert counts.wasted <= 79
    assert counts.as_dict()["judge"] == {}


@pytest.mark.parametrize("size", [1, 3, 4])
def test_no_more_is_judged_ahead_than_a_model_takes_at_once(size, describer, scripted_judge, numbered):
    judge = scripted_judge(random_score(2, events=0.1))
    judge.batch_size, sizes, answer = size, [], judge.judge

    def noted(keyframe, candidates, focus):
        sizes.append(len(candidates))
        return answer(keyframe, candidates, focus)

    judge.judge = noted
    block = Skem(describer=describer, judge=judge)
    run_block(block, numbered(80))
    assert max(sizes) == size
    assert (block.counts.wasted == 0) == (size == 1)


def test_dense_keyframes_waste_nothing(describer, scripted_judge, numbered):
    block = Skem(describer=describer, judge=scripted_judge(lambda a, b: 1.0))
    run_block(block, numbered(50))
    assert (block.counts.judged, block.counts.wasted) == (49, 0)


def test_a_function_of_two_texts_is_a_judge(describer, numbered):
    def judge(keyframe, candidate, focus):
        assert focus == "the weather"
        return (0.1, 0.8) if candidate.endswith("7") and keyframe == "frame 0" else (0.8, 0.1)

    block = Skem(describer=describer, judge=judge, focus="the weather", closing=False)
    assert starts(run_block(block, numbered(20))) == [0, 7]


def unable(describer, *numbers):
    """The describer, failing on the frames of these numbers."""

    def describe(frames, inner=describer.describe):
        found = inner(frames)
        if any(d.text == f"frame {n}" for d in found for n in numbers):
            raise RuntimeError("all tokens were padding")
        return found

    describer.describe = describe
    return describer


def test_a_describer_that_fails_stops_with_the_frame(describer, scripted_judge, numbered):
    block = Skem(describer=unable(describer, 23), judge=scripted_judge(lambda a, b: -1.0))
    with pytest.raises(
        BlockError, match=r"Skem, .*failed on frame 23 \(0\.920 s\): all tokens were padding; leave such"
    ):
        run_block(block, numbered(30))


def test_frames_that_cannot_be_described_are_left_out_on_request(describer, scripted_judge, numbered):
    judge = scripted_judge(lambda a, b: 1.0 if (a < 20) != (b < 20) else -1.0)
    block = Skem(describer=unable(describer, 20, 23), judge=judge, on_describe_error="skip", closing=False)
    segments = run_block(block, numbered(30))
    assert starts(segments) == [0, 21]
    assert math.isnan(segments[1].s_rel[2])
    assert (block.counts.failed, block.counts.described) == (2, 28)


def test_a_describer_without_words_stops_with_the_frame(scripted_judge, numbered):
    class Mute:
        def load(self):
            pass

        def describe(self, frames):
            return [Description("") for _ in frames]

    with pytest.raises(BlockError, match=r"Mute found no words for frame 0 \(0\.000 s\); leave such frames out"):
        run_block(Skem(describer=Mute(), judge=scripted_judge(lambda a, b: -1.0)), numbered(5))


def test_a_model_that_answers_neither_stops_with_the_frames(describer, numbered):
    def judge(keyframe, candidate, focus):
        raise ModelError("P(yes) + P(no) is 0.03, the floor is 0.5")

    with pytest.raises(
        BlockError, match=r"frame 1 \(0\.040 s\) against keyframe 0 \(0\.000 s\): P\(yes\) \+ P\(no\) is"
    ):
        run_block(Skem(describer=describer, judge=judge), numbered(5))


@pytest.mark.parametrize("times", [[0, math.nan], [0, math.inf], [3.0] * 60, [9 - i / 25 for i in range(60)]])
def test_times_that_do_not_go_up_are_refused_where_they_matter(times, describer, scripted_judge, numbered):
    frames = [Frame(f.pixels, f.index, t) for f, t in zip(numbered(len(times)), times, strict=True)]
    judge = scripted_judge(lambda a, b: -1.0)
    with pytest.raises(FlowError, match=r"sample_fps needs times that go up; sample by count, with sample_every"):
        run_block(Skem(describer=describer, judge=judge, sample_fps=4.6), frames)
    run_block(Skem(describer=describer, judge=judge), frames)


def test_samples_follow_uneven_times(describer, scripted_judge, numbered):
    times = [7.0, 7.01, 7.02, 7.4, 7.41, 9.0, 8.9, 9.19, 9.21, 9.6]
    frames = [Frame(f.pixels, f.index, t) for f, t in zip(numbered(10), times, strict=True)]
    run_block(Skem(describer=describer, judge=scripted_judge(lambda a, b: -1.0), sample_fps=5, closing=False), frames)
    assert describer.seen == [0, 3, 5, 8, 9]


def embedded(**settings):
    """A block of the embedded profile, or a skip."""
    pytest.importorskip("torch")
    block = Skem(**settings)
    try:
        block.start()
    except ModelError as error:
        pytest.skip(str(error))
    return block


def test_black_frames_are_a_scene_like_another():
    import cv2

    block = embedded()
    rng = np.random.default_rng(0)
    texture = cv2.resize(rng.integers(0, 256, (9, 16, 3), dtype=np.uint8), (160, 90), interpolation=cv2.INTER_CUBIC)
    black = np.zeros((90, 160, 3), dtype=np.uint8)
    only = run_block(block, [Frame(black, i, i / 25) for i in range(30)])
    assert [s.start for s in only] == [0, 29]
    assert (block.counts.described, block.counts.judged) == (1, 1)
    assert "dark" in only[0].caption
    frames = [Frame(black if 10 <= i < 20 else texture, i, i / 25) for i in range(30)]
    segments = run_block(block, frames)
    assert [s.start for s in segments] == [0, 10, 20, 29]
    assert all(math.isnan(v) or abs(v) <= 1 for s in segments for v in s.s_rel)
    assert block.counts.described == 2


def test_the_feature_gate_holds_few_frames_too():
    block = embedded(search="feature-gate", sample_every=5, max_segment_length=20, frames_ahead=4)
    alive: WeakSet[Frame] = WeakSet()
    most = 0
    for i in range(150):
        frame = Frame(np.full((32, 48, 3), 90 + i // 16 % 40, dtype=np.uint8), i, i / 25)
        alive.add(frame)
        list(block.work(frame))
        del frame
        most = max(most, len(alive))
    assert most <= 2 * 20 + LOOKAHEAD + 1
    assert block.counts.gated > 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "gpu"}, "Skem.device is auto, cpu, cuda, cuda:1 ..., mps or xpu; got 'gpu'"),
        ({"dtype": "half"}, "dtype"),
        ({"quantisation": "int2"}, "quantisation"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_settings_of_models_are_checked_when_the_block_is_built(settings, message):
    with pytest.raises(SettingError) as caught:
        Skem(**settings)
    assert message in str(caught.value)
