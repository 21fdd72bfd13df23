"""What SKIM and SKEM share: frames in, captioned segments with their cuts out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lgvsc_flow.blocks.semantic.cuts import CutDetector
from lgvsc_flow.blocks.semantic.motion import segment_motion
from lgvsc_flow.blocks.semantic.words import motion_words
from lgvsc_flow.errors import MediaError
from lgvsc_flow.items import Frame, Segment

__all__ = ["Captioner", "Part", "Segmenter", "with_motion"]

# Frames of a segment and the cut among them -> caption.
Captioner = Callable[[Sequence[Frame], int | None], str]


@dataclass(frozen=True, eq=False)
class Part:
    """Frames of a segment whose cut is not known yet, with their scores; `start` counts frames of the stream."""

    start: int
    frames: tuple[Frame, ...]
    s_rel: tuple[float, ...] = ()
    closing: bool = False


class Segmenter:
    """Numbers, captions and cut-marks the parts of a stream.

    Frames go in through `push` in order, parts through `add` in order. A segment comes out once the cut detector
    knows the boundary behind it, a few frames later.
    """

    def __init__(self, captioner: Captioner | None) -> None:
        self._captioner = captioner
        self._detector = CutDetector()
        self._waiting: list[Part] = []
        self._index = 0
        self._ended = False
        self._shape: tuple[int, ...] | None = None

    def push(self, frame: Frame) -> None:
        """Look at the next frame of the stream.

        Raises:
            MediaError: its size differs from the first frame's.
        """
        shape = frame.pixels.shape
        if self._shape is None:
            self._shape = shape
        if shape != self._shape:
            raise MediaError(
                f"frame {frame.index} is {shape[1]}x{shape[0]}, the frames before it are "
                f"{self._shape[1]}x{self._shape[0]}; put a Resize block in front, so that all frames have one size"
            )
        self._detector.push(frame.pixels)

    def boundary_cut(self, start: int, stop: int) -> int | None:
        """The first known cut among the boundaries start to stop, both included."""
        return self._detector.first_cut(start, stop)

    def add(self, part: Part) -> None:
        """Take the next part, right behind the one before."""
        self._waiting.append(part)

    def ready(self) -> Iterator[Segment]:
        """The segments that are decided."""
        while self._waiting:
            part = self._waiting[0]
            if not self._ended and part.start + len(part.frames) >= self._detector.known_until:
                return
            self._waiting.pop(0)
            yield self._segment(part)

    def decide(self) -> None:
        """No frame follows: all that is left is decided with what is there."""
        self._detector.finish()
        self._ended = True

    def _segment(self, part: Part) -> Segment:
        stop = part.start + len(part.frames)
        cut = self._detector.first_cut(part.start + 1, stop)
        self._detector.forget(stop)
        cut_at = None if cut is None else cut - part.start
        caption = "" if self._captioner is None else self._captioner(part.frames, cut_at)
        segment = Segment(self._index, part.frames, caption, part.s_rel, cut_at, part.closing)
        self._index += 1
        return segment


def with_motion(text: str, frames: Sequence[Frame], cut_at: int | None) -> str:
    """A caption of a frame's description and the words for the segment's motion; a single frame has no motion."""
    if len(frames) < 2:
        return text
    pixels = [f.pixels for f in frames]
    words = motion_words(segment_motion(pixels, cut_at), pixels[0].shape[1])
    return f"{text}, {words}" if text else words
