"""The trained generator: the interpolator's frames, led on to what interpolation cannot know."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from lgvsc_flow.blocks.world.interpolate import InterpolatorModel, Parts
from lgvsc_flow.errors import ModelError, SettingError
from lgvsc_flow.items import Caption, SideInfo
from lgvsc_flow.models import import_extra

__all__ = ["GeneratorModel", "known_of"]


class GeneratorModel(InterpolatorModel):
    """Keyframe-conditioned flow matching on top of the interpolator; see `generator_net`.

    Frame 0 is the keyframe itself; where a keyframe is missing or two shots meet, it holds as the interpolator does.

    Args:
        checkpoint: the safetensors file that `lgvsc-flow train world` writes; those of the package where None.
        steps: Euler steps of a frame.
        device: torch device.
    """

    name = "generator"

    def __init__(self, checkpoint: str | Path | None = None, steps: int = 1, device: str = "cpu") -> None:
        if steps < 1:
            raise SettingError(f"GeneratorModel.steps is 1 or more, got {steps}")
        self.checkpoint, self.steps, self.device = checkpoint, steps, device
        self._net: Any = None

    def check(self) -> None:
        path = self._path()
        if not path.is_file() and self.checkpoint is None:
            raise ModelError(
                "this version ships no weights of the trained world model, since none was seen to beat the "
                "interpolator. Use the interpolator, or train some (`lgvsc-flow train world`) and name the file "
                "as the checkpoint"
            )
        if not path.is_file():
            raise ModelError(f"weights {path} of the trained world model do not exist")

    def load(self) -> None:
        if self._net is not None:
            return
        super().load()
        self.check()
        import_extra("torch", "the trained world model", "models", "torch")
        from lgvsc_flow.blocks.world.generator_net import load_net

        net, self._settings = load_net(self._path())
        try:
            self._net = net.to(self.device)
        except (RuntimeError, AssertionError) as error:  # torch raises either for a device that is not there
            raise ModelError(
                f"the trained world model cannot use device={self.device!r}: {str(error).splitlines()[0]}"
            ) from error

    def _path(self) -> Path:
        if self.checkpoint is not None:
            return Path(self.checkpoint)
        return Path(str(resources.files("lgvsc_flow.blocks.world") / "weights" / "generator.safetensors"))

    def generate(
        self,
        first: np.ndarray | None,
        last: np.ndarray | None,
        caption: Caption,
        side: SideInfo,
        num_frames: int,
        rng: np.random.Generator,
    ) -> Iterator[np.ndarray]:
        """See `InterpolatorModel.generate`."""
        self.load()
        if self.holds(first, last, side, num_frames):
            yield from super().generate(first, last, caption, side, num_frames, rng)
            return
        assert first is not None
        assert last is not None
        yield first.copy()
        between = self.between(first, last, side, num_frames)
        for number in range(1, num_frames):
            yield self._refined(between.parts(number / num_frames), number / num_frames, rng)

    def _refined(self, parts: Parts, t: float, rng: np.random.Generator) -> np.ndarray:
        import torch

        from lgvsc_flow.blocks.world.generator_net import refine

        known = torch.from_numpy(known_of(parts)[None])
        noise = rng.standard_normal((1, 3, *known.shape[2:]), np.float32) * np.float32(self._settings.noise)
        made = refine(
            self._net,
            known.to(self.device),
            torch.tensor([t], device=self.device),
            torch.from_numpy(noise).to(self.device),
            self.steps,
        )
        pixels = (made[0].permute(1, 2, 0).cpu().numpy() + 1) * 127.5
        return np.asarray(np.rint(pixels).clip(0, 255), np.uint8)


def known_of(parts: Parts) -> np.ndarray:
    """What the network is told, float32 [10, height, width]: pictures in -1 to 1, doubt in 0 to 1."""
    pictures = np.concatenate([parts.frame, parts.past, parts.future], -1).astype(np.float32) / 127.5 - 1
    doubt = parts.doubt.astype(np.float32) / 255
    return np.ascontiguousarray(np.concatenate([pictures, doubt[..., None]], -1).transpose(2, 0, 1), np.float32)
