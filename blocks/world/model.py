"""What a world model is to the receiver: a generator of frames between two keyframes. Plain classes, no graph."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lgvsc_flow.errors import ModelError
from lgvsc_flow.items import Caption, SideInfo

__all__ = ["MODELS", "LengthGrid", "WorldModel", "load_text_model", "load_world_model"]

MODELS = ("interpolator",)
"""Names that `load_world_model` knows."""


@dataclass(frozen=True)
class LengthGrid:
    """The segment lengths that a model can make: the multiples of `step`.

    A segment ends before the next keyframe. A video model that makes 8k + 1 frames, both keyframes included, makes
    segments of 8k frames: `LengthGrid(8)`. `LengthGrid(1)` is any length.
    """

    step: int = 1

    def at_least(self, num_frames: int) -> int:
        """The smallest length on the grid that is `num_frames` or more."""
        return -(-num_frames // self.step) * self.step

    def at_most(self, num_frames: int) -> int:
        """The largest length on the grid that is `num_frames` or less; 0 where there is none."""
        return num_frames // self.step * self.step


class WorldModel(ABC):
    """A generator of video segments.

    Attributes:
        name: what reports call it.
        length_grid: the lengths it can make.
        max_frames: the longest segment it can make, None for any.
        from_text: whether it generates without keyframes, from the caption alone.
    """

    name: str = ""
    length_grid: LengthGrid = LengthGrid()
    max_frames: int | None = None
    from_text: bool = False

    def load(self) -> None:  # noqa: B027, a model without weights has nothing to load
        """Load weights, once, before the first segment.

        Raises:
            ModelError: they are missing or corrupt.
        """

    @abstractmethod
    def generate(
        self,
        first: np.ndarray | None,
        last: np.ndarray | None,
        caption: Caption,
        side: SideInfo,
        num_frames: int,
        rng: np.random.Generator,
    ) -> Iterable[np.ndarray]:
        """Generate a segment.

        Args:
            first: the segment's keyframe, uint8 [height, width, 3] RGB; None when there is none.
            last: the keyframe *behind* the segment, at time `num_frames`: it belongs to the next segment (paper,
                section II-A) and is not among the frames returned. None when it is lost or shows another shot.
            caption: what the segment shows; `text` is None when lost.
            side: motion of the segment; `lost` means that a cut may hide between the keyframes unannounced.
            num_frames: a length on `length_grid`, at most `max_frames`.
            rng: the only source of randomness.

        Returns:
            `num_frames` frames of the keyframes' shape and type; frame 0 shows `first`.
        """


def load_world_model(name: str) -> WorldModel:
    """A model by name.

    Raises:
        ModelError: the name is not one of `MODELS`.
    """
    if name == "interpolator":
        from lgvsc_flow.blocks.world.interpolate import InterpolatorModel

        return InterpolatorModel()
    raise ModelError(f"no world model is called '{name}'. Installed: {', '.join(MODELS)}.")


def load_text_model(name: str = "") -> WorldModel:
    """A model that generates from captions alone.

    Raises:
        ModelError: always in this version, since no installed model can.
    """
    found = f"'{name}' generates between keyframes only" if name in MODELS else "no installed world model"
    found = found if name in MODELS else f"{found} generates video from text"
    raise ModelError(
        f"Text-only needs a world model that generates from captions alone, and {found}. "
        "Send keyframes too (scheme skem-dsa or skim-sfa), or pass a WorldModel with from_text=True."
    )
