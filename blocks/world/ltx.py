"""LTX-Video (Lightricks) as a world model: keyframes at exact places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lgvsc_flow.blocks.world.diffusion import DiffusionModel, Request

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["DISTILLED_TIMESTEPS", "LtxModel"]

# What the checkpoints 0.9.7 and 0.9.8 distilled were made for, by the documentation of diffusers ("LTX-Video").
DISTILLED_TIMESTEPS = (1000, 993, 987, 981, 975, 909, 725, 0.03)


@dataclass(kw_only=True, eq=False)
class LtxModel(DiffusionModel):
    """LTX-Video 0.9.5 and later, through LTXConditionPipeline.

    It makes 8k + 1 frames; the conditions are both keyframes at their own frames, either of them alone, or none.
    `distilled` checkpoints take 8 steps at fixed times and no guidance; `steps` and `guidance` are not used then.

    Args:
        distilled: whether the checkpoint is a distilled one; None says so by its name.
        keyframe_noise: noise on the keyframes' latents while denoising, which loosens them; 0 holds them.
        decode_timestep, decode_noise: of the autoencoder's own last denoising step (0.9.1 and later).
    """

    pipeline: ClassVar[str] = "LTXConditionPipeline"
    # LTXPipeline and LTXImageToVideoPipeline are the same five components.
    accepts: ClassVar[tuple[str, ...]] = ("LTXConditionPipeline", "LTXPipeline", "LTXImageToVideoPipeline")
    time_step: ClassVar[int] = 8
    space_step: ClassVar[int] = 32
    max_tokens: ClassVar[int] = 256
    name = "ltx"
    from_text = True

    checkpoint: str = "ltx-0.9.5"
    steps: int = 40
    guidance: float = 3.0
    negative_prompt: str = "worst quality, inconsistent motion, blurry, jittery, distorted"
    resolution: int | str | Sequence[int] = 512 * 704
    max_frames: int = 160
    distilled: bool | None = None
    keyframe_noise: float = 0.025
    decode_timestep: float = 0.05
    decode_noise: float = 0.025

    def __post_init__(self) -> None:
        super().__post_init__()
        for setting in ("keyframe_noise", "decode_timestep", "decode_noise"):
            value = getattr(self, setting)
            self._refuse(setting, isinstance(value, int | float) and 0 <= value <= 1, "0 to 1")

    def _fit(self, pipe: Any) -> None:
        patch = pipe.transformer.config.patch_size
        self._check_steps(pipe.vae_temporal_compression_ratio, pipe.vae_spatial_compression_ratio * patch)

    def _call(self, pipe: Any, request: Request) -> Tensor:
        from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition

        places = ((request.first, 0), (request.last, request.total - 1))
        conditions = [LTXVideoCondition(image=p, frame_index=at) for p, at in places if p is not None]
        arguments = self._common(request)
        if self.distilled or (self.distilled is None and "distilled" in self.checkpoint.lower()):
            arguments |= {"timesteps": list(DISTILLED_TIMESTEPS), "guidance_scale": 1.0}
        else:
            arguments |= {"num_inference_steps": self.steps}
        video: Tensor = pipe(
            **arguments,
            conditions=conditions or None,
            frame_rate=float(self.fps),
            image_cond_noise_scale=self.keyframe_noise,
            decode_timestep=self.decode_timestep,
            decode_noise_scale=self.decode_noise,
        ).frames[0]
        return video
