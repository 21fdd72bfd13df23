"""Motion as a frame between two pictures sees it: optical flow carried forwards along itself, with depth by weight.

Ref: Niklaus and Liu, "Softmax splatting for video frame interpolation", CVPR 2020, section 3 (here flow is splatted,
and pictures are then gathered, so that they stay sharp).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from lgvsc_flow.models import import_extra

__all__ = ["project"]

# Windows in pixels from which places that nothing reaches are filled, and their weights; a pixel has 1e-3 or more.
_HOLES = (5, 1e-4), (17, 1e-6), (65, 1e-8)


def project(flow: np.ndarray, weight: np.ndarray, time: float) -> np.ndarray:
    """The flow that passes each place of the frame at `time`.

    Every pixel travels `time` of its flow's way. Where several arrive, the heavier one counts more: what is hidden at
    the other end has a small weight and gives way. Places that no pixel reaches take the flow around them.

    Args:
        flow: float32 [height, width, 2] (x, y) in pixels, of a picture at time 0 towards one at time 1.
        weight: float32 [height, width], above 0.
        time: 0 to 1.

    Returns:
        float32 [height, width, 2].
    """
    cv2 = import_extra("cv2", "the world model interpolator", "video", "opencv-python-headless")
    sums = np.zeros((*flow.shape[:2], 3), np.float32)
    _splat(flow, weight, time, sums)
    for side, faint in _HOLES:
        around = cv2.blur(sums, (side, side)).reshape(sums.shape)
        sums += np.float32(faint) * around / (np.maximum(around[..., 2:], 0) + np.float32(1e-6))
    return np.asarray(sums[..., :2] / (sums[..., 2:] + np.float32(1e-12)), np.float32)


@njit(nogil=True, cache=True)
def _splat(flow: np.ndarray, weight: np.ndarray, time: float, sums: np.ndarray) -> None:
    """Add weight times flow, and weight, at the four pixels around each target, bilinearly."""
    height, width = weight.shape
    for y in range(height):
        for x in range(width):
            u, v = flow[y, x, 0], flow[y, x, 1]
            to_x, to_y = x + time * u, y + time * v
            if not (-1.0 < to_x < width and -1.0 < to_y < height):
                continue
            left, top = math.floor(to_x), math.floor(to_y)
            for below in range(2):
                row = top + below
                if row < 0 or row >= height:
                    continue
                share_y = to_y - top if below else 1.0 - (to_y - top)
                for right in range(2):
                    col = left + right
                    if col < 0 or col >= width:
                        continue
                    share = weight[y, x] * share_y * (to_x - left if right else 1.0 - (to_x - left))
                    sums[row, col, 0] += share * u
                    sums[row, col, 1] += share * v
                    sums[row, col, 2] += share
