"""Full-reference quality nearer to what is seen than PSNR: MS-SSIM and ST-LPIPS, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lgvsc_flow.block import setting
from lgvsc_flow.blocks.metrics.distortion import _FrameMeter
from lgvsc_flow.errors import ModelError
from lgvsc_flow.models import import_extra, load_state

if TYPE_CHECKING:
    from torch import Tensor

    from lgvsc_flow.blocks.metrics.stlpips import StLpipsNetwork

__all__ = ["MsSsimMeter", "StLpips", "StLpipsFeatures", "StLpipsMeter", "ms_ssim"]

MS_SSIM_SMALLEST = 161  # pixels: room for a window of 11 after four halvings
ST_LPIPS_SMALLEST = 21  # pixels: below, the borders of the last blur cannot be reflected
_EXTRA = "metrics"
_MODEL = "stlpips-alex"


def ms_ssim(reference: np.ndarray, image: np.ndarray) -> float:
    """Multi-scale structural similarity of uint8 [height, width, 3] images, the mean over the RGB channels.

    Ref: Wang, Simoncelli and Bovik, "Multi-scale structural similarity for image quality assessment", Asilomar 2003;
    computed by pytorch-msssim, which counts negative contrast terms as 0.

    Raises:
        ValueError: shapes that differ, or a side below 161 pixels, which has no room for the five scales.
        MissingExtraError: torch or pytorch-msssim is not installed.
    """
    _check_shapes(reference, image)
    height, width = reference.shape[:2]
    if min(height, width) < MS_SSIM_SMALLEST:
        smallest = f"{MS_SSIM_SMALLEST}x{MS_SSIM_SMALLEST}"
        raise ValueError(
            f"MS-SSIM needs frames of at least {smallest} pixels, got {height}x{width}; SSIM takes smaller"
        )
    torch = import_extra("torch", "MS-SSIM", _EXTRA, "torch")
    library = import_extra("pytorch_msssim", "MS-SSIM", _EXTRA, "pytorch-msssim")
    first, second = (torch.from_numpy(x.transpose(2, 0, 1)[None].astype(np.float32)) for x in (reference, image))
    with torch.inference_mode():
        return float(library.ms_ssim(first, second, data_range=255))


class StLpipsFeatures(NamedTuple):
    """What ST-LPIPS sees in one picture: unit-length features of five stages, and the picture's size."""

    stages: list[Tensor]
    height: int
    width: int


class StLpips:
    """ST-LPIPS: how different two pictures look, 0 for equal ones, by features that tolerate a small shift.

    AlexNet trunk and heads of the package stlpips-pytorch, read as data; its code is not used. On the authors' example
    (`ex_p0.png` against `ex_ref.png`) it gives their published 0.7777554 within 1e-6. It is not LPIPS: values
    compare only among themselves.

    Ref: Ghildyal and Liu, "Shift-tolerant perceptual similarity metric", ECCV 2022.

    Args:
        device: torch device.
        folder: folder of models, see `lgvsc_flow.models`.
    """

    def __init__(self, device: str = "cpu", folder: str | Path | None = None) -> None:
        self.device, self.folder = device, folder
        self._network: StLpipsNetwork | None = None

    def load(self) -> None:
        """Load the network; a second call does nothing.

        Raises:
            MissingExtraError: torch is not installed.
            ModelError: the weights are missing or damaged.
        """
        if self._network is not None:
            return
        import_extra("torch", "ST-LPIPS", _EXTRA, "torch")
        from lgvsc_flow.blocks.metrics.stlpips import load_stlpips

        try:
            self._network = load_stlpips(load_state(_MODEL, self.folder)).to(self.device)
        except RuntimeError as error:
            raise ModelError(f"the weights of {_MODEL} do not fit its network: {error}") from error

    def features(self, image: np.ndarray) -> StLpipsFeatures:
        """The features of one picture, for comparing it with many.

        Args:
            image: uint8 [height, width, 3], RGB.

        Raises:
            ValueError: not such a picture, or a side below 21 pixels.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"ST-LPIPS takes uint8 [height, width, 3], got {image.dtype} {list(image.shape)}")
        height, width = image.shape[:2]
        if min(height, width) < ST_LPIPS_SMALLEST:
            smallest = f"{ST_LPIPS_SMALLEST}x{ST_LPIPS_SMALLEST}"
            raise ValueError(f"ST-LPIPS needs frames of at least {smallest} pixels, got {height}x{width}")
        self.load()
        import torch

        assert self._network is not None
        x = torch.tensor(image).to(self.device).permute(2, 0, 1)[None]
        with torch.inference_mode():
            return StLpipsFeatures(self._network.features(x.float() / 127.5 - 1), height, width)

    def between(self, first: StLpipsFeatures, second: StLpipsFeatures) -> float:
        """The distance of two pictures by their features.

        Raises:
            ValueError: pictures of different sizes.
        """
        if first[1:] != second[1:]:
            sizes = " and ".join(f"{f.height}x{f.width}" for f in (first, second))
            raise ValueError(f"pictures of {sizes} cannot be compared")
        self.load()
        import torch

        assert self._network is not None
        with torch.inference_mode():
            return float(self._network.distance(first.stages, second.stages))

    def distance(self, first: np.ndarray, second: np.ndarray) -> float:
        """The distance of two pictures, uint8 [height, width, 3] of one shape.

        Raises:
            ValueError: as `features`, or shapes that differ.
        """
        _check_shapes(first, second)
        return self.between(self.features(first), self.features(second))

    def distances(self, first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> list[float]:
        """The distance of each pair; picture after picture, since one fills a processor."""
        return [self.distance(a, b) for a, b in zip(first, second, strict=True)]


class MsSsimMeter(_FrameMeter):
    """MS-SSIM of every frame, over RGB; see `ms_ssim`."""

    def _score(self, sent: np.ndarray, received: np.ndarray) -> float:
        return ms_ssim(sent, received)


class StLpipsMeter(_FrameMeter):
    """ST-LPIPS of every frame: 0 where sent and received look alike; see `StLpips`."""

    device: str = setting("cpu", doc="torch device")
    models: str = setting("", doc="folder of models; empty for the installed package")

    def start(self) -> None:
        super().start()
        self._metric = StLpips(self.device, self.models or None)
        self._metric.load()

    def _score(self, sent: np.ndarray, received: np.ndarray) -> float:
        return self._metric.distance(sent, received)


def _check_shapes(first: np.ndarray, second: np.ndarray) -> None:
    if first.shape != second.shape:
        sizes = " and ".join(f"{x.shape[0]}x{x.shape[1]}" for x in (first, second))
        raise ValueError(f"pictures of {sizes} cannot be compared")
