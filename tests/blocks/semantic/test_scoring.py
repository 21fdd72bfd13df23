import numpy as np
import pytest

from lgvsc_flow.blocks.semantic.embedded import EmbeddingJudge
from lgvsc_flow.blocks.semantic.psss import Description, FunctionJudge
from lgvsc_flow.blocks.semantic.scoring import FrameError, PerFrameScorer, content_key
from lgvsc_flow.errors import MissingExtraError, ModelError
from lgvsc_flow.items import Frame


class Describes:
    """Gives the prepared descriptions, in order."""

    def __init__(self, descriptions):
        self.descriptions = list(descriptions)

    def load(self):
        pass

    def describe(self, frames):
        return [self.descriptions.pop(0) for _ in frames]


class Answers:
    def __init__(self, p_yes, p_no):
        self.answer = np.asarray(p_yes), np.asarray(p_no)

    def load(self):
        pass

    def judge(self, keyframe, candidates, focus):
        return self.answer


def test_every_frame_is_described_once(describer, scripted_judge, numbered):
    frames = numbered(6)
    scorer = PerFrameScorer(describer, scripted_judge(lambda a, b: (b - a) / 10))
    scorer.prepare(frames[:4])
    np.testing.assert_allclose(scorer.score(frames[0], frames[1:]), [0.1, 0.2, 0.3, 0.4, 0.5])
    np.testing.assert_allclose(scorer.score(frames[3], frames[4:]), [0.1, 0.2])
    assert describer.seen == [0, 1, 2, 3, 4, 5]
    assert (scorer.counts.described, scorer.counts.judged) == (6, 7)


def test_the_oldest_descriptions_are_forgotten(describer, numbered):
    scorer = PerFrameScorer(describer, remember=2)
    frames = numbered(3)
    scorer.prepare(frames)
    scorer.forget(2)
    scorer.prepare(frames)
    assert describer.seen == [0, 1, 2, 0]


def test_text_is_that_of_the_most_central_frame(numbered):
    near = [Description(f"near {i}", np.array([1.0, 0.1 * i], dtype=np.float32)) for i in range(3)]
    scorer = PerFrameScorer(Describes([Description("far", np.array([-1.0, 1.0], dtype=np.float32)), *near]))
    frames = numbered(4)
    scorer.prepare(frames)
    assert scorer.text(frames).startswith("near")


def test_text_without_embeddings_is_the_middle_one(describer, numbered):
    scorer = PerFrameScorer(describer)
    frames = numbered(5)
    assert scorer.text(frames) == ""
    scorer.prepare(frames)
    assert scorer.text(frames) == "frame 2"


def test_a_describer_that_loses_frames_is_named(numbered):
    with pytest.raises(ModelError, match=r"Lazy\.describe returned 0 descriptions of 2 frames"):
        PerFrameScorer(type("Lazy", (), {"describe": lambda self, frames: []})()).prepare(numbered(2))


@pytest.mark.parametrize("value", [np.nan, 1.5, -0.2])
def test_answers_that_are_no_probabilities_are_named(describer, numbered, value):
    frames = numbered(2)
    scorer = PerFrameScorer(describer, Answers([value], [0.1]))
    with pytest.raises(
        ModelError,
        match=r"Answers\.judge of frame 1 \(0\.040 s\) against .*: p_yes and p_no must be",
    ):
        scorer.score(frames[0], frames[1:])


def test_answers_of_another_number_are_named(describer, numbered):
    frames = numbered(3)
    with pytest.raises(ModelError, match=r"Answers\.judge answered \(1,\) and \(1,\) values for 2 pairs"):
        PerFrameScorer(describer, Answers([0.1], [0.1])).score(frames[0], frames[1:])


def same_pictures(numbered, *numbers):
    """Frames in a row that show the pictures of the given numbers."""
    pictures = numbered(max(numbers) + 1)
    return [Frame(pictures[n].pixels.copy(), i, i / 25) for i, n in enumerate(numbers)]


class Fails:
    """Describes like the scripted describer, but fails on one picture, whatever batch it is in."""

    def __init__(self, describer, number, error):
        self.inner, self.number, self.error = describer, number, error
        self.calls = 0

    def load(self):
        pass

    def describe(self, frames):
        self.calls += 1
        found = self.inner.describe(frames)
        if any(d.text == f"frame {self.number}" for d in found):
            raise self.error
        return found


def test_frames_of_the_same_pixels_share_a_description(describer, scripted_judge, numbered):
    frames = same_pictures(numbered, 4, 4, 2, 4, 2)
    scorer = PerFrameScorer(describer, scripted_judge(lambda a, b: (b - a) / 10))
    np.testing.assert_allclose(scorer.score(frames[0], frames[1:]), [0, -0.2, 0, -0.2])
    assert describer.seen == [4, 2]
    assert scorer.counts.described == 2


def test_pictures_of_other_shapes_or_strides_are_told_apart_by_what_they_show():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    wide = pixels.reshape(2, 8, 3)
    view = np.concatenate([pixels, pixels], axis=1)[:, :4]
    assert content_key(Frame(pixels, 0)) != content_key(Frame(wide, 1))
    assert content_key(Frame(pixels, 0)) == content_key(Frame(view, 2))


def test_the_frame_that_cannot_be_described_is_named(describer, scripted_judge, numbered):
    scorer = PerFrameScorer(Fails(describer, 3, RuntimeError("no such token")), scripted_judge(lambda a, b: 0.0))
    with pytest.raises(FrameError) as caught:
        scorer.prepare(numbered(6))
    assert str(caught.value) == (
        "Fails failed on frame 3 (0.120 s): no such token; leave such frames out with "
        'on_describe_error="skip", or use another describer'
    )
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_frame_that_cannot_be_described_may_be_left_out(describer, scripted_judge, numbered):
    fails = Fails(describer, 3, RuntimeError("no such token"))
    scorer = PerFrameScorer(fails, scripted_judge(lambda a, b: b / 10), skip_failed=True)
    frames = numbered(6)
    np.testing.assert_allclose(scorer.score(frames[0], frames[1:]), [0.1, 0.2, np.nan, 0.4, 0.5])
    calls = fails.calls
    scorer.score(frames[0], frames[1:])
    assert fails.calls == calls  # what failed is not tried again
    assert (scorer.counts.described, scorer.counts.failed, scorer.counts.judged) == (5, 1, 8)


def test_a_keyframe_cannot_be_left_out(describer, scripted_judge, numbered):
    fails = Fails(describer, 0, ValueError("too dark"))
    frames = numbered(3)
    with pytest.raises(FrameError, match=r"frame 0 \(0\.000 s\) is a keyframe and cannot do without .*: too dark"):
        PerFrameScorer(fails, scripted_judge(lambda a, b: 0.0), skip_failed=True).score(frames[0], frames[1:])


@pytest.mark.parametrize(
    "error",
    [MemoryError("2 GiB"), ModelError("reading: out of memory; set it"), MissingExtraError("a", "b", "c")],
)
def test_what_is_no_single_frames_fault_is_not_tried_again(describer, numbered, error):
    fails = Fails(describer, 3, error)
    with pytest.raises(type(error)) as caught:
        PerFrameScorer(fails, skip_failed=True).prepare(numbered(6))
    assert caught.value is error
    assert fails.calls == 1


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_description_without_words_is_an_error_for_a_judge_that_reads(numbered, text):
    frames = numbered(2)
    bare, seen = Description(text), Description(text, np.ones(3, dtype=np.float32))
    reads = FunctionJudge(lambda a, b, focus: (0.9, 0.1))
    for given, judge in ((bare, reads), (seen, reads), (bare, EmbeddingJudge())):
        with pytest.raises(FrameError, match=r"Describes found no words for frame 0 \(0\.000 s\); leave such"):
            PerFrameScorer(Describes([given] * 2), judge).prepare(frames)
    scores = PerFrameScorer(Describes([seen] * 2), EmbeddingJudge()).score(frames[0], frames[1:])
    assert scores[0] < -0.9  # the same embedding


def test_a_pair_that_the_judge_cannot_answer_is_named(describer, numbered):
    def judge(keyframe, candidate, focus):
        if candidate == "frame 4":
            raise ModelError("answers neither yes nor no: P(yes) + P(no) = 0.02")
        return 0.8, 0.1

    frames = numbered(6)
    with pytest.raises(FrameError) as caught:
        PerFrameScorer(describer, FunctionJudge(judge)).score(frames[1], frames[2:])
    assert str(caught.value) == (
        "FunctionJudge.judge of frame 4 (0.160 s) against keyframe 1 (0.040 s): answers neither yes nor no: "
        "P(yes) + P(no) = 0.02"
    )


def test_counts_of_the_models_are_handed_on(describer, scripted_judge, numbered):
    describer.counts = {"generated_tokens": 12}
    assert PerFrameScorer(describer).counts.describer == {"generated_tokens": 12}
    assert PerFrameScorer(describer, scripted_judge(lambda a, b: 0.0)).counts.judge == {}
