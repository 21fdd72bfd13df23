"""Two streams of frames in one file, side by side."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

import numpy as np

from lgvsc_flow.block import Block, setting
from lgvsc_flow.blocks.video.writer import VideoEncoder, check_path, exact_rate
from lgvsc_flow.items import Frame
from lgvsc_flow.models import import_extra
from lgvsc_flow.ports import In

__all__ = ["SideBySideWriter", "beside"]


def beside(left: np.ndarray, right: np.ndarray, labels: tuple[str, str] = ("", "")) -> np.ndarray:
    """Two pictures of one height with a white line between them, and a label in the upper left corner of each.

    Labels are left out where they would cover more than a fifth of the height or most of the width.
    """
    if left.shape[0] != right.shape[0]:
        raise ValueError(f"pictures side by side have one height, got {left.shape[0]} and {right.shape[0]}")
    line = np.full((left.shape[0], 2, 3), 255, np.uint8)
    return np.concatenate([_labelled(left, labels[0]), line, _labelled(right, labels[1])], axis=1)


def _labelled(pixels: np.ndarray, text: str) -> np.ndarray:
    if not text:
        return pixels
    cv2 = _import_cv2()
    height, width = pixels.shape[:2]
    scale = max(0.4, height / 600)
    (text_width, text_height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    box = text_height + below + 8
    if box > height / 5 or text_width + 8 > width * 0.8:
        return pixels
    picture = pixels.copy()
    picture[:box, : text_width + 8] //= 3
    place = (4, text_height + 4)
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return picture


def _import_cv2() -> Any:
    return import_extra("cv2", "SideBySideWriter", "video", "opencv-python-headless")


class SideBySideWriter(Block):
    """Write two streams of frames next to each other into one file; see `VideoWriter`."""

    left = In(Frame)
    right = In(Frame)

    path: str | os.PathLike[str] = setting(doc="ends in .mp4, .m4v, .mov or .mkv")
    fps: Fraction | float | str = setting(25, unit="1/s", doc='a number or a fraction like "30000/1001"')
    crf: float = setting(20.0, ge=0, le=51, doc="x264's quality; less is better and larger")
    left_label: str = setting("sent", doc="empty for none")
    right_label: str = setting("received", doc="empty for none")

    def validate(self) -> None:
        self._encoder: VideoEncoder | None = None
        check_path(type(self).__name__, self.path)
        exact_rate(self.fps)

    def start(self) -> None:
        if self.left_label or self.right_label:
            _import_cv2()
        self._encoder = VideoEncoder(self.path, exact_rate(self.fps), self.crf)

    def work(self, left: Frame, right: Frame) -> None:
        assert self._encoder is not None
        if left.index != right.index:
            raise ValueError(f"frame {left.index} left and frame {right.index} right; the streams are out of step")
        self._encoder.write(beside(left.pixels, right.pixels, (self.left_label, self.right_label)))

    def finish(self) -> None:
        assert self._encoder is not None
        self._encoder.finish()

    def stop(self) -> None:
        if self._encoder is not None:
            self._encoder.discard()
