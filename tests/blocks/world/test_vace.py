"""What only the VACE adapter does: masks, and the motion field as a flow video."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_pipelines
import torch

from lgvsc_flow.blocks.world.flow_colours import flow_picture
from lgvsc_flow.blocks.world.vace import WanVaceModel
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Caption, SideInfo

FIELD = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> str:
    return str(tiny_pipelines.save("wan-vace", tmp_path_factory.mktemp("pipelines")))


@pytest.fixture
def prepared(monkeypatch):
    """What the pipeline made of the conditions: video and mask, [1, 3, frames, height, width]."""
    from diffusers import WanVACEPipeline

    found = []
    plain = WanVACEPipeline.preprocess_conditions

    def recorded(self, *args, **kwargs):
        found.append(plain(self, *args, **kwargs))
        return found[-1]

    monkeypatch.setattr(WanVACEPipeline, "preprocess_conditions", recorded)
    return found


def made(model: WanVaceModel, first, last, field=None) -> np.ndarray:
    told = Caption(0, "a bus"), SideInfo(0, length=8, field=field), 8, np.random.default_rng(0)
    return np.stack(list(model.generate(first, last, *told)))


@pytest.mark.parametrize(("known", "control"), [((0, 8), "none"), ((0,), "none"), ((8,), "flow"), ((0, 8), "flow")])
def test_keyframes_are_kept_and_all_between_is_asked_for(saved, prepared, known, control):
    rng = np.random.default_rng(1)
    pictures = {at: rng.integers(0, 256, (32, 48, 3), dtype=np.uint8) for at in known}
    model = WanVaceModel(checkpoint=saved, steps=1, guidance=1, resolution="32x48", control=control)
    made(model, pictures.get(0), pictures.get(8), FIELD)
    video, mask, references = prepared[0]
    assert video.shape == mask.shape == (1, 3, 9, 32, 48)
    assert references == [[]]
    expected = torch.from_numpy(flow_picture(FIELD, 32, 48)).permute(2, 0, 1) / 127.5 - 1
    for at in range(9):
        assert float(mask[0, :, at].min()) == float(mask[0, :, at].max()) == (at not in known)
        if at in known:
            assert torch.equal(
                ((video[0, :, at] + 1) * 127.5).round().byte().permute(1, 2, 0), torch.from_numpy(pictures[at])
            )
        elif control == "none":
            assert not video[0, :, at].any()  # mid-grey
        else:
            assert torch.allclose(video[0, :, at], expected, atol=1e-5)


def test_a_field_changes_the_frames_only_where_it_is_asked_for(saved):
    first = np.zeros((16, 16, 3), np.uint8)
    settings = {"checkpoint": saved, "steps": 1, "guidance": 1, "resolution": 256}
    plain, steered = WanVaceModel(**settings), WanVaceModel(**settings, control="flow")
    assert np.array_equal(made(plain, first, None), made(plain, first, None, FIELD))
    assert np.array_equal(made(plain, first, None), made(steered, first, None))
    assert not np.array_equal(made(plain, first, None), made(steered, first, None, FIELD))
    weaker = WanVaceModel(**settings, control="flow", control_scale=0.2)
    assert not np.array_equal(made(weaker, first, None, FIELD), made(steered, first, None, FIELD))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"control": "depth"}, "wan-vace: control is one of none, flow; got 'depth'"),
        ({"control_scale": 3}, "wan-vace: control_scale is 0 to 2; got 3"),
        ({"flow_shift": 0}, "wan-vace: flow_shift is above 0, at most 20, or None; got 0"),
    ],
)
def test_settings(settings, text):
    with pytest.raises(SettingError, match=text):
        WanVaceModel(**settings)


@pytest.mark.parametrize(
    ("settings", "shift"),
    [({"resolution": "480x832"}, 3.0), ({"resolution": 720 * 1280}, 5.0), ({"flow_shift": 8.0}, 8.0)],
)
def test_the_noise_schedule_goes_with_the_size(saved, settings, shift):
    model = WanVaceModel(checkpoint=saved, **settings)
    model.load()
    assert model._pipe.scheduler.config.flow_shift == shift
