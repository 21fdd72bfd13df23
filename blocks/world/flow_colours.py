"""Motion as colour: the wheel of the Middlebury benchmark, in which flow videos are drawn.

Ref: Baker et al., "A database and evaluation methodology for optical flow", IJCV 92 (2011), figure 2: hue is
direction, saturation is length.
"""

from __future__ import annotations

from functools import cache

import numpy as np

__all__ = ["colour_wheel", "flow_picture"]

# How many hues lie between neighbouring corners of the wheel: red, yellow, green, cyan, blue, magenta, red.
_STEPS = (15, 6, 4, 11, 13, 6)
_CORNERS = ((255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 255, 255), (0, 0, 255), (255, 0, 255), (255, 0, 0))


@cache
def colour_wheel() -> np.ndarray:
    """The wheel's 55 hues, float32 [55, 3], 0 to 255."""
    hues = []
    for steps, here, there in zip(_STEPS, _CORNERS, _CORNERS[1:], strict=False):
        for i in range(steps):
            hues.append([a + np.floor(255 * i / steps) * np.sign(b - a) for a, b in zip(here, there, strict=True)])
    return np.array(hues, np.float32)


def flow_picture(field: np.ndarray, height: int, width: int) -> np.ndarray:
    """A coarse motion field as a colour picture; lengths are relative to the field's longest, as in flow videos.

    Args:
        field: float32 [rows, cols, 2] (x, y); cells are spread evenly over the picture, bilinear between them.

    Returns:
        uint8 [height, width, 3]; white where nothing moves.
    """
    flow = _spread(np.asarray(field, np.float32), height, width)
    longest = float(np.hypot(flow[..., 0], flow[..., 1]).max())
    flow = flow / (longest + 1e-5)
    length = np.hypot(flow[..., 0], flow[..., 1])[..., None]
    wheel = colour_wheel()
    turn = (np.arctan2(-flow[..., 1], -flow[..., 0]) / np.pi + 1) / 2 * (len(wheel) - 1)
    below = np.floor(turn).astype(int)
    share = (turn - below)[..., None]
    hue = ((1 - share) * wheel[below] + share * wheel[(below + 1) % len(wheel)]) / 255
    colour = np.where(length <= 1, 1 - length * (1 - hue), 0.75 * hue)
    return np.floor(255 * colour).astype(np.uint8)


def _spread(field: np.ndarray, height: int, width: int) -> np.ndarray:
    rows, cols = field.shape[:2]
    at = [np.clip((np.arange(n) + 0.5) * cells / n - 0.5, 0, cells - 1) for n, cells in ((height, rows), (width, cols))]
    low = [np.floor(a).astype(int) for a in at]
    high = [np.minimum(a + 1, n - 1) for a, n in zip(low, (rows, cols), strict=True)]
    down, right = (a - b for a, b in zip(at, low, strict=True))
    down, right = down[:, None, None].astype(np.float32), right[None, :, None].astype(np.float32)
    top = field[low[0]][:, low[1]] * (1 - right) + field[low[0]][:, high[1]] * right
    bottom = field[high[0]][:, low[1]] * (1 - right) + field[high[0]][:, high[1]] * right
    return np.asarray(top * (1 - down) + bottom * down)
