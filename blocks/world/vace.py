"""Wan VACE (Alibaba) as a world model: known frames under a mask, and motion as a control video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lgvsc_flow.blocks.world.diffusion import Request
from lgvsc_flow.blocks.world.flow_colours import flow_picture
from lgvsc_flow.blocks.world.wan import NEGATIVE_PROMPT, WanBase

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CONTROLS", "WanVaceModel"]

CONTROLS = ("none", "flow")


@dataclass(kw_only=True, eq=False)
class WanVaceModel(WanBase):
    """Wan2.1 VACE 1.3B or 14B, through WanVACEPipeline.

    It makes 4k + 1 frames. The keyframes are frames that the mask keeps; what lies between is mid-grey under a mask
    that asks for it, or with `control="flow"` the transmitted motion field as a flow video. Flow videos are among the
    controls that VACE was trained with: the colour wheel over RAFT's flow of every pair of frames. The field here is a
    coarse grid, the mean over the segment, so that the colours are smoother than those in training and stay the same
    throughout; nothing was measured on real weights, and the default is `none`.

    Args:
        control: `flow` shows the model the motion field where one was received.
        control_scale: how strongly keyframes and control steer.
    """

    pipeline: ClassVar[str] = "WanVACEPipeline"
    accepts: ClassVar[tuple[str, ...]] = ("WanVACEPipeline",)
    name = "wan-vace"
    from_text = True

    checkpoint: str = "wan-vace-1.3b"
    steps: int = 30
    guidance: float = 5.0
    negative_prompt: str = NEGATIVE_PROMPT
    control: str = "none"
    control_scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._refuse("control", self.control in CONTROLS, f"one of {', '.join(CONTROLS)}")
        scale = self.control_scale
        self._refuse("control_scale", isinstance(scale, int | float) and 0 <= scale <= 2, "0 to 2")

    def _call(self, pipe: Any, request: Request) -> Tensor:
        video: Tensor = pipe(
            **self._common(request),
            **self._conditions(request),
            num_inference_steps=self.steps,
            conditioning_scale=float(self.control_scale),
        ).frames[0]
        return video

    def _conditions(self, request: Request) -> dict[str, Any]:
        """The video to start from and its mask, float32 [1, total, height, width, 3]; 1 where frames are to be made."""
        total, size = request.total, (request.height, request.width)
        video = np.full((total, *size, 3), 0.5, np.float32)
        if self.control == "flow" and request.side.field is not None:
            video[:] = flow_picture(request.side.field, *size).astype(np.float32) / 255
        mask = np.ones((total, *size, 3), np.float32)
        for picture, place in ((request.first, 0), (request.last, total - 1)):
            if picture is not None:
                video[place], mask[place] = np.asarray(picture, np.float32) / 255, 0
        return {"video": video[None], "mask": mask[None]}
