"""A video file as a source of frames, and what can be known of one before it flows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from lgvsc_flow.block import Block, setting
from lgvsc_flow.blocks.video.decode import decode, frame_rate, open_video
from lgvsc_flow.items import Frame
from lgvsc_flow.ports import Out

if TYPE_CHECKING:
    import av

__all__ = ["VideoFile", "VideoInfo", "count_frames", "probe"]


@dataclass(frozen=True)
class VideoInfo:
    """The size as displayed, in pixels; frames per second; and the frames announced, 0 where unknown.

    `num_frames` is what the container says, for a progress bar; `count_frames` gives the true number.
    """

    height: int
    width: int
    fps: Fraction
    num_frames: int


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """Read a video's size and rate; its first frame is decoded, so that the answer can be trusted.

    Raises:
        MediaError: the file is missing, empty, no video, or its first frame cannot be decoded.
    """
    frames = decode(path, max_frames=1)
    height, width = _pixels(next(frames)).shape[:2]
    frames.close()
    with open_video(path) as (_, stream):
        fps = frame_rate(stream)
        announced = stream.frames
        if not announced and stream.duration is not None and stream.time_base is not None:
            announced = round(stream.duration * stream.time_base * fps)
    return VideoInfo(height, width, fps, announced)


def count_frames(path: str | os.PathLike[str], max_frames: int | None = None, on_truncated: str = "error") -> int:
    """Decode the whole video, or `max_frames` of it, and count its frames.

    A damaged file is found here, before anything was sent or written.

    Raises:
        MediaError: see `VideoFile`.
    """
    return sum(1 for _ in decode(path, max_frames=max_frames, on_truncated=on_truncated))


class VideoFile(Block):
    """Read a video file: RGB frames, one after the other; the film is never in memory as a whole.

    Frames are turned as the file's rotation asks, in steps of 90 degrees. Non-square pixels and interlacing are left
    as they are. `index` counts from 0; `time_s` is the frame's own time where it has one, else index / fps.

    A truncated file is an error once its last good frame is out (`on_truncated="error"`), or the end of the stream
    with a note in `truncated` (`"stop"`). Run `count_frames` first to know beforehand.

    Raises:
        MediaError: the file is missing, empty, truncated, no video, has only sound, or changes its size.
    """

    frames = Out(Frame)

    path: str | os.PathLike[str] = setting(doc="a file in a container that FFmpeg reads")
    max_frames: int | None = setting(None, ge=1, unit="frames", doc="read no more than these")
    on_truncated: str = setting("error", choices=("error", "stop"))

    truncated = ""

    def start(self) -> None:
        self.truncated = ""
        with open_video(self.path) as (_, stream):
            self._fps = frame_rate(stream)
        self._source = decode(self.path, max_frames=self.max_frames, on_truncated=self.on_truncated)

    def work(self) -> Iterator[Frame]:
        origin: float | None = None
        index = 0
        while True:
            try:
                frame = next(self._source)
            except StopIteration as end:
                self.truncated = end.value or ""
                return
            # Times count from the first frame, like the indices.
            if frame.time is not None and origin is None:
                origin = frame.time
            time_s = index / float(self._fps) if frame.time is None or origin is None else frame.time - origin
            yield Frame(_pixels(frame), index, time_s)
            index += 1

    def stop(self) -> None:
        source = getattr(self, "_source", None)
        if source is not None:
            source.close()


def _pixels(frame: av.VideoFrame) -> np.ndarray:
    """Pixels as displayed, uint8 [height, width, 3] RGB."""
    from av.video.reformatter import Interpolation

    exact = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT
    pixels = frame.to_ndarray(format="rgb24", interpolation=exact)
    turns = round(frame.rotation / 90) % 4  # counter-clockwise
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels
