"""The embedded generator: motion-compensated interpolation between two keyframes. No more, and no less."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from lgvsc_flow.blocks.semantic.motion_field import spread
from lgvsc_flow.blocks.world.model import WorldModel
from lgvsc_flow.blocks.world.motion import difference, estimate_motion, pixel_grid, sample
from lgvsc_flow.blocks.world.splat import project
from lgvsc_flow.items import Caption, SideInfo
from lgvsc_flow.models import import_extra

__all__ = ["Between", "InterpolatorModel", "Parts", "displacement", "interpolate", "likeness"]

# Chosen on shots of bikes.mp4, vtest.avi and Big Buck Bunny, keyframes 8 and 16 frames apart; see docs/world.md.
_COARSE = 24, 6  # patch and stride of the flow that tells shots apart; small patches match too much
_NOISE = 2.0  # grey levels by which pictures may always differ
_AREA = 0.012  # of the picture's size: half the window over which motions are judged
_USEFUL = 0.02  # the same where flow alone must prove useful
_FLOOR = 0.3  # weight that a distrusted picture keeps beside a trusted one
_CHOICE = 4.0  # how strictly the motion that explains a place best is preferred to the others
_FADE = 0.7  # how fast trust falls with what no motion explains
_DEPTH = 8.0  # grey levels: a pixel that differs so much at its other end gives way to 1/e of its weight
_LOST, _LEAST = 0.05, 1e-3  # weights that a pixel keeps without a way back, and at least
_SAME_SHOT = 0.24  # likeness of two keyframes of one shot


def _cv2() -> Any:
    return import_extra("cv2", "the world model interpolator", "video", "opencv-python-headless")


def interpolate(
    first: np.ndarray, last: np.ndarray, num_frames: int, field: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """Frames at times 0, 1/n ... (n-1)/n between two pictures: frame 0 is `first` itself, `last` would be frame n.

    Each frame gathers from both pictures along their motion. The nearer picture counts more, and a place that only one
    flow vouches for (the other picture hides it) takes mostly that one. What no motion explains fades from one picture
    to the other: blurred, but without torn shapes.

    Without a field the motion is the flow between the two pictures. With one, several motions compete for each place
    and count by how well the two pictures agree along them nearby: the flow from `first` and the flow from `last`, both
    carried to the frame's time, the field, and none; the flow is also looked for where the field says.

    Args:
        first, last: uint8 [height, width, 3] RGB of one size.
        num_frames: n, 1 or more.
        field: motion of each cell of a grid, float32 [rows, cols, 2] in pixels per frame (x, y); see
            `motion_field.spread`.
    """
    yield first.copy()
    if num_frames == 1:
        return
    height, width = first.shape[:2]
    told = None if field is None else displacement(field, height, width, num_frames)
    between = Between(first, last, told)
    for number in range(1, num_frames):
        yield between.parts(number / num_frames).frame


def displacement(field: np.ndarray, height: int, width: int, num_frames: int) -> np.ndarray:
    """The way that a field's motion goes in so many frames, float32 [height, width, 2] in pixels (x, y)."""
    # Beyond the picture there is nothing to find.
    reach = np.array([width, height], np.float32)
    return np.clip(spread(field, height, width) * np.float32(num_frames), -reach, reach)


class Parts(NamedTuple):
    """A frame and what it was made of.

    `frame`, `past` and `future` are uint8 [height, width, 3]: the frame, and the two keyframes moved to its time;
    `doubt` is uint8 [height, width], 255 where no motion explains the pictures.
    """

    frame: np.ndarray
    past: np.ndarray
    future: np.ndarray
    doubt: np.ndarray


class Between:
    """The frames between two pictures, each by its time from 0 to 1.

    Args:
        first, last: uint8 [height, width, 3] RGB of one size.
        told: displacement between them that was transmitted, float32 [height, width, 2] in pixels (x, y).
    """

    def __init__(self, first: np.ndarray, last: np.ndarray, told: np.ndarray | None) -> None:
        self._cv2 = _cv2()
        height, width = first.shape[:2]
        self._side = 2 * int(_AREA * math.sqrt(height * width)) + 1
        self._grid = pixel_grid(height, width)
        self._first, self._last = first.astype(np.float32), last.astype(np.float32)
        motion = estimate_motion(first, last, told=told)
        self._forward, self._backward, self._told = motion.forward, motion.backward, told
        trusts = motion.forward_trust, motion.backward_trust
        if told is None:
            gains = (
                self._gain(self._first, self._last, motion.forward),
                self._gain(self._last, self._first, motion.backward),
            )
            trusts = trusts[0] * gains[0], trusts[1] * gains[1]
        self._weights = (
            self._weight(self._first, self._last, motion.forward, motion.forward_trust),
            self._weight(self._last, self._first, motion.backward, motion.backward_trust),
        )
        # Trust rides as a fourth channel, so that one sampling moves both.
        self._opening = np.dstack([self._first, trusts[0]])
        self._closing = np.dstack([self._last, trusts[1]])
        self._apart = self._nearby(self._first, self._last) + _NOISE

    def parts(self, t: float) -> Parts:
        """The frame at a time above 0 and below 1."""
        return self._by_flow(t) if self._told is None else self._by_choice(t, self._told)

    def _by_flow(self, t: float) -> Parts:
        """Along the flow, bent to the time for linear motion (Jiang et al., "Super SloMo", CVPR 2018, eq. 4)."""
        forward, backward = self._forward, self._backward
        past = sample(self._opening, self._grid + (t * t * backward - (1 - t) * t * forward))
        future = sample(self._closing, self._grid + ((1 - t) * (1 - t) * forward - t * (1 - t) * backward))
        moved = past[..., :3] + self._toward(past, future, t) * (future[..., :3] - past[..., :3])
        trust = np.maximum(past[..., 3], future[..., 3])
        return self._parts(t, moved, past[..., :3], future[..., :3], trust)

    def _by_choice(self, t: float, told: np.ndarray) -> Parts:
        """Along the motions that explain each place best: both flows, the field, none."""
        motions = [
            project(self._forward, self._weights[0], t),
            -project(self._backward, self._weights[1], 1 - t),
            told,
            np.zeros_like(self._forward),
        ]
        total, shares = np.zeros_like(self._first), np.zeros_like(self._apart)
        pasts, futures = np.zeros_like(self._first), np.zeros_like(self._first)
        least = np.full_like(self._apart, np.inf)
        for number, motion in enumerate(motions):
            past = sample(self._opening, self._grid - np.float32(t) * motion)
            future = sample(self._closing, self._grid + np.float32(1 - t) * motion)
            unexplained = self._nearby(past[..., :3], future[..., :3]) / self._apart
            if number < len(motions) - 1:  # a place at rest is explained by a fade
                np.minimum(least, unexplained, out=least)
            toward = self._toward(past, future, t)
            share = np.exp(-_CHOICE * unexplained)[..., None]
            pasts += share * past[..., :3]
            futures += share * future[..., :3]
            total += share * (past[..., :3] + toward * (future[..., :3] - past[..., :3]))
            shares += share[..., 0]
        moved, past, future = (sums / shares[..., None] for sums in (total, pasts, futures))
        return self._parts(t, moved, past, future, np.exp(-_FADE * least * least))

    def _toward(self, past: np.ndarray, future: np.ndarray, t: float) -> np.ndarray:
        """The share of the later keyframe: the nearer one counts more, and the one that hides nothing."""
        past_weight = (1 - t) * (past[..., 3:] + _FLOOR)
        future_weight = t * (future[..., 3:] + _FLOOR)
        return np.asarray(future_weight / (past_weight + future_weight))

    def _parts(self, t: float, moved: np.ndarray, past: np.ndarray, future: np.ndarray, trust: np.ndarray) -> Parts:
        faded = self._first + np.float32(t) * (self._last - self._first)
        pictures = faded + trust[..., None] * (moved - faded), past, future, 255 * (1 - trust)
        return Parts(*(np.asarray(np.rint(p).clip(0, 255), np.uint8) for p in pictures))

    def _nearby(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Mean absolute difference around each place."""
        apart = np.abs(one - other).mean(-1)
        return np.asarray(self._cv2.blur(apart, (self._side, self._side)), np.float32).reshape(apart.shape)

    def _gain(self, here: np.ndarray, there: np.ndarray, flow: np.ndarray) -> np.ndarray:
        """exp(-r^2), r the difference that is left along the flow over the difference in place, both nearby.

        A flow that explains nothing is not worth following: a fade is no worse then, and does not tear.
        """
        side = 2 * int(_USEFUL * math.sqrt(here.shape[0] * here.shape[1])) + 1
        left, before = (
            self._cv2.blur(d, (side, side)).reshape(d.shape)
            for d in (difference(here, there, flow, self._grid), np.abs(here - there).mean(-1))
        )
        ratio = left / (before + _NOISE)
        return np.asarray(np.exp(-ratio * ratio), np.float32)

    def _weight(self, here: np.ndarray, there: np.ndarray, flow: np.ndarray, trust: np.ndarray) -> np.ndarray:
        same = np.exp(-difference(here, there, flow, self._grid) / _DEPTH)
        return np.asarray(same * (trust + _LOST) + _LEAST, np.float32)


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
    grid = pixel_grid(*first.shape[:2])
    scores = []
    for one, other, flow in ((*details, motion.forward), (*details[::-1], motion.backward)):
        there = sample(other, grid + flow)
        power = float((one * one).mean(dtype=np.float64) * (there * there).mean(dtype=np.float64))
        # Pictures without detail have nothing that could differ.
        scores.append(float((one * there).mean(dtype=np.float64)) / math.sqrt(power) if power > 1e-6 else 1.0)
    return sum(scores) / 2


class InterpolatorModel(WorldModel):
    """Moves the pixels of the two keyframes towards each other; knows neither words nor the world.

    A motion field in the side information is followed where it explains the pictures better than their own flow does.

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
        if first is not None and last is not None and not self.holds(first, last, side, num_frames):
            yield from interpolate(first, last, num_frames, side.field)
            return
        opening, closing = (last if first is None else first), (first if last is None else last)
        if opening is None or closing is None:
            raise ValueError("an interpolator needs a keyframe; both are missing")
        half = (num_frames + 1) // 2
        yield from (opening.copy() for _ in range(half))
        yield from (closing.copy() for _ in range(num_frames - half))

    def holds(self, first: np.ndarray | None, last: np.ndarray | None, side: SideInfo, num_frames: int) -> bool:
        """Whether keyframes are held: one is missing, or a cut that nobody announced seems to lie between them.

        Raises:
            ValueError: they differ in size.
        """
        if first is None or last is None:
            return True
        if first.shape != last.shape:
            raise ValueError(f"keyframes of one segment have one size, got {first.shape[:2]} and {last.shape[:2]}")
        return side.lost and num_frames > 1 and likeness(first, last) < _SAME_SHOT

    def between(self, first: np.ndarray, last: np.ndarray, side: SideInfo, num_frames: int) -> Between:
        """The frames between two keyframes, with the field of the side information where there is one."""
        height, width = first.shape[:2]
        told = None if side.field is None else displacement(side.field, height, width, num_frames)
        return Between(first, last, told)
