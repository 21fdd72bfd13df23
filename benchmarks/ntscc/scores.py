"""The three measures of the benchmark, and how a lost picture counts."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from lgvsc_flow.blocks.metrics.distortion import psnr_db
from lgvsc_flow.blocks.metrics.perceptual import StLpips, ms_ssim

GREY = 128  # what is shown in place of a lost picture, by every scheme
NAMES = ("psnr_db", "ms_ssim", "st_lpips")
TITLES = {"psnr_db": "PSNR (dB)", "ms_ssim": "MS-SSIM", "st_lpips": "ST-LPIPS"}
BETTER = {"psnr_db": 1, "ms_ssim": 1, "st_lpips": -1}  # the sign of an improvement


@dataclass(frozen=True)
class Scores:
    """The measures of one picture or their means; NaN where one was not taken."""

    psnr_db: float = math.nan
    ms_ssim: float = math.nan
    st_lpips: float = math.nan

    def json(self) -> dict[str, float]:
        return {name: value for name, value in asdict(self).items() if not math.isnan(value)}


class Original:
    """A picture that others are compared with; its features are computed once."""

    _metric = StLpips()

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels
        self._features = None

    def scores(self, other: np.ndarray, *, perceptual: bool = True, structural: bool = True) -> Scores:
        """How far `other` is from the original; ST-LPIPS costs most and may be left out."""
        distance = math.nan
        if perceptual:
            if self._features is None:
                self._features = self._metric.features(self.pixels)
            distance = self._metric.between(self._features, self._metric.features(other))
        similarity = ms_ssim(self.pixels, other) if structural else math.nan
        return Scores(psnr_db(self.pixels, other), similarity, distance)

    def lost(self) -> Scores:
        """The scores of a uniform grey picture."""
        return self.scores(np.full_like(self.pixels, GREY))
