"""Motion scores from dense optical flow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lgvsc_flow.blocks.semantic.optical_flow import DisFlow, OpticalFlow
from lgvsc_flow.blocks.semantic.shrink import shrink

__all__ = ["flow_magnitude", "segment_motion", "shrink"]


def flow_magnitude(before: np.ndarray, after: np.ndarray, flow: OpticalFlow | None = None) -> float:
    """Mean length of the optical flow between two frames, in pixels of the full size.

    Args:
        before: uint8 [height, width, 3] RGB.
        after: the same shape.
        flow: how it is found; OpenCV's DIS where None.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    found = (flow or DisFlow()).flow(before, after)
    return float(np.linalg.norm(found, axis=2).mean())


def segment_motion(
    frames: Sequence[np.ndarray], cut_at: int | None = None, pairs: int = 4, flow: OpticalFlow | None = None
) -> float:
    """Mean flow between neighbouring frames of a segment, in pixels per frame; 0 for a single frame.

    Args:
        frames: uint8 [height, width, 3] each, in order.
        cut_at: offset of the first frame behind a hard cut; the pair across it is left out.
        pairs: how many neighbouring pairs, evenly spread, are looked at.
        flow: how flow is found; OpenCV's DIS where None.
    """
    starts = [i for i in range(len(frames) - 1) if i + 1 != cut_at]
    if not starts:
        return 0.0
    chosen = np.unique(np.linspace(0, len(starts) - 1, min(pairs, len(starts))).round().astype(int))
    return float(np.mean([flow_magnitude(frames[starts[i]], frames[starts[i] + 1], flow) for i in chosen]))
