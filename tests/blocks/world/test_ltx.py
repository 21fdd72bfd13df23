"""What only the LTX adapter does: its conditions, its distilled settings, its kind of checkpoint."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_pipelines
import torch

from lgvsc_flow.blocks.world.ltx import DISTILLED_TIMESTEPS, LtxModel
from lgvsc_flow.errors import ModelError, SettingError
from lgvsc_flow.items import Caption, SideInfo

PICTURE = np.arange(3 * 20 * 24, dtype=np.uint8).reshape(20, 24, 3)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> str:
    return str(tiny_pipelines.save("ltx", tmp_path_factory.mktemp("pipelines")))


@pytest.fixture
def asked(monkeypatch):
    """The arguments of each call, and the times at which the transformer was run."""
    from diffusers import LTXConditionPipeline, LTXVideoTransformer3DModel

    calls: list[dict] = []
    call, forward = LTXConditionPipeline.__call__, LTXVideoTransformer3DModel.forward

    def recorded(self, **arguments):
        calls.append(arguments | {"times": []})
        return call(self, **arguments)

    def timed(self, *args, **kwargs):
        calls[-1]["times"].append(float(kwargs["timestep"].max()))
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(LTXConditionPipeline, "__call__", recorded)
    monkeypatch.setattr(LTXVideoTransformer3DModel, "forward", timed)
    return calls


def made(model: LtxModel, first=PICTURE, last=PICTURE) -> list[np.ndarray]:
    told = Caption(0, "a bus"), SideInfo(0, length=8), 8, np.random.default_rng(0)
    return list(model.generate(first, last, *told))


def test_frame_rate_steps_guidance_and_noise_reach_the_pipeline(saved, asked):
    made(LtxModel(checkpoint=saved, resolution=1024, fps=30000 / 1001, steps=3, guidance=2.5, keyframe_noise=0.1))
    arguments = asked[0]
    assert arguments["frame_rate"] == 30000 / 1001
    assert (arguments["num_inference_steps"], arguments["guidance_scale"]) == (3, 2.5)
    assert arguments["image_cond_noise_scale"] == 0.1
    assert (arguments["decode_timestep"], arguments["decode_noise_scale"]) == (0.05, 0.025)
    assert arguments["negative_prompt"].startswith("worst quality")
    assert len(arguments["times"]) == 3


@pytest.mark.parametrize("settings", [{"distilled": True}, {"checkpoint": "distilled"}])
def test_a_distilled_checkpoint_runs_at_its_own_times_without_guidance(saved, asked, tmp_path, settings):
    place = tmp_path / "ltx-distilled"
    place.symlink_to(saved)
    chosen = {"checkpoint": saved} | settings
    made(LtxModel(**{**chosen, "checkpoint": str(place) if "checkpoint" in settings else saved}, resolution=1024))
    assert asked[0]["times"] == pytest.approx(DISTILLED_TIMESTEPS)
    assert asked[0]["guidance_scale"] == 1.0
    made(LtxModel(checkpoint=str(place), distilled=False, steps=2, guidance=1, resolution=1024))
    assert len(asked[1]["times"]) == 2


def test_conditions_without_noise_hold_a_keyframe_in_its_latents(saved, monkeypatch):
    """The condition at frame 0 is what the autoencoder makes of the keyframe, to the last step."""
    from diffusers import AutoencoderKLLTXVideo

    decoded = []
    decode = AutoencoderKLLTXVideo.decode
    monkeypatch.setattr(
        AutoencoderKLLTXVideo, "decode", lambda self, z, *a, **k: (decoded.append(z), decode(self, z, *a, **k))[1]
    )
    model = LtxModel(checkpoint=saved, steps=2, guidance=1, resolution=1024, keyframe_noise=0, decode_noise=0)
    for other in (PICTURE, None):
        made(model, PICTURE, other)
    assert decoded[0].shape == (1, 8, 2, 1, 1)
    assert torch.equal(decoded[0][:, :, 0], decoded[1][:, :, 0])
    assert not torch.equal(decoded[0][:, :, 1], decoded[1][:, :, 1])


def test_a_checkpoint_of_another_compression_is_refused(tmp_path):
    pipe = tiny_pipelines.ltx()
    pipe.vae.register_to_config(temporal_compression_ratio=4)
    pipe.save_pretrained(tmp_path)
    model = LtxModel(checkpoint=str(tmp_path))
    with pytest.raises(ModelError, match="compresses time by 4 and takes sizes in steps of 32; this adapter is for"):
        model.load()


@pytest.mark.parametrize("setting", ["keyframe_noise", "decode_timestep", "decode_noise"])
def test_noise_is_a_share(setting):
    with pytest.raises(SettingError, match=f"ltx: {setting} is 0 to 1; got 2"):
        LtxModel(**{setting: 2})
