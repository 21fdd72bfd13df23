"""Full-reference distortion of video: PSNR and SSIM, frame by frame."""

from __future__ import annotations

import math

import numpy as np

from lgvsc_flow.block import Block, setting
from lgvsc_flow.items import Frame
from lgvsc_flow.models import import_extra
from lgvsc_flow.ports import In

__all__ = ["PsnrMeter", "SsimMeter", "psnr_db", "ssim"]

SSIM_WINDOW, _SIGMA = 11, 1.5  # Wang et al. 2004, section III-C


def psnr_db(reference: np.ndarray, image: np.ndarray, cap_db: float = 100.0) -> float:
    """Peak signal-to-noise ratio in dB of uint8 images of one shape, over all pixels and RGB channels.

    Identical images, whose ratio is infinite, get `cap_db`.
    """
    difference = reference.astype(np.int32) - image
    squares = int((difference * difference).sum(dtype=np.int64))
    if squares == 0:
        return cap_db
    return min(cap_db, 10 * math.log10(255.0**2 * difference.size / squares))


def ssim(reference: np.ndarray, image: np.ndarray) -> float:
    """Structural similarity of uint8 [height, width, 3] images, the mean over channels and window positions.

    Gaussian window of 11x11 with sigma 1.5, K1 = 0.01, K2 = 0.03, windows that lie inside the image only.
    Ref: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE Trans. Image Processing 13(4), 2004.

    Raises:
        ValueError: an image smaller than the window.
    """
    if min(reference.shape[:2]) < SSIM_WINDOW:
        height, width = reference.shape[:2]
        raise ValueError(f"SSIM needs frames of at least {SSIM_WINDOW}x{SSIM_WINDOW} pixels, got {height}x{width}")
    cv2 = import_extra("cv2", "SsimMeter", "video", "opencv-python-headless")

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(values, (SSIM_WINDOW, SSIM_WINDOW), _SIGMA))

    # Moments about mid-grey keep the float32 variances exact enough.
    x, y = reference.astype(np.float32) - 128, image.astype(np.float32) - 128
    mean_x, mean_y = mean(x), mean(y)
    var_x, var_y = mean(x * x) - mean_x * mean_x, mean(y * y) - mean_y * mean_y
    covariance = mean(x * y) - mean_x * mean_y
    mean_x += 128
    mean_y += 128
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    score = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    score /= (mean_x * mean_x + mean_y * mean_y + c1) * (var_x + var_y + c2)
    margin = SSIM_WINDOW // 2
    return float(score[margin:-margin, margin:-margin].mean(dtype=np.float64))


def _check_pair(sent: Frame, received: Frame) -> None:
    if sent.index != received.index:
        raise ValueError(
            f"frame {sent.index} was sent and frame {received.index} received; the streams are out of step"
        )
    if sent.pixels.shape != received.pixels.shape:
        sizes = [f"{f.pixels.shape[0]}x{f.pixels.shape[1]}" for f in (sent, received)]
        raise ValueError(f"frame {sent.index} is {sizes[0]} where sent and {sizes[1]} where received")


class _FrameMeter(Block):
    """A meter with one score per frame, in the order of the frames."""

    sent = In(Frame)
    received = In(Frame)

    def start(self) -> None:
        self._scores: list[float] = []

    def work(self, sent: Frame, received: Frame) -> None:
        _check_pair(sent, received)
        self._scores.append(self._score(sent.pixels, received.pixels))

    def _score(self, sent: np.ndarray, received: np.ndarray) -> float:
        raise NotImplementedError

    @property
    def per_frame(self) -> list[float]:
        """The score of each frame."""
        return list(getattr(self, "_scores", ()))

    @property
    def mean(self) -> float:
        """The mean over all frames (paper, section III-C); NaN before the first."""
        return float(np.mean(self.per_frame)) if self.per_frame else float("nan")


class PsnrMeter(_FrameMeter):
    """PSNR in dB of every frame, over RGB; `mean` is the mean of the frames' values in dB.

    Identical frames count `cap_db`, so that a single lossless frame does not make the mean infinite.
    """

    cap_db: float = setting(100.0, gt=0, unit="dB", doc="value of identical frames")

    def _score(self, sent: np.ndarray, received: np.ndarray) -> float:
        return psnr_db(sent, received, self.cap_db)


class SsimMeter(_FrameMeter):
    """SSIM of every frame, over RGB; see `ssim`."""

    def _score(self, sent: np.ndarray, received: np.ndarray) -> float:
        return ssim(sent, received)
