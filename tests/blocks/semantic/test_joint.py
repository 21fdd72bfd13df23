import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("PIL")

from lgvsc_flow.blocks.semantic.chat import IMAGE  # noqa: E402
from lgvsc_flow.blocks.semantic.joint import DESCRIBE_BOTH, JointScorer, two_descriptions  # noqa: E402
from lgvsc_flow.blocks.semantic.psss import BACKGROUND, Description  # noqa: E402
from lgvsc_flow.blocks.semantic.scoring import FrameError, Scorer  # noqa: E402
from lgvsc_flow.blocks.semantic.vlm import VlmDescriber  # noqa: E402
from lgvsc_flow.errors import ModelError  # noqa: E402
from lgvsc_flow.items import Frame  # noqa: E402

FAMILIES = ["internvl", "qwen3_vl", "qwen2_5_vl", "smolvlm", "idefics3", "checkpoint"]
TWO = "Image 1: A red car. Image 2: A dog."


def frames(count: int = 4) -> list[Frame]:
    draw = [np.random.default_rng(n).integers(0, 256, (60, 90, 3), dtype=np.uint8) for n in range(count)]
    return [Frame(p, i, i / 10) for i, p in enumerate(draw)]


def scorer(vlm_folder, family="internvl", focus="general", judge=None, **settings) -> JointScorer:
    describer = VlmDescriber(vlm_folder(family), max_new_tokens=4, dtype="float32", **settings)
    return JointScorer(describer, focus, judge, floor=0)


class Reader:
    """A judge of texts that keeps what it read."""

    def __init__(self) -> None:
        self.read: list[tuple[str, str, str]] = []

    def load(self) -> None:
        pass

    def judge(self, keyframe, candidates, focus):
        self.read += [(keyframe.text, c.text, focus) for c in candidates]
        same = np.array([float(keyframe.text == c.text) for c in candidates])
        return same, 1 - same


@pytest.mark.parametrize("family", FAMILIES)
def test_the_second_round_over_the_cache_is_the_whole_conversation(vlm_folder, family):
    joint = scorer(vlm_folder, family, focus="background")
    key, *others = frames(3)
    found = joint.score(key, others)
    eyes = joint.describer.eyes()
    turns = [("user", ["Image 1: ", IMAGE, "\nImage 2: ", IMAGE, "\n" + DESCRIBE_BOTH])]
    for frame, score in zip(others, found, strict=True):
        first = eyes.encode(eyes.chat.render(turns), [key.pixels, frame.pixels])
        logits, context = eyes.language.read(None, [first.ids], first.images)
        (answer,), _ = eyes.language.decode(logits, context, 8)
        rest = eyes.chat.encode(eyes.chat.between(turns, [("user", [BACKGROUND])]), begins=False)
        logits, _ = eyes.language.read(None, [first.ids + answer + rest], first.images)  # one pass, no cache
        p_yes, p_no = eyes.language.ask(logits, 0)
        np.testing.assert_allclose(p_no[0] - p_yes[0], score, atol=2e-5 if family != "checkpoint" else 1e-3, rtol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pair_has_the_same_bits_whatever_was_asked_before(vlm_folder, family):
    key, a, b, c = frames()
    together = scorer(vlm_folder, family).score(key, [a, b, c])
    fresh = scorer(vlm_folder, family)
    for n, frame in ((2, c), (0, a)):
        assert fresh.score(key, [frame])[0] == together[n]
        fresh.score(b, [a])
        fresh.score(c, [a])


@pytest.mark.parametrize("family", FAMILIES)
def test_batches_agree_with_single_pairs(vlm_folder, family):
    key, *others = frames()
    alone, batched = scorer(vlm_folder, family), scorer(vlm_folder, family, batch_size=3)
    np.testing.assert_allclose(
        batched.score(key, others), alone.score(key, others), atol=2e-5 if family != "checkpoint" else 1e-3, rtol=1e-3
    )
    assert alone.counts.described == batched.counts.described == 3
    assert alone.counts.describer["prompt_tokens"] == batched.counts.describer["prompt_tokens"]


def test_the_keyframe_and_what_was_judged_are_not_computed_again(vlm_folder):
    joint = scorer(vlm_folder)
    assert isinstance(joint, Scorer)
    key, a, b, _ = frames()
    twin = Frame(a.pixels.copy(), 9, 0.9)
    joint.load()
    joint.prepare([key, a, b])
    first = joint.score(key, [a, twin, b])
    assert first[0] == first[1]
    assert joint.counts.judged == joint.counts.described == 2
    calls = joint.counts.describer["calls"]
    assert calls == 1 + 2 * 2  # the prefix, and two rounds of two pairs
    assert np.array_equal(joint.score(key, [b, a]), first[[2, 0]])
    assert joint.counts.describer["calls"] == calls
    assert joint.counts.describer["reused_tokens"] > 0
    joint.forget(99)
    assert joint.counts.judged == 2


def test_the_focus_changes_the_answer(vlm_folder):
    key, a, *_ = frames()
    general, background = (scorer(vlm_folder, focus=f).score(key, [a])[0] for f in ("general", "background"))
    assert general != background


def test_another_judge_reads_the_two_descriptions(vlm_folder, monkeypatch):
    reader = Reader()
    joint = scorer(vlm_folder, judge=reader, focus="main_object")
    monkeypatch.setattr("lgvsc_flow.blocks.semantic.joint.words", lambda eyes, answer: TWO)
    key, a, *_ = frames()
    assert joint.score(key, [a]).tolist() == [1.0]
    assert reader.read == [("A red car.", "A dog.", "main_object")]
    assert joint.text([key]) == "A red car."
    assert joint.text([key, a]) == "A dog."
    assert joint.counts.describer["unparsed"] == 0


def test_an_answer_without_two_descriptions_has_both_frames_described_alone(vlm_folder):
    reader = Reader()
    joint = scorer(vlm_folder, judge=reader)
    key, a, b, _ = frames()
    joint.score(key, [a, b])
    own = [d.text for d in joint.describer.describe([f.pixels for f in (key, a, b)])]
    assert reader.read == [(own[0], own[1], "general"), (own[0], own[2], "general")]
    assert joint.counts.describer["unparsed"] == 2


def test_a_segment_no_pair_looked_at_is_described_by_its_first_frame(vlm_folder):
    joint = scorer(vlm_folder)
    only = frames(1)
    assert joint.text(only) == joint.describer.describe([only[0].pixels])[0].text != ""
    assert joint.text([]) == ""


def test_a_failure_names_keyframe_and_frame_or_is_left_out(vlm_folder):
    key, a, b, _ = frames()
    bad = Frame(np.zeros((60, 90), np.uint8), 7, 0.7)
    with pytest.raises(
        FrameError, match=r"joint round of keyframe 0 \(0\.000 s\) and frame 7 \(0\.700 s\): .* one size"
    ):
        scorer(vlm_folder).score(key, [a, bad, b])
    lenient = JointScorer(VlmDescriber(vlm_folder("internvl"), max_new_tokens=2), floor=0, skip_failed=True)
    assert np.isnan(lenient.score(key, [a, bad, b])).tolist() == [False, True, False]
    assert lenient.counts.failed == 1


def test_less_mass_than_the_floor_is_an_error(vlm_folder):
    key, a, *_ = frames()
    with pytest.raises(ModelError, match=r"answers neither yes nor no: .* below the floor of 0\.5"):
        JointScorer(VlmDescriber(vlm_folder("internvl"), max_new_tokens=2)).score(key, [a])


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        (TWO, ("A red car.", "A dog.")),
        ("Image 1: A car.\n\nImage 2: A dog on image 1's lawn.", ("A car.", "A dog on image 1's lawn.")),
        ("**Image-1:** A car\n**Image-2:** A dog", ("A car", "A dog")),
        ("Description 1: A car. Description 2: A dog.", ("A car.", "A dog.")),
        ("Sure! Image 1: A car. Image 2 - A dog.", ("A car.", "A dog.")),
        ("Both images show a car.", None),
        ("Image 1: A car. Image 2:", None),
        ("Image 2: A dog.", None),
        ("Image 1: ... Image 20: x", None),
        ("", None),
    ],
)
def test_two_descriptions_are_told_apart_or_not(text, pair):
    assert two_descriptions(text) == pair


def test_its_descriptions_are_plain():
    assert Description("a").embedding is None
