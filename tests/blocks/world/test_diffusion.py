"""The three pipelines as world models, real classes in miniature; a real checkpoint by an environment variable."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
import tiny_pipelines
import torch
from diffusers import DiffusionPipeline

from lgvsc_flow.blocks.world.diffusion import DiffusionModel
from lgvsc_flow.blocks.world.frame_size import resized
from lgvsc_flow.blocks.world.model import load_world_model
from lgvsc_flow.errors import ModelError, SettingError
from lgvsc_flow.items import Caption, SideInfo

CAPTION = Caption(0, "a red bus turns a corner")
NAMES = list(tiny_pipelines.PIPELINES)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipelines")
    return {name: tiny_pipelines.checkpoint(name, folder) for name in NAMES}


@pytest.fixture(scope="module", params=NAMES)
def model(request, checkpoints) -> DiffusionModel:
    name = request.param
    model = load_world_model(name, **tiny_pipelines.settings(name, checkpoints[name]))
    model.load()
    assert isinstance(model, DiffusionModel)
    return model


def picture(seed: int, height: int = 17, width: int = 9) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def make(model: DiffusionModel, first, last, num_frames: int, seed: int = 5, **side: Any) -> np.ndarray:
    told = SideInfo(0, length=num_frames, motion=1.5, **side)
    return np.stack(list(model.generate(first, last, CAPTION, told, num_frames, np.random.default_rng(seed))))


@pytest.fixture
def asked(model, monkeypatch) -> list[tuple[dict[str, Any], torch.Tensor]]:
    """The arguments of each call of the pipeline, and what it made."""
    calls: list[tuple[dict[str, Any], torch.Tensor]] = []
    cls = type(model._pipe)
    plain = cls.__call__

    def recorded(self, **arguments):
        result = plain(self, **arguments)
        calls.append((arguments, result.frames[0]))
        return result

    monkeypatch.setattr(cls, "__call__", recorded)
    return calls


@pytest.mark.parametrize("size", [(17, 9), (1, 1), (64, 32), (30, 200)])
def test_frames_have_the_videos_size_whatever_it_is(model, size):
    first, last = picture(1, *size), picture(2, *size)
    frames = make(model, first, last, model.time_step)
    assert frames.shape == (model.time_step, *size, 3)
    assert frames.dtype == np.uint8


def test_frame_0_is_the_keyframe_itself(model):
    first = picture(1)
    frames = list(model.generate(first, picture(2), CAPTION, SideInfo(0), model.time_step, np.random.default_rng(0)))
    assert np.array_equal(frames[0], first)
    assert not np.shares_memory(frames[0], first)
    assert not any(np.array_equal(f, first) for f in frames[1:])


def test_keyframes_reach_the_pipeline_at_their_places(model, asked):
    first, last = picture(1), picture(2)
    count = 2 * model.time_step
    make(model, first, last, count)
    arguments, video = asked[0]
    assert arguments["num_frames"] == count + 1 == len(video)
    height, width = arguments["height"], arguments["width"]
    for keyframe, at in ((first, 0), (last, count)):
        expected = resized(keyframe, height, width)
        assert np.array_equal(_condition(model.name, arguments, at), expected)


def _condition(name: str, arguments: dict[str, Any], at: int) -> np.ndarray | None:
    """The picture that a pipeline was given for a frame."""
    if name == "ltx":
        found = [np.asarray(c.image) for c in arguments["conditions"] if c.frame_index == at]
        return found[0] if found else None
    if name == "wan-vace":
        known = arguments["mask"][0, at].max() == 0
        return np.rint(arguments["video"][0, at] * 255).astype(np.uint8) if known else None
    given = arguments["image"] if at == 0 else arguments["last_image"] if at == arguments["num_frames"] - 1 else None
    return None if given is None else np.asarray(given)


def test_the_last_keyframe_alone_lies_behind_the_segment(model, asked):
    last = picture(2)
    count = model.time_step
    frames = make(model, None, last, count)
    arguments, video = asked[0]
    assert len(frames) == count
    expected = resized(last, arguments["height"], arguments["width"])
    if model.name == "wan-flf":  # made forwards from it, played backwards
        assert np.array_equal(_condition(model.name, arguments, 0), expected)
        video = video.flip(0)
    else:
        assert np.array_equal(_condition(model.name, arguments, count), expected)
        assert _condition(model.name, arguments, 0) is None
    levels = (video[0].float() * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    assert np.array_equal(frames[0], resized(levels, 17, 9))


def test_real_weights_show_each_keyframe_nearest_to_its_place(model, asked):
    place = tiny_pipelines.ENVIRONMENT[model.name]
    if not place or model.checkpoint != os.environ.get(place):
        pytest.skip(f"random weights show nothing; set {place} to a checkpoint")
    first, last = np.zeros((64, 96, 3), np.uint8), np.full((64, 96, 3), 230, np.uint8)
    make(model, first, last, 2 * model.time_step)
    levels = asked[0][1].float().mean((1, 2, 3))
    assert int(levels.argmin()) == 0
    assert int(levels.argmax()) == len(levels) - 1


def test_same_seed_same_frames(model):
    first, last = picture(1), picture(2)
    count = model.time_step
    assert np.array_equal(make(model, first, last, count), make(model, first, last, count))
    assert not np.array_equal(make(model, first, last, count), make(model, first, last, count, seed=6))


def test_segments_of_two_lengths_in_either_order_are_as_alone(model, checkpoints):
    first, last = picture(1), picture(2)
    short, long = model.time_step, 2 * model.time_step
    one = [make(model, first, last, short), make(model, first, last, long)]
    other = [make(model, first, None, long, seed=9), make(model, first, last, long), make(model, first, last, short)]
    assert np.array_equal(one[0], other[2])
    assert np.array_equal(one[1], other[1])
    fresh = load_world_model(model.name, **tiny_pipelines.settings(model.name, checkpoints[model.name]))
    assert np.array_equal(make(fresh, first, last, long), one[1])


def test_no_weight_is_loaded_or_copied_when_the_length_changes(model, checkpoints, monkeypatch):
    loads: list[str] = []
    for cls in {type(c) for c in model._pipe.components.values() if hasattr(c, "from_pretrained")} | {
        type(model._pipe)
    }:
        plain = cls.from_pretrained.__func__

        def counted(kind, *args, _plain=plain, **kwargs):
            loads.append(kind.__name__)
            return _plain(kind, *args, **kwargs)

        monkeypatch.setattr(cls, "from_pretrained", classmethod(counted))
    fresh = load_world_model(model.name, **tiny_pipelines.settings(model.name, checkpoints[model.name]))
    assert not loads
    fresh.load()
    assert sorted(loads) == sorted(set(loads))  # each once
    assert model.pipeline in loads
    before = _places(fresh._pipe)
    seen = len(loads)
    for count in (fresh.time_step, 3 * fresh.time_step, 2 * fresh.time_step):
        make(fresh, picture(1), picture(2), count)
    fresh.load()
    assert len(loads) == seen
    assert _places(fresh._pipe) == before


def _places(pipe: DiffusionPipeline) -> dict[str, int]:
    modules = {k: c for k, c in pipe.components.items() if isinstance(c, torch.nn.Module)}
    return {f"{k}.{n}": p.data_ptr() for k, c in modules.items() for n, p in c.named_parameters()}


def test_without_a_keyframe_frames_have_the_videos_size(checkpoints):
    for name in NAMES:
        model = load_world_model(name, **tiny_pipelines.settings(name, checkpoints[name]))
        told = (CAPTION, SideInfo(0), model.time_step, np.random.default_rng(0))
        if not model.from_text:
            with pytest.raises(ValueError, match="wan-flf needs a keyframe; both are missing"):
                model.generate(None, None, *told)
            continue
        with pytest.raises(ValueError, match="takes the video's size from a keyframe or from video_size; both are"):
            model.generate(None, None, *told)
        model.video_size = (13, 21)
        frames = list(model.generate(None, None, *told))
        assert [f.shape for f in frames] == [(13, 21, 3)] * model.time_step


def test_a_segment_of_one_frame_costs_nothing(checkpoints, monkeypatch):
    for name in NAMES:
        model = load_world_model(name, **tiny_pipelines.settings(name, checkpoints[name]))
        monkeypatch.setattr(model, "load", lambda: None)
        frames = model.generate(picture(1), None, CAPTION, SideInfo(0), model.time_step, np.random.default_rng(0))
        assert np.array_equal(next(frames), picture(1))


def test_a_caption_is_told_with_its_motion_and_shortened_where_it_is_too_long(model, asked):
    make(model, picture(1), picture(2), model.time_step)
    assert asked[0][0]["prompt"] == "a red bus turns a corner. Fast movement."
    counted = model.counts["shortened prompts"]
    long = Caption(0, "bus " * 400)
    list(model.generate(picture(1), None, long, SideInfo(0, motion=0.001), model.time_step, np.random.default_rng(0)))
    assert model.counts["shortened prompts"] == counted + 1
    prompt = asked[1][0]["prompt"]
    assert prompt.endswith("bus. Almost nothing moves.")
    tokens = len(model._pipe.tokenizer(prompt).input_ids)
    assert model.max_tokens - 4 <= tokens <= model.max_tokens
    lost = Caption(0, None, lost=True)
    list(model.generate(picture(1), None, lost, SideInfo(0, lost=True), model.time_step, np.random.default_rng(0)))
    assert asked[2][0]["prompt"] == ""


def test_a_negative_prompt_that_is_too_long_is_refused(model, checkpoints):
    chosen = tiny_pipelines.settings(model.name, checkpoints[model.name])
    wordy = load_world_model(model.name, **chosen, negative_prompt="blurred " * 100)
    text = rf"{model.name}: negative_prompt has \d+ tokens, its text encoder reads {model.max_tokens}; shorten it"
    with pytest.raises(ModelError, match=text):
        wordy.load()


@pytest.mark.parametrize("count", [1, 9, 168])
def test_a_length_off_the_grid_is_refused(model, count):
    with pytest.raises(ValueError, match=rf"{model.name} makes multiples of {model.time_step} frames, at most"):
        model.generate(picture(1), None, CAPTION, SideInfo(0), count, np.random.default_rng(0))


def test_keyframes_of_two_sizes_are_refused(model):
    with pytest.raises(ValueError, match=r"keyframes of one segment have one size, got \(17, 9\) and \(4, 4\)"):
        make(model, picture(1), picture(2, 4, 4), model.time_step)


def test_what_comes_back_is_counted(model, monkeypatch):
    plain = model._call
    monkeypatch.setattr(model, "_call", lambda pipe, request: plain(pipe, request)[:-1])
    made, asked = f"{model.time_step} frames of", f"{model.time_step + 1} frames of"
    with pytest.raises(ModelError, match=f"{model.name}: the pipeline made {made} .* where {asked} .* were asked for"):
        make(model, picture(1), picture(2), model.time_step)


def test_pixels_that_are_no_numbers_are_refused(model):
    weight = next(model._pipe.vae.decoder.parameters())
    kept = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(float("nan"))
    try:
        with pytest.raises(ModelError, match=r"made pixels that are no numbers in torch\.b?float\d\d; "):
            make(model, picture(1), picture(2), model.time_step)
    finally:
        with torch.no_grad():
            weight.copy_(kept)


def test_out_of_memory_says_what_to_set(model, monkeypatch):
    def full(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")

    monkeypatch.setattr(model._pipe.transformer, "forward", full)
    text = (
        rf"{model.name}: {model.time_step} frames of \d+x\d+: out of memory with device=auto, dtype=auto, "
        r"offload=none, resolution=\d+; set \w+='\w+', vae_tiling=True, fewer pixels in resolution, "
        "a smaller max_frames, or take a smaller checkpoint"
    )
    with pytest.raises(ModelError, match=text):
        make(model, picture(1), picture(2), model.time_step)


def test_buckets_tiling_and_compilation_are_set_once(model, checkpoints, monkeypatch):
    step = model.time_step
    chosen = tiny_pipelines.settings(model.name, checkpoints[model.name])
    compiled: list[str] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, *a, **k: compiled.append(type(self).__name__))
    bucketed = load_world_model(model.name, **chosen, lengths=[3 * step, step], vae_tiling=True, compile=True)
    assert bucketed.length_grid.at_least(step + 1) == 3 * step
    assert bucketed.max_frames == 3 * step
    make(bucketed, picture(1), None, 3 * step)
    make(bucketed, picture(1), None, step)
    assert len(compiled) == 1
    assert bucketed._pipe.vae.use_tiling


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"steps": 0}, "steps is 1 to 1000; got 0"),
        ({"guidance": 0.5}, r"guidance is 1 \(none\) to 100; got 0.5"),
        ({"fps": 0}, "fps is above 0, at most 1000 frames per second; got 0"),
        ({"prompt": "score"}, "prompt is one of motion, caption; got 'score'"),
        ({"offload": "disk"}, "offload is one of none, model, sequential; got 'disk'"),
        ({"dtype": "int4"}, "dtype is one of auto, float32, bfloat16, float16; got 'int4'"),
        ({"lengths": [8, 13]}, r"lengths is multiples of \d \(the pipeline makes \dk \+ 1 frames\); got \[8, 13\]"),
        ({"lengths": 8}, r"lengths is a list of multiples of \d; got 8"),
        ({"max_frames": 2}, r"max_frames is \d to 10000; got 2"),
        (
            {"resolution": "100x100"},
            r"resolution=100x100: this model's height and width are multiples of \d\d; set 96x96",
        ),
        ({"resolution": 3}, r"resolution=3 pixels: this model takes \d+ \(\d\dx\d\d\) to 16777216"),
        ({"checkpoint": 7}, "checkpoint is a name, a path or hub:owner/name@commit; got 7"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_settings_are_checked_before_anything_is_loaded(name, settings, text):
    with pytest.raises(SettingError, match=text):
        load_world_model(name, **settings)
