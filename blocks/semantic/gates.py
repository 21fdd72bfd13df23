"""Gates: samples that hardly differ from the last one judged are not judged, and where possible not described."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from lgvsc_flow.blocks.semantic.embedded import cosines
from lgvsc_flow.blocks.semantic.shrink import shrink
from lgvsc_flow.items import Frame

__all__ = ["FeatureGate", "Gate", "PixelGate", "picture_difference"]

_WIDTH, _HEIGHT, _BLOCK = 64, 36, 4


class Gate(Protocol):
    """Chooses samples in the order of the stream; the first one always passes."""

    def passes(self, frames: Sequence[Frame]) -> list[bool]:
        """Which of the next samples are judged."""
        ...


class PixelGate:
    """Passes a sample whose small picture differs from that of the last one passed by more than `limit`.

    Args:
        limit: least difference, see `picture_difference`.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._last: np.ndarray | None = None

    def passes(self, frames: Sequence[Frame]) -> list[bool]:
        return [self._passes(shrink(f.pixels, _WIDTH, _HEIGHT)) for f in frames]

    def _passes(self, picture: np.ndarray) -> bool:
        if self._last is not None and picture_difference(self._last, picture) <= self.limit:
            return False
        self._last = picture
        return True


class FeatureGate:
    """Passes a sample whose image features differ from those of the last one passed: cosine under `limit`.

    Args:
        embed: gives the features of frames, None for a frame that has none and passes.
        limit: cosine from which two frames are taken for the same.
    """

    def __init__(self, embed: Callable[[Sequence[Frame]], Sequence[np.ndarray | None]], limit: float) -> None:
        self.embed, self.limit = embed, limit
        self._last: np.ndarray | None = None

    def passes(self, frames: Sequence[Frame]) -> list[bool]:
        return [self._passes(features) for features in self.embed(frames)]

    def _passes(self, features: np.ndarray | None) -> bool:
        if features is not None and self._last is not None and cosines(self._last, [features])[0] >= self.limit:
            return False
        self._last = features
        return True


def picture_difference(a: np.ndarray, b: np.ndarray) -> float:
    """The largest mean absolute difference over blocks of 4x4 pixels and colours, in full scale (0 to 1).

    Over blocks, since what enters a scene is small at first and would drown in the mean of the whole picture.

    Args:
        a: uint8 [36, 64, 3].
        b: the same shape.
    """
    step = np.abs(a.astype(np.int16) - b).astype(np.float32)
    blocks = step.reshape(_HEIGHT // _BLOCK, _BLOCK, _WIDTH // _BLOCK, _BLOCK * 3)
    return float(blocks.mean(axis=(1, 3)).max()) / 255
