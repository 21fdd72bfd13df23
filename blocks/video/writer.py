"""Frames into a video file that every player opens."""

from __future__ import annotations

import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from lgvsc_flow.block import Block, setting
from lgvsc_flow.blocks.video.decode import import_av
from lgvsc_flow.errors import MediaError, SettingError
from lgvsc_flow.items import Frame
from lgvsc_flow.ports import In

__all__ = ["VideoEncoder", "VideoWriter", "check_path", "exact_rate"]

_CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}


def exact_rate(fps: Fraction | float | str) -> Fraction:
    """A frame rate as a fraction, from 25, 29.97 or "30000/1001".

    Raises:
        SettingError: not a number above 0 and at most 1000.
    """
    try:
        rate = Fraction(fps)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise SettingError(f"fps is a number or a fraction like '30000/1001', above 0 and at most 1000; got {fps!r}")
    return rate.limit_denominator(100_000)


def check_path(block: str, path: str | os.PathLike[str]) -> None:
    """Raise `SettingError` unless the ending names a container that `VideoEncoder` writes."""
    if Path(path).suffix.lower() not in _CONTAINERS:
        raise SettingError(f"{block}.path must end in {', '.join(_CONTAINERS)}; got '{path}'")


class VideoEncoder:
    """H.264 into a file that appears under its name when it is complete.

    4:2:0 with 8 bits, BT.709, which every player opens. 4:2:0 needs even sizes: an odd height or width grows by one
    row or column, a copy of the last.

    Args:
        path: .mp4, .m4v, .mov or .mkv.
        fps: frames per second, constant.
        crf: x264's quality, 0 (best) to 51; 18 is visually near lossless.

    Raises:
        MediaError: the folder is missing or cannot be written, the disk is full, or the size changes.
    """

    def __init__(self, path: str | os.PathLike[str], fps: Fraction, crf: float = 18) -> None:
        self.path = Path(path)
        self.fps, self.crf = fps, crf
        self.size: tuple[int, int] | None = None
        self._av = import_av("VideoWriter")
        self._part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._container: Any = None
        self._stream: Any = None
        if not self.path.parent.is_dir():
            raise MediaError(
                f"'{self.path}' cannot be written: there is no folder '{self.path.parent}'. Make it first."
            )

    def write(self, pixels: np.ndarray) -> None:
        """Append a frame, uint8 [height, width, 3] RGB."""
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"a frame is uint8 [height, width, 3], got {pixels.dtype} {list(pixels.shape)}")
        height, width = pixels.shape[:2]
        if self.size is None:
            self.size = (height, width)
            self._guard(self._open)
        if (height, width) != self.size:
            raise MediaError(
                f"'{self.path}' holds frames of {self.size[0]}x{self.size[1]}, got one of {height}x{width}"
            )
        even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        self._guard(lambda: self._mux(self._yuv(even)))

    def finish(self) -> None:
        """Complete the file and give it its name; without a single frame there is no file, and `MediaError`."""
        if self._container is None:
            raise MediaError(f"'{self.path}' was not written: no frame arrived.")

        def close() -> None:
            self._mux(None)
            self._container.close()
            self._container = None
            os.replace(self._part, self.path)

        self._guard(close)

    def discard(self) -> None:
        """Drop an unfinished file; after `finish` this does nothing."""
        if self._container is not None:
            with suppress(self._av.error.FFmpegError, OSError):
                self._container.close()
            self._container = None
        self._part.unlink(missing_ok=True)

    def _guard(self, action: Any) -> None:
        try:
            action()
        except (self._av.error.FFmpegError, OSError) as error:
            self.discard()
            raise MediaError(f"'{self.path}' cannot be written: {error.strerror or error}.") from error

    def _open(self) -> None:
        assert self.size is not None
        height, width = self.size
        container = _CONTAINERS[self.path.suffix.lower()]
        options = {"movflags": "+faststart"} if container != "matroska" else {}
        self._container = self._av.open(f"file:{self._part}", "w", format=container, options=options)
        stream = self._container.add_stream("libx264", rate=self.fps)
        stream.height, stream.width = height + height % 2, width + width % 2
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(self.crf), "preset": "medium"}
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        context.color_range = 1  # 16 to 235
        self._stream = stream

    def _yuv(self, pixels: np.ndarray) -> Any:
        from av.video.reformatter import ColorRange, Colorspace, Interpolation

        exact = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
        rgb = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        return rgb.reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=exact,
        )

    def _mux(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)


class VideoWriter(Block):
    """Write frames to an H.264 file, in the order in which they come; see `VideoEncoder`.

    The file grows under another name and gets its own when the stream has ended well; a failed run leaves nothing.
    """

    frames = In(Frame)

    path: str | os.PathLike[str] = setting(doc="ends in .mp4, .m4v, .mov or .mkv")
    fps: Fraction | float | str = setting(25, unit="1/s", doc='a number or a fraction like "30000/1001"')
    crf: float = setting(18.0, ge=0, le=51, doc="x264's quality; less is better and larger")

    def validate(self) -> None:
        self._encoder: VideoEncoder | None = None
        check_path(type(self).__name__, self.path)
        exact_rate(self.fps)

    def start(self) -> None:
        self._encoder = VideoEncoder(self.path, exact_rate(self.fps), self.crf)

    def work(self, frame: Frame) -> None:
        assert self._encoder is not None
        self._encoder.write(frame.pixels)

    def finish(self) -> None:
        assert self._encoder is not None
        self._encoder.finish()

    def stop(self) -> None:
        if self._encoder is not None:
            self._encoder.discard()
