"""The size at which a video model generates, and pictures carried to it and back."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from lgvsc_flow.errors import SettingError
from lgvsc_flow.models import import_extra

__all__ = ["generation_size", "parse_resolution", "resized"]

_MOST_PIXELS = 4096 * 4096


def parse_resolution(resolution: object, step: int) -> int | tuple[int, int]:
    """A setting of size: pixels in all, or height and width, which are multiples of `step`.

    Args:
        resolution: an int (about so many pixels, the video's aspect kept), "480x832" or a pair (height, width).
        step: what the model's sizes are multiples of.

    Raises:
        SettingError: it is neither, too small or too large.
    """
    size: Any = resolution
    if isinstance(resolution, str):
        parts = resolution.lower().split("x")
        if not all(p.isascii() and p.isdecimal() and len(p) < 8 for p in parts) or len(parts) > 2:
            raise SettingError(f"resolution is pixels in all, or height and width as in '480x832'; got {resolution!r}")
        size = int(parts[0]) if len(parts) == 1 else tuple(map(int, parts))
    if isinstance(size, int) and not isinstance(size, bool):
        if not step * step <= size <= _MOST_PIXELS:
            raise SettingError(
                f"resolution={size} pixels: this model takes {step * step} ({step}x{step}) to {_MOST_PIXELS}"
            )
        return size
    if not isinstance(size, list | tuple) or len(size) != 2 or not all(type(n) is int for n in size):
        raise SettingError(f"resolution is pixels in all, or height and width as in '480x832'; got {resolution!r}")
    height, width = size
    if height % step or width % step or not 0 < height * width <= _MOST_PIXELS or height < 0:
        near = "x".join(str(max(step, round(n / step) * step)) for n in size)
        raise SettingError(
            f"resolution={height}x{width}: this model's height and width are multiples of {step}; set {near}, or the "
            "pixels in all"
        )
    return height, width


def generation_size(height: int, width: int, resolution: int | tuple[int, int], step: int) -> tuple[int, int]:
    """Height and width to generate at, for a video of `height` x `width` pixels.

    Given as pixels in all, the size keeps the video's aspect as well as multiples of `step` can, and holds at most so
    many pixels (but at least one step each way). The whole picture is scaled, nothing is cut off: the way back undoes
    what the grid does to the aspect.
    """
    if not isinstance(resolution, int):
        return resolution
    aspect = height / width
    ideal = math.sqrt(resolution * aspect) / step, math.sqrt(resolution / aspect) / step
    most = resolution // (step * step)
    # The rounded-down side bounds how many steps the other may have; a line is never longer than the area allows.
    around = [{max(1, math.floor(n)), max(1, math.ceil(n))} for n in ideal]
    sizes = [(min(h, most), min(w, most)) for h, w in product(*around)]
    fitting = [s for s in sizes if s[0] * s[1] <= most] or [min(sizes, key=math.prod)]
    best = min(fitting, key=lambda s: (round(abs(math.log(s[0] / s[1] / aspect)), 9), -s[0] * s[1]))
    return best[0] * step, best[1] * step


def resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture at another size, by Lanczos resampling over three lobes, widened where it shrinks.

    Args:
        picture: uint8 [height, width, 3].

    Returns:
        uint8 [height, width, 3]; a copy.
    """
    if picture.shape[:2] == (height, width):
        return picture.copy()
    image: Any = import_extra("PIL.Image", "resizing keyframes", "world", "pillow")
    return np.array(image.fromarray(np.ascontiguousarray(picture)).resize((width, height), image.Resampling.LANCZOS))
