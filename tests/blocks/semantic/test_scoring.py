import numpy as np
import pytest

from lgvsc_flow.blocks.semantic.psss import Description
from lgvsc_flow.blocks.semantic.scoring import PerFrameScorer
from lgvsc_flow.errors import ModelError


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
