"""Dense motion between two keyframes, both ways, with its trust; from the pictures, and from a transmitted field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lgvsc_flow.models import import_extra

__all__ = ["Motion", "difference", "estimate_motion", "pixel_grid", "sample"]

_PATCH, _STRIDE, _ITERATIONS = 12, 4, 32
_TOLERANCE = 0.01  # of the picture's size: where the two flows disagree by this much, trust falls to 1/e
_RELATIVE = 0.5  # and of the motion itself
_SMALLEST = 96  # pixels; the flow of smaller pictures is found on enlarged ones
_NEARBY = 0.01  # of the picture's size: half the window over which two flows are compared
_MOST = 60.0  # grey levels; a larger difference tells no more
_STRAY = 20.0  # grey levels that a flow without a way back must be better by


@dataclass(frozen=True, eq=False)
class Motion:
    """Optical flow between two pictures, both ways, and how far it can be trusted.

    `forward` and `backward` are float32 [height, width, 2], in pixels (x, y); the trusts float32 [height, width],
    0 to 1: 1 where going there and back again ends where it began.
    """

    forward: np.ndarray
    backward: np.ndarray
    forward_trust: np.ndarray
    backward_trust: np.ndarray


def estimate_motion(
    first: np.ndarray,
    last: np.ndarray,
    patch: int = _PATCH,
    stride: int = _STRIDE,
    told: np.ndarray | None = None,
) -> Motion:
    """Dense inverse search flow (Kroeger et al., ECCV 2016) both ways, with a forward-backward check.

    With a motion that was told, a second search begins there, and finds what moves too far for the first. Each place
    takes the flow that leaves the smaller difference and has a way back.

    Args:
        first, last: uint8 [height, width, 3] RGB of one size, any size from 1x1.
        patch, stride: size and distance of the patches that are matched, in pixels.
        told: displacement from `first` to `last`, float32 [height, width, 2] in pixels (x, y).
    """
    found = _search(first, last, patch, stride, None)
    if told is not None:
        found = _best(first, last, [found, _search(first, last, patch, stride, told)])
    forward, backward = found
    grid = pixel_grid(*first.shape[:2])
    return Motion(forward, backward, _trust(forward, backward, grid), _trust(backward, forward, grid))


def pixel_grid(height: int, width: int) -> np.ndarray:
    """Each pixel's own coordinates, float32 [height, width, 2] (x, y)."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([x, y], -1)


def sample(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    """A picture or field at fractional places, bilinear, its border repeated outwards."""
    cv2 = _cv2()
    sampled = cv2.remap(picture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled).reshape(*places.shape[:2], *picture.shape[2:])


def difference(here: np.ndarray, there: np.ndarray, flow: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Mean absolute difference of the colours at both ends of a flow, float32 [height, width]."""
    return np.asarray(np.abs(here - sample(there, grid + flow)).mean(-1), np.float32)


def _cv2() -> Any:
    return import_extra("cv2", "the world model interpolator", "video", "opencv-python-headless")


def _search(
    first: np.ndarray, last: np.ndarray, patch: int, stride: int, told: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Flow forward and backward, from nothing or from a motion that was told."""
    cv2 = _cv2()
    height, width = first.shape[:2]
    zoom = max(1.0, _SMALLEST / min(height, width))
    big = (max(round(width * zoom), _SMALLEST), max(round(height * zoom), _SMALLEST)) if zoom > 1 else (width, height)
    scale = np.array([big[0] / width, big[1] / height], np.float32)
    greys = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (first, last)]
    if zoom > 1:
        greys = [cv2.resize(g, big, interpolation=cv2.INTER_CUBIC) for g in greys]
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setPatchSize(patch)
    search.setPatchStride(stride)
    search.setGradientDescentIterations(_ITERATIONS)
    flows = []
    for one, other, sign in ((*greys, 1), (*greys[::-1], -1)):
        start = None
        if told is not None:
            start = cv2.resize(sign * told, big, interpolation=cv2.INTER_LINEAR).reshape(big[1], big[0], 2) * scale
        flow = search.calc(one, other, start)
        if zoom > 1:
            flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, 2) / scale
        flows.append(np.asarray(flow, np.float32).reshape(height, width, 2))
    return flows[0], flows[1]


def _best(
    first: np.ndarray, last: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """At each place the flow of those found that explains both pictures best."""
    cv2 = _cv2()
    height, width = first.shape[:2]
    grid = pixel_grid(height, width)
    side = 2 * int(_NEARBY * math.sqrt(height * width)) + 1
    one, two = first.astype(np.float32), last.astype(np.float32)
    chosen = []
    for here, there, way in ((one, two, 0), (two, one, 1)):
        costs = []
        for pair in pairs:
            left = np.minimum(difference(here, there, pair[way], grid), _MOST)
            stray = 1 - _trust(pair[way], pair[1 - way], grid)
            costs.append(cv2.blur(left + _STRAY * stray, (side, side)).reshape(height, width))
        number = np.stack(costs).argmin(0)[None, ..., None]
        chosen.append(np.take_along_axis(np.stack([p[way] for p in pairs]), number, 0)[0])
    return chosen[0], chosen[1]


def _trust(there: np.ndarray, back: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """exp(-(gap / tolerance)^2) of the gap that is left after going there and back."""
    gap = there + sample(back, grid + there)
    tolerance = _TOLERANCE * math.sqrt(there.shape[0] * there.shape[1]) + _RELATIVE * np.hypot(
        there[..., 0], there[..., 1]
    )
    return np.exp(-(gap * gap).sum(-1) / (tolerance * tolerance)).astype(np.float32)
