from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("PIL")

from lgvsc_flow.blocks.semantic.chat import IMAGE  # noqa: E402
from lgvsc_flow.blocks.semantic.joint import JointScorer  # noqa: E402
from lgvsc_flow.blocks.semantic.llm import LlmJudge  # noqa: E402
from lgvsc_flow.blocks.semantic.psss import Describer  # noqa: E402
from lgvsc_flow.blocks.semantic.skem import Skem  # noqa: E402
from lgvsc_flow.blocks.semantic.vlm import VlmDescriber, words  # noqa: E402
from lgvsc_flow.errors import ModelError, SettingError  # noqa: E402
from lgvsc_flow.items import Frame, Segment  # noqa: E402

FAMILIES = ["internvl", "qwen3_vl", "qwen2_5_vl", "smolvlm", "idefics3", "checkpoint"]
FRAMES = [np.random.default_rng(n).integers(0, 256, (60, 90, 3), dtype=np.uint8) for n in range(4)]


def texts(describer: VlmDescriber, frames=FRAMES) -> list[str]:
    return [d.text for d in describer.describe(frames)]


@pytest.mark.parametrize("family", FAMILIES)
def test_decoding_is_that_of_the_library(vlm_folder, family):
    describer = VlmDescriber(vlm_folder(family), max_new_tokens=12, dtype="float32")
    found = texts(describer, FRAMES[:2])
    eyes = describer.eyes()
    text = eyes.chat.render([("user", [IMAGE, describer.prompt])])
    for frame, mine in zip(FRAMES, found, strict=False):
        encoded = eyes.encode(text, [frame])
        ids = torch.tensor([encoded.ids], device=eyes.language.device)
        inputs = {**encoded.images, "mm_token_type_ids": (ids == eyes._image_token).int()}
        model = eyes.language.model
        if eyes.language._planes is None:
            del inputs["mm_token_type_ids"]
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False,
            eos_token_id=sorted(eyes.language.stops), pad_token_id=eyes.language._pad, **inputs,
        )  # fmt: skip
        answer = [t for t in out[0, ids.shape[1] :].tolist() if t not in eyes.language.stops]
        assert words(eyes, answer) == mine


@pytest.mark.parametrize("family", FAMILIES)
def test_batches_padded_on_the_left_describe_alike(vlm_folder, family):
    alone = VlmDescriber(vlm_folder(family), max_new_tokens=6, dtype="float32")
    batched = VlmDescriber(vlm_folder(family), max_new_tokens=6, dtype="float32", batch_size=3)
    assert texts(alone) == texts(batched)
    assert (alone.counts.calls, batched.counts.calls) == (4, 2)
    assert alone.counts.prompt_tokens == batched.counts.prompt_tokens
    assert alone.counts.generated_tokens == batched.counts.generated_tokens > 0


@pytest.mark.parametrize("family", FAMILIES[:-1])
def test_rows_of_different_lengths_have_the_logits_of_single_ones(vlm_folder, family):
    eyes = VlmDescriber(vlm_folder(family)).eyes()
    asked = [
        eyes.encode(eyes.chat.render([("user", [IMAGE, t])]), [f])
        for t, f in zip(("a", "a red one?"), FRAMES, strict=False)
    ]
    alone = [eyes.language.read(None, [e.ids], e.images)[0] for e in asked]
    images = {k: torch.cat([e.images[k] for e in asked]) for k in asked[0].images}
    together, context = eyes.language.read(None, [e.ids for e in asked], images)
    assert len(asked[0].ids) != len(asked[1].ids)
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-4)
    assert context.mask[0, 0] == 0  # the shorter is padded in front


def test_the_pictures_are_seen(vlm_folder):
    describer = VlmDescriber(vlm_folder("internvl"), max_new_tokens=6)
    assert isinstance(describer, Describer)
    assert len(set(texts(describer))) > 1


def test_a_description_ends_at_a_stop_token_and_may_be_empty(vlm_folder):
    describer = VlmDescriber(vlm_folder("internvl"), max_new_tokens=6)
    (full,) = texts(describer, FRAMES[:1])
    language = describer.eyes().language
    before = language.counts.generated_tokens
    encoded = describer.eyes().encode(describer.eyes().chat.render([("user", [IMAGE, describer.prompt])]), FRAMES[:1])
    first = int(language.read(None, [encoded.ids], encoded.images)[0].argmax())
    language.stops = frozenset({first})
    assert full != ""
    assert texts(describer, FRAMES[:1]) == [""]
    assert language.counts.generated_tokens == before


def test_control_tokens_white_space_and_hidden_reasoning_are_left_out(vlm_folder):
    eyes = VlmDescriber(vlm_folder("qwen3_vl")).eyes()
    ids = eyes.chat.encode("<think>\nhm\n</think>\n\n a  red\n square<|im_end|>")
    assert words(eyes, ids) == "a red square"


def test_black_and_frozen_frames_are_frames(vlm_folder):
    describer = VlmDescriber(vlm_folder("smolvlm"), max_new_tokens=4)
    black, grey = np.zeros((60, 90, 3), np.uint8), np.full((60, 90, 3), 128, np.uint8)
    found = texts(describer, [black, grey, black])
    assert found[0] == found[2]


def test_no_frames_are_no_work(vlm_folder):
    describer = VlmDescriber(vlm_folder("internvl"))
    assert describer.describe([]) == []
    assert describer.counts.calls == 0


@pytest.mark.parametrize("setting", ["max_new_tokens", "batch_size", "tiles"])
def test_settings_are_checked_when_it_is_built(setting):
    with pytest.raises(SettingError, match=f"VlmDescriber.{setting} must be >= 1, got 0"):
        VlmDescriber(**{setting: 0})
    with pytest.raises(SettingError, match=r"VlmDescriber\.prompt is empty"):
        VlmDescriber(prompt=" ")


def test_out_of_memory_names_the_settings(vlm_folder, monkeypatch):
    describer = VlmDescriber(vlm_folder("internvl"), batch_size=8)
    monkeypatch.setattr(describer.eyes().language.model, "forward", _exhausted)
    with pytest.raises(
        ModelError, match=r"VlmDescriber: out of memory with batch_size=8, max_new_tokens=96.* set batch"
    ):
        describer.describe(FRAMES)


def _exhausted(*_args, **_kwargs):
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_nan_in_decoding_names_the_dtype(vlm_folder):
    describer = VlmDescriber(vlm_folder("internvl"))
    model = describer.eyes().language.model
    with torch.no_grad():
        model.lm_head.weight[3] = float("nan")
    with pytest.raises(ModelError, match=r"computed NaN logits: .* dtype='bfloat16'"):
        describer.describe(FRAMES[:1])


def clip(count: int = 10) -> list[Frame]:
    """A square that moves, then jumps to another ground; every frame twice."""
    frames = []
    for i in range(count):
        pixels = np.full((60, 90, 3), 40 if i < 6 else 200, np.uint8)
        pixels[10:30, 5 * (i // 2) : 5 * (i // 2) + 20] = (220, 30, 30)
        frames.append(Frame(pixels, i, i / 10))
    return frames


def segments(skem: Skem, frames: list[Frame]) -> list[Segment]:
    skem.start()
    return [s for f in frames for s in skem.work(f)] + list(skem.finish())


def plain_loop(count: int, s_rel: Callable[[int, int], float]) -> tuple[list[int], float]:
    """Keyframes of the loop that looks at one pair at a time, at a threshold that parts the first one's scores.

    The last frame is sent as a keyframe of its own.
    """
    first = np.unique([s_rel(0, i) for i in range(1, count)])
    threshold = float(first[(len(first) - 1) // 2 : len(first) // 2 + 1].mean())
    keys = [0]
    for i in range(1, count):
        if s_rel(keys[-1], i) > threshold:
            keys.append(i)
    return sorted({*keys, count - 1}), threshold


@pytest.mark.parametrize("family", ["internvl", "checkpoint"])
def test_skem_per_frame_is_the_plain_loop(vlm_folder, family):
    describer = VlmDescriber(vlm_folder(family), max_new_tokens=8 if family == "internvl" else 48)
    frames = clip()
    texts = [describer.describe([f.pixels])[0] for f in frames]
    alone = LlmJudge(describer, reuse_prefix=False, floor=0)

    def s_rel(key: int, i: int) -> float:
        p_yes, p_no = alone.judge(texts[key], [texts[i]], "general")
        return float(p_no[0] - p_yes[0])

    keys, threshold = plain_loop(len(frames), s_rel)
    assert len(keys) > 2 or family == "checkpoint"
    judge, calls = LlmJudge(describer, floor=0), describer.counts.calls
    found = segments(Skem(describer=describer, judge=judge, threshold=threshold, refine_cuts=False), frames)
    assert [s.start for s in found] == keys
    assert describer.counts.calls - calls == 5  # every frame stands twice
    assert all(s.caption for s in found)


@pytest.mark.parametrize("family", ["sharp", "checkpoint"])
def test_skem_joint_is_the_plain_loop(vlm_folder, family):
    describer = VlmDescriber(vlm_folder(family), max_new_tokens=8)
    frames = clip()

    def s_rel(key: int, i: int) -> float:
        return float(JointScorer(describer).score(frames[key], [frames[i]])[0])

    keys, threshold = plain_loop(len(frames), s_rel)
    assert len(keys) > 2 or family == "checkpoint"
    skem = Skem(describer=describer, judge="same", strategy="joint", threshold=threshold, refine_cuts=False)
    found = segments(skem, frames)
    assert [s.start for s in found] == keys
    assert all(s.caption for s in found)
    assert skem.counts.describer["reused_tokens"] > 0
    assert skem.counts.describer["min_mass"] >= 0.5


def test_skem_joint_with_another_judge(vlm_folder):
    describer = VlmDescriber(vlm_folder("internvl"), max_new_tokens=8)
    found = segments(Skem(describer=describer, judge=LlmJudge(describer, floor=0), strategy="joint"), clip())
    assert [f.index for s in found for f in s.frames] == list(range(10))
    assert all(s.caption for s in found)
