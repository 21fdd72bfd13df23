"""Motion scores from dense optical flow (OpenCV's DIS: Kroeger et al., 2016)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lgvsc_flow.models import import_extra

__all__ = ["flow_magnitude", "shrink", "segment_motion"]

_WIDTH = 256  # pixels, the size flow is computed at


def shrink(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize uint8 [h, w, 3] by area averaging (linear where it grows) to [height, width, 3].

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    cv2 = import_extra("cv2", "resizing pictures", "video", "opencv-python-headless")
    h, w = pixels.shape[:2]
    method = cv2.INTER_AREA if width <= w and height <= h else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=method))


def flow_magnitude(before: np.ndarray, after: np.ndarray) -> float:
    """Mean length of the optical flow between two frames, in pixels of the full size.

    Args:
        before: uint8 [height, width, 3] RGB.
        after: the same shape.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    cv2 = import_extra("cv2", "optical flow", "video", "opencv-python-headless")
    height, width = before.shape[:2]
    scale = min(1.0, _WIDTH / width)
    # DIS refuses pictures smaller than its patches.
    small = [
        cv2.cvtColor(shrink(p, max(round(width * scale), 32), max(round(height * scale), 32)), cv2.COLOR_RGB2GRAY)
        for p in (before, after)
    ]
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(small[0], small[1], None)
    per_axis = np.array([width / small[0].shape[1], height / small[0].shape[0]], dtype=np.float32)
    return float(np.linalg.norm(flow * per_axis, axis=2).mean())


def segment_motion(frames: Sequence[np.ndarray], cut_at: int | None = None, pairs: int = 4) -> float:
    """Mean flow between neighbouring frames of a segment, in pixels per frame; 0 for a single frame.

    Args:
        frames: uint8 [height, width, 3] each, in order.
        cut_at: offset of the first frame behind a hard cut; the pair across it is left out.
        pairs: how many neighbouring pairs, evenly spread, are looked at.
    """
    starts = [i for i in range(len(frames) - 1) if i + 1 != cut_at]
    if not starts:
        return 0.0
    chosen = np.unique(np.linspace(0, len(starts) - 1, min(pairs, len(starts))).round().astype(int))
    return float(np.mean([flow_magnitude(frames[starts[i]], frames[starts[i] + 1]) for i in chosen]))
