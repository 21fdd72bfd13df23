"""First-last-frame generation with Wan: which checkpoints can, and what stands in for a missing keyframe."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_pipelines

from lgvsc_flow.blocks.world.frame_size import resized
from lgvsc_flow.blocks.world.wan import WanFirstLastModel
from lgvsc_flow.errors import ModelError
from lgvsc_flow.items import Caption, SideInfo


@pytest.fixture
def asked(monkeypatch):
    from diffusers import WanImageToVideoPipeline

    calls: list[dict] = []
    plain = WanImageToVideoPipeline.__call__

    def recorded(self, **arguments):
        result = plain(self, **arguments)
        calls.append(arguments | {"made": result.frames[0]})
        return result

    monkeypatch.setattr(WanImageToVideoPipeline, "__call__", recorded)
    return calls


def saved(folder, **kind) -> WanFirstLastModel:
    tiny_pipelines.wan(**kind).save_pretrained(folder)
    return WanFirstLastModel(checkpoint=str(folder), steps=1, guidance=1, resolution=256)


def made(model, first, last) -> np.ndarray:
    told = Caption(0, "a bus"), SideInfo(0, length=4), 4, np.random.default_rng(0)
    return np.stack(list(model.generate(first, last, *told)))


ONE, TWO = (np.full((16, 16, 3), level, np.uint8) for level in (20, 200))


def test_a_checkpoint_of_both_pictures_gets_two_always(tmp_path, asked):
    model = saved(tmp_path)
    for first, last in ((ONE, TWO), (ONE, None), (None, TWO)):
        made(model, first, last)
    given = [(int(np.asarray(c["image"])[0, 0, 0]), int(np.asarray(c["last_image"])[0, 0, 0])) for c in asked]
    assert given == [(20, 200), (20, 20), (200, 200)]


def test_one_without_an_image_encoder_takes_one_picture_too(tmp_path, asked):
    model = saved(tmp_path, image_encoder=False)
    for first, last in ((ONE, TWO), (ONE, None), (None, TWO)):
        made(model, first, last)
    assert [c["last_image"] is None for c in asked] == [False, True, True]


def test_from_the_last_keyframe_alone_the_video_is_played_backwards(tmp_path, asked):
    frames = made(saved(tmp_path), None, TWO)
    video = (asked[0]["made"] * 255).round().byte().permute(0, 2, 3, 1).numpy()
    assert len(video) == 5
    for at, frame in enumerate(frames):
        assert np.array_equal(frame, resized(video[4 - at], 16, 16))


def test_a_checkpoint_that_only_goes_on_is_refused(tmp_path):
    text = (
        "wan-flf: the checkpoint .* was trained to go on from a first picture and knows no last one; take one of first "
        "and last frames"
    )
    with pytest.raises(ModelError, match=text):
        saved(tmp_path / "a", both=False).load()
    pipe = tiny_pipelines.wan(image_encoder=False)
    pipe.register_to_config(expand_timesteps=True)
    pipe.save_pretrained(tmp_path / "b")
    with pytest.raises(ModelError, match=text):
        WanFirstLastModel(checkpoint=str(tmp_path / "b")).load()
