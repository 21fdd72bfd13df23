"""Small media files, made on the spot."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")

MakeVideo = Callable[..., Path]


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Write a noisy video: make_video("a.mp4", count=30, rotation=0, faststart=False, fps=25)."""

    def make(
        name: str,
        count: int = 30,
        size: tuple[int, int] = (48, 64),
        rotation: int = 0,
        faststart: bool = False,
        fps: Fraction = Fraction(25),
        codec: str = "libx264",
    ) -> Path:
        path = tmp_path / name
        rng = np.random.default_rng(0)
        options = {"movflags": "+faststart"} if faststart else {}
        with av.open(str(path), "w", options=options) as container:
            stream = container.add_stream(codec, rate=fps)
            stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
            if rotation:
                stream.set_display_rotation(rotation)
            for _ in range(count):
                pixels = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
            container.mux(stream.encode())
        return path

    return make


@pytest.fixture
def make_sound(tmp_path: Path) -> MakeVideo:
    """Write a second of silence in an MP4 container."""

    def make(name: str) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=8000, layout="mono")
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            sound.sample_rate = 8000
            for _ in range(8):
                container.mux(stream.encode(sound))
            container.mux(stream.encode())
        return path

    return make
