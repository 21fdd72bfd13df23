"""Wan (Alibaba): what its pipelines share, and first-last-frame generation as a world model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lgvsc_flow.blocks.world.diffusion import DiffusionModel, Request
from lgvsc_flow.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["NEGATIVE_PROMPT", "WanBase", "WanFirstLastModel"]

# After the authors' own, without its words against still pictures: a segment may well stand still.
NEGATIVE_PROMPT = "overexposed, blurred details, subtitles, worst quality, low quality, compression artefacts, deformed"
_SMALL = 600_000  # pixels; the authors give shift 3 for 480p and 5 for 720p


@dataclass(kw_only=True, eq=False)
class WanBase(DiffusionModel):
    """What the Wan pipelines share: 4k + 1 frames, sizes in steps of 16, umT5, an autoencoder in float32.

    Args:
        flow_shift: of the noise schedule; None takes 3 up to 0.6 megapixels and 5 above, as its authors do.
    """

    needs: ClassVar[tuple[str, ...]] = (*DiffusionModel.needs, "ftfy")
    time_step: ClassVar[int] = 4
    space_step: ClassVar[int] = 16
    max_tokens: ClassVar[int] = 512
    float32_parts: ClassVar[tuple[str, ...]] = ("vae", "image_encoder")

    resolution: int | str | Sequence[int] = 480 * 832
    max_frames: int = 80
    flow_shift: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        shift = self.flow_shift
        good = shift is None or (isinstance(shift, int | float) and 0 < shift <= 20)
        self._refuse("flow_shift", good, "above 0, at most 20, or None")

    def _fit(self, pipe: Any) -> None:
        transformer = pipe.transformer if pipe.transformer is not None else pipe.transformer_2
        patch = transformer.config.patch_size[1]
        self._check_steps(pipe.vae_scale_factor_temporal, pipe.vae_scale_factor_spatial * patch)
        pixels = self._resolution if isinstance(self._resolution, int) else self._resolution[0] * self._resolution[1]
        shift = self.flow_shift if self.flow_shift is not None else (3.0 if pixels <= _SMALL else 5.0)
        if "flow_shift" in pipe.scheduler.config:
            pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, flow_shift=shift)


@dataclass(kw_only=True, eq=False)
class WanFirstLastModel(WanBase):
    """Wan2.1 FLF2V 14B, or Wan2.2 I2V A14B, through WanImageToVideoPipeline with both pictures.

    With the first keyframe alone, a checkpoint that was trained with both gets it as the last picture too: the segment
    ends as it began. With the last alone, a video is made from that one and played backwards, so that it ends in its
    place. Without any, it cannot generate.
    """

    pipeline: ClassVar[str] = "WanImageToVideoPipeline"
    accepts: ClassVar[tuple[str, ...]] = ("WanImageToVideoPipeline",)
    name = "wan-flf"
    from_text = False

    steps: int = 50
    guidance: float = 5.5
    negative_prompt: str = NEGATIVE_PROMPT
    resolution: int | str | Sequence[int] = 720 * 1280

    def _fit(self, pipe: Any) -> None:
        super()._fit(pipe)
        transformer = pipe.transformer if pipe.transformer is not None else pipe.transformer_2
        config = transformer.config
        self._both_always = config.image_dim is not None
        first_alone = self._both_always and config.pos_embed_seq_len is None
        if first_alone or pipe.config.expand_timesteps:
            raise ModelError(
                f"{self.name}: the checkpoint {self.checkpoint} was trained to go on from a first picture and knows no "
                "last one; take one of first and last frames (Wan2.1 FLF2V 14B, Wan2.2 I2V A14B), or the world model "
                "wan-vace"
            )

    def _call(self, pipe: Any, request: Request) -> Tensor:
        opening, closing, backwards = request.first, request.last, request.first is None
        if backwards:
            opening, closing = request.last, None
        if closing is None and self._both_always:
            closing = opening
        video: Tensor = pipe(
            **self._common(request), image=opening, last_image=closing, num_inference_steps=self.steps
        ).frames[0]
        return video.flip(0) if backwards else video
