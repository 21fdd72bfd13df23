import math

import numpy as np
import pytest

from lgvsc_flow.blocks.semantic.loop import Entry, KeyframeLoop
from lgvsc_flow.blocks.semantic.scoring import FrameError, ScoreCounts
from lgvsc_flow.blocks.semantic.search import exact, gallop
from lgvsc_flow.items import Frame
from tests.blocks.semantic.plain import plain_loop

THRESHOLD = 0.35


class Cuts:
    """Knows cuts and keeps the parts it is given."""

    def __init__(self, cuts=()):
        self.cuts, self.parts = sorted(cuts), []

    def boundary_cut(self, start, stop):
        return next((c for c in self.cuts if start <= c <= stop), None)

    def add(self, part):
        self.parts.append(part)


class Scores:
    """A scorer over a function of two frame numbers; keeps the pairs it is asked about."""

    counts = ScoreCounts()

    def __init__(self, score):
        self.function, self.pairs = score, []

    def score(self, keyframe, candidates):
        self.pairs += [(keyframe.index, c.index) for c in candidates]
        return np.array([self.function(keyframe.index, c.index) for c in candidates])


def frame(index, content):
    return Frame(np.full((1, 2, 3), content, dtype=np.uint16).view(np.uint8), index, index / 25)


def run(loop, entries, rng):
    """Feed entries in chunks of random length; the longest line between two calls."""
    longest = 0
    while entries:
        size = int(rng.integers(1, 12))
        loop.extend(entries[:size])
        entries = entries[size:]
        longest = max(longest, len(loop.line))
    loop.finish(closing=False)
    return longest


@pytest.mark.parametrize("block", range(10))
def test_exact_gives_the_keyframes_of_the_plain_loop(block):
    for seed in range(100 * block, 100 * block + 100):
        rng = np.random.default_rng(seed)
        count, longest = int(rng.integers(1, 120)), int(rng.choice([1, 4, 13, 40, 250]))
        every = int(rng.integers(1, 8))
        sampled = [i % every == 0 for i in range(count)] if seed % 3 else list(rng.random(count) < 0.6)
        cuts = set(rng.integers(0, 120, rng.integers(0, 6)).tolist()) if seed % 2 else set()
        # Some frames repeat the picture of another one, near or far.
        contents = np.where(rng.random(count) < 0.25, rng.integers(0, count, count), np.arange(count))
        table = np.where(
            rng.random((count, count)) < rng.choice([0.0, 0.03, 0.3, 1.0]),
            rng.uniform(0.36, 1, (count, count)),
            rng.uniform(-1, 0.35, (count, count)),
        )
        score = lambda a, b, t=table, c=contents: float(t[c[a], c[b]])  # noqa: E731
        segmenter, scorer = Cuts(cuts), Scores(score)
        ahead = int(rng.integers(1, 20))
        loop = KeyframeLoop(
            scorer, segmenter, lambda n=ahead: exact(THRESHOLD, n), max_length=longest, refine_cuts=bool(seed % 2)
        )
        entries = [Entry(i, frame(i, contents[i]), bool(sampled[i])) for i in range(count)]
        held = run(loop, entries, rng)

        starts, calls = plain_loop(count, score, longest, sampled.__getitem__, cuts)
        assert [p.start for p in segmenter.parts] == starts, seed
        assert loop.keyframes == len(starts)
        assert held <= longest
        assert loop.judged == len(scorer.pairs)
        assert loop.judged - loop.wasted <= calls
        assert loop.wasted <= calls
        if len(set(contents)) == count:
            assert loop.judged - loop.wasted == calls
            assert loop.reused == 0
        for part in segmenter.parts:
            for offset, s_rel in enumerate(part.s_rel[1:], 1):
                position = part.start + offset
                expected = score(part.start, position) if sampled[position] else math.nan
                np.testing.assert_equal(s_rel, expected)


def test_identical_frames_are_judged_once_against_a_keyframe():
    scorer = Scores(lambda a, b: -1.0)
    loop = KeyframeLoop(scorer, Cuts(), lambda: exact(THRESHOLD, 8), max_length=10, refine_cuts=False)
    loop.extend([Entry(i, frame(i, 7), True) for i in range(100)])
    loop.finish(closing=True)
    assert scorer.pairs == [(0, 1)]
    assert (loop.judged, loop.wasted, loop.keyframes) == (1, 0, 11)


def test_what_is_judged_behind_a_keyframe_is_counted_as_waste():
    scorer = Scores(lambda a, b: 1.0 if b == 5 else -1.0)
    loop = KeyframeLoop(scorer, Cuts(), lambda: exact(THRESHOLD, 8), max_length=99, refine_cuts=False)
    loop.extend([Entry(i, frame(i, i), True) for i in range(9)])
    loop.finish(closing=False)
    # Batches of 1, 1, 2, 4 behind frame 0, the last of them three too far; then 6, 7, 8 behind frame 5.
    assert (loop.judged, loop.wasted) == (8 + 3, 3)


def test_a_search_may_ask_far_ahead_and_the_line_stays_short():
    scorer = Scores(lambda a, b: -1.0)
    segmenter = Cuts()
    loop = KeyframeLoop(scorer, segmenter, lambda: gallop(THRESHOLD, 64, 2), max_length=30, refine_cuts=False)
    held = run(loop, [Entry(i, frame(i, i), True) for i in range(300)], np.random.default_rng(0))
    assert held <= 30
    assert [p.start for p in segmenter.parts] == list(range(0, 300, 30))
    assert loop.judged < 120


def test_a_missing_score_is_an_error_or_a_frame_left_out():
    def loop(skip):
        scorer = Scores(lambda a, b: math.nan if b == 3 else -1.0)
        made = KeyframeLoop(
            scorer, Cuts(), lambda: exact(THRESHOLD, 8), max_length=99, refine_cuts=False, skip_failed=skip
        )
        made.extend([Entry(i, frame(i, i), True) for i in range(9)])
        made.finish(closing=False)
        return made

    with pytest.raises(FrameError, match=r"Scores gave no score for frame 3 \(0\.120 s\) against keyframe 0"):
        loop(skip=False)
    assert loop(skip=True).keyframes == 1


def test_a_scorer_that_fails_is_told_with_the_frame():
    def score(a, b):
        if b == 6:
            raise RuntimeError("the device went away")
        return -1.0

    loop = KeyframeLoop(Scores(score), Cuts(), lambda: exact(THRESHOLD, 8), max_length=99, refine_cuts=False)
    with pytest.raises(FrameError, match=r"scoring frame 6 \(0\.240 s\) against keyframe 0 .*: the device went away"):
        loop.extend([Entry(i, frame(i, i), True) for i in range(9)])
