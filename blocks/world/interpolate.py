"""The embedded generator: motion-compensated interpolation between two keyframes. No more, and no less."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lgvsc_flow.blocks.world.model import WorldModel
from lgvsc_flow.items import Caption, SideInfo
from lgvsc_flow.models import import_extra

__all__ = ["InterpolatorModel", "Motion", "estimate_motion", "interpolate", "likeness"]

# Chosen on bikes.mp4 (keyframes 8, 16 and 32 frames apart, and SKEM's), by mean PSNR; see docs/world.md.
_PATCH, _STRIDE, _ITERATIONS = 12, 4, 32
_COARSE = 24, 6  # patch and stride of the flow that tells shots apart; small patches match too much
_TOLERANCE = 0.01  # of the picture's size: where the two flows disagree by this much, trust falls to 1/e
_RELATIVE = 0.5  # and of the motion itself
_NOISE = 2.0  # grey levels by which pictures may always differ
_AREA = 0.02  # of the picture's size: half the window in which the flow must prove useful
_FLOOR = 0.3  # weight that a distrusted picture keeps beside a trusted one
_SMALLEST = 96  # pixels; the flow of smaller pictures is found on enlarged ones
_SAME_SHOT = 0.24  # likeness of two keyframes of one shot


def _cv2() -> Any:
    return import_extra("cv2", "the world model interpolator", "video", "opencv-python-headless")


@dataclass(frozen=True, eq=False)
class Motion:
    """Optical flow between two pictures, both ways, and how far it can be trusted.

    `forward` and `backward` are float32 [height, width, 2], in pixels (x, y); the trusts float32 [height, width],
    0 to 1: 1 where going there and back again ends where it began, and finds the same colours on the way.
    """

    forward: np.ndarray
    backward: np.ndarray
    forward_trust: np.ndarray
    backward_trust: np.ndarray


def estimate_motion(first: np.ndarray, last: np.ndarray, patch: int = _PATCH, stride: int = _STRIDE) -> Motion:
    """Dense inverse search flow (Kroeger et al., ECCV 2016) both ways, with a forward-backward check.

    Args:
        first, last: uint8 [height, width, 3] RGB of one size, any size from 1x1.
        patch, stride: size and distance of the patches that are matched, in pixels.
    """
    cv2 = _cv2()
    height, width = first.shape[:2]
    zoom = max(1.0, _SMALLEST / min(height, width))
    big = (max(round(width * zoom), _SMALLEST), max(round(height * zoom), _SMALLEST))
    greys = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (first, last)]
    if zoom > 1:
        greys = [cv2.resize(g, big, interpolation=cv2.INTER_CUBIC) for g in greys]
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setPatchSize(patch)
    search.setPatchStride(stride)
    search.setGradientDescentIterations(_ITERATIONS)
    flows = []
    for one, other in (greys, greys[::-1]):
        flow = search.calc(one, other, None)
        if zoom > 1:
            flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
            flow = flow * np.array([width / big[0], height / big[1]], np.float32)
        flows.append(flow.reshape(height, width, 2))
    forward, backward = flows
    grid = _grid(height, width)
    gain = _gain(first, last, forward, grid), _gain(last, first, backward, grid)
    return Motion(
        forward, backward, _trust(forward, backward, grid) * gain[0], _trust(backward, forward, grid) * gain[1]
    )


def _grid(height: int, width: int) -> np.ndarray:
    """Each pixel's own coordinates, float32 [height, width, 2] (x, y)."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([x, y], -1)


def _sample(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    """A picture or field at fractional places, bilinear, its border repeated outwards."""
    cv2 = _cv2()
    sampled = cv2.remap(picture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled).reshape(*places.shape[:2], *picture.shape[2:])


def _trust(there: np.ndarray, back: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """exp(-(gap / tolerance)^2) of the gap that is left after going there and back."""
    gap = there + _sample(back, grid + there)
    tolerance = _TOLERANCE * math.sqrt(there.shape[0] * there.shape[1]) + _RELATIVE * np.hypot(
        there[..., 0], there[..., 1]
    )
    return np.exp(-(gap * gap).sum(-1) / (tolerance * tolerance)).astype(np.float32)


def _gain(here: np.ndarray, there: np.ndarray, flow: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """exp(-r^2), r the difference that is left along the flow over the difference in place, both averaged nearby.

    A flow that explains nothing is not worth following: a fade is no worse then, and does not tear.
    """
    cv2 = _cv2()
    side = 2 * int(_AREA * math.sqrt(here.shape[0] * here.shape[1])) + 1
    one, two = here.astype(np.float32), there.astype(np.float32)
    left, before = (cv2.blur(np.abs(one - other).mean(-1), (side, side)) for other in (_sample(two, grid + flow), two))
    ratio = left / (before + _NOISE)
    return np.asarray(np.exp(-ratio * ratio), np.float32).reshape(here.shape[:2])


def interpolate(first: np.ndarray, last: np.ndarray, num_frames: int) -> Iterator[np.ndarray]:
    """Frames at times 0, 1/n ... (n-1)/n between two pictures: frame 0 is `first` itself, `last` would be frame n.

    Each frame gathers from both pictures along the flow, bent to its time for linear motion (Jiang et al., "Super
    SloMo", CVPR 2018, eq. 4). The nearer picture counts more, and a place that only one flow vouches for (the other
    picture hides it) takes mostly that one. Where neither can be trusted, the frame fades from one picture to the
    other: blurred, but without torn shapes.

    Args:
        first, last: uint8 [height, width, 3] RGB of one size.
        num_frames: n, 1 or more.
    """
    yield first.copy()
    if num_frames == 1:
        return
    cv2 = _cv2()
    motion = estimate_motion(first, last)
    forward, backward = motion.forward, motion.backward
    grid = _grid(*first.shape[:2])
    # Trust rides as a fourth channel, so that one sampling moves both.
    opening = np.dstack([first.astype(np.float32), motion.forward_trust])
    closing = np.dstack([last.astype(np.float32), motion.backward_trust])
    for number in range(1, num_frames):
        t = number / num_frames
        past = _sample(opening, grid + (t * t * backward - (1 - t) * t * forward))
        future = _sample(closing, grid + ((1 - t) * (1 - t) * forward - t * (1 - t) * backward))
        past_weight = (1 - t) * (past[..., 3] + _FLOOR)
        future_weight = t * (future[..., 3] + _FLOOR)
        share = (future_weight / (past_weight + future_weight))[..., None]
        trust = np.maximum(past[..., 3], future[..., 3])[..., None]
        moved = past[..., :3] + share * (future[..., :3] - past[..., :3])
        faded = cv2.addWeighted(first, 1 - t, last, t, 0, dtype=cv2.CV_32F).reshape(moved.shape)
        yield np.rint(faded + trust * (moved - faded)).clip(0, 255).astype(np.uint8)


def likeness(first: np.ndarray, last: np.ndarray) -> float:
    """Correlation of the fine detail of two pictures along their motion, -1 to 1.

    On bikes.mp4 it is 0.29 or more for keyframes of one shot (up to 32 frames apart), 0.20 or less across a cut.
    """
    cv2 = _cv2()
    motion = estimate_motion(first, last, *_COARSE)
    details = []
    for picture in (first, last):
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        details.append(grey - cv2.GaussianBlur(grey, (0, 0), max(1.0, 0.02 * math.sqrt(grey.size))))
    grid = _grid(*first.shape[:2])
    scores = []
    for one, other, flow in ((*details, motion.forward), (*details[::-1], motion.backward)):
        there = _sample(other, grid + flow)
        power = float((one * one).mean(dtype=np.float64) * (there * there).mean(dtype=np.float64))
        # Pictures without detail have nothing that could differ.
        scores.append(float((one * there).mean(dtype=np.float64)) / math.sqrt(power) if power > 1e-6 else 1.0)
    return sum(scores) / 2


class InterpolatorModel(WorldModel):
    """Moves the pixels of the two keyframes towards each other; knows neither words nor the world.

    Without one of the keyframes the other is held. Where side information was lost, a hard cut may lie between the
    keyframes unannounced: two that have too little in common to be one shot are held, half the time each.
    """

    name = "interpolator"

    def load(self) -> None:
        _cv2()

    def generate(
        self,
        first: np.ndarray | None,
        last: np.ndarray | None,
        caption: Caption,
        side: SideInfo,
        num_frames: int,
        rng: np.random.Generator,
    ) -> Iterator[np.ndarray]:
        """See `WorldModel.generate`.

        Raises:
            ValueError: neither keyframe is given, or they differ in size.
        """
        if first is None or last is None:
            held = last if first is None else first
            if held is None:
                raise ValueError("an interpolator needs a keyframe; both are missing")
            yield from (held.copy() for _ in range(num_frames))
            return
        if first.shape != last.shape:
            raise ValueError(f"keyframes of one segment have one size, got {first.shape[:2]} and {last.shape[:2]}")
        if side.lost and num_frames > 1 and likeness(first, last) < _SAME_SHOT:
            half = (num_frames + 1) // 2
            yield from (first.copy() for _ in range(half))
            yield from (last.copy() for _ in range(num_frames - half))
            return
        yield from interpolate(first, last, num_frames)
