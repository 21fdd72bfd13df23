"""Moving pictures made on the spot, for tests and examples."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from lgvsc_flow.block import Block, setting
from lgvsc_flow.blocks.video.writer import exact_rate
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Frame
from lgvsc_flow.ports import Out

__all__ = ["TestScene", "scene_frame"]

_GOLDEN = 0.6180339887498949


def scene_frame(height: int, width: int, scene: int, step: float) -> np.ndarray:
    """A frame of one scene: a textured ground that pans, and a disc and a bar that cross it.

    Args:
        height, width: size in pixels.
        scene: each number has its own colours, texture and directions.
        step: time in frames since the scene began; motion is about 1 to 2 pixels per frame.

    Returns:
        uint8 [height, width, 3] RGB.
    """
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    turn = 2 * np.pi * ((scene * _GOLDEN) % 1)
    x_ground, y_ground = x + step * np.cos(turn), y + step * np.sin(turn)
    texture = np.zeros((height, width))
    for wave in range(1, 6):
        angle = turn + wave * 2.4
        period = 6 + 34 / wave
        phase = 2 * np.pi * ((scene + wave) * _GOLDEN % 1)
        along = x_ground * np.cos(angle) + y_ground * np.sin(angle)
        texture += np.sin(2 * np.pi * along / period + phase) / 5
    channels = np.arange(3)
    ground = 118 + 60 * np.sin(turn + 2.1 * channels)
    picture = ground + 55 * texture[..., None]

    radius = max(2.0, 0.14 * min(height, width))
    centre_x = (width * ((scene * _GOLDEN + 0.3) % 1) + 1.7 * step) % (width + 2 * radius) - radius
    distance = np.hypot(x - centre_x, y - height * 0.45 - 0.1 * height * np.sin(step / 9))
    disc = np.clip(radius - distance + 0.5, 0, 1)[..., None]
    picture = picture * (1 - disc) + disc * (128 + 110 * np.cos(turn + 1.0 + 2.1 * channels))

    top = (height * 0.75 - 1.1 * step) % height
    bar = np.clip(height * 0.05 - np.abs(y - top) + 0.5, 0, 1) * np.clip(
        width * 0.2 - np.abs(x - width * 0.7) + 0.5, 0, 1
    )
    picture = picture * (1 - bar[..., None]) + bar[..., None] * (235 - 60 * channels)
    return picture.clip(0, 255).round().astype(np.uint8)


class TestScene(Block):
    """Send a moving picture with hard cuts, the same in every run.

    `scenes` scenes share the `count` frames evenly; `cuts` are the first frames of all but the first of them.
    """

    __test__ = False  # not a test class, whatever its name says to pytest

    frames = Out(Frame, fps="{fps}")

    height: int = setting(96, ge=1, unit="pixels")
    width: int = setting(128, ge=1, unit="pixels")
    count: int = setting(50, ge=1, unit="frames")
    fps: Fraction | float | str = setting(25, unit="1/s")
    scenes: int = setting(2, ge=1)

    def validate(self) -> None:
        exact_rate(self.fps)
        if self.scenes > self.count:
            raise SettingError(f"TestScene: {self.scenes} scenes need at least as many frames, count is {self.count}")

    @property
    def starts(self) -> list[int]:
        """First frame of each scene."""
        return [i * self.count // self.scenes for i in range(self.scenes)]

    @property
    def cuts(self) -> list[int]:
        """Frames that open a new scene."""
        return self.starts[1:]

    def work(self) -> Iterator[Frame]:
        rate = exact_rate(self.fps)
        stops = [*self.cuts, self.count]
        for scene, (start, stop) in enumerate(zip(self.starts, stops, strict=True)):
            for index in range(start, stop):
                yield Frame(scene_frame(self.height, self.width, scene, index - start), index, float(index / rate))
