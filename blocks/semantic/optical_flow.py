"""Dense optical flow behind one interface: OpenCV's DIS, and RAFT where its weights are present.

Ref: Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016; Teed and Deng, "RAFT", ECCV 2020.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np

from lgvsc_flow.blocks.semantic.shrink import shrink
from lgvsc_flow.errors import ModelError, SettingError
from lgvsc_flow.models import import_extra

__all__ = ["WIDTH", "DisFlow", "OpticalFlow", "RaftFlow", "open_flow"]

WIDTH = 256  # pixels, the size flow is computed at
_MULTIPLE, _SMALLEST = 8, 128  # pixels, of RAFT's sides


class OpticalFlow(ABC):
    """Where the pixels of one picture are in the next."""

    name: str = ""

    def load(self) -> None:  # noqa: B027, a method without weights has nothing to load
        """Load weights, once, before the first picture.

        Raises:
            MissingExtraError: a library is not installed.
            ModelError: the weights are missing or damaged.
        """

    @abstractmethod
    def flow(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Displacements from `before` to `after`, in pixels of the full size (x, y).

        Args:
            before: uint8 [height, width, 3] RGB.
            after: the same shape.

        Returns:
            float32 [h, w, 2], at most `WIDTH` pixels wide: the size at which the flow is computed.
        """


class DisFlow(OpticalFlow):
    """Dense inverse search, OpenCV's fast preset."""

    name = "dis"

    def load(self) -> None:
        import_extra("cv2", "optical flow", "video", "opencv-python-headless")

    def flow(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        cv2 = import_extra("cv2", "optical flow", "video", "opencv-python-headless")
        # DIS refuses pictures smaller than its patches.
        small = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in _small(before, after, 32)]
        found = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(small[0], small[1], None)
        return np.asarray(found * _per_axis(before, small[0]))


class RaftFlow(OpticalFlow):
    """RAFT from a checkpoint in torchvision's layout, small or large.

    Args:
        checkpoint: the .pth or .safetensors file, or the folder that holds it; see `load_raft`.
        updates: how often the flow is refined.
        device: torch device.
    """

    name = "raft"

    def __init__(self, checkpoint: str | Path, updates: int = 12, device: str = "cpu") -> None:
        if updates < 1:
            raise SettingError(f"RaftFlow refines at least once, got updates={updates}")
        self.checkpoint, self.updates, self.device = checkpoint, updates, device
        self._network: Any = None

    def load(self) -> None:
        if self._network is not None:
            return
        import_extra("torch", "RAFT", "models", "torch")
        from lgvsc_flow.blocks.semantic.raft_checkpoint import load_raft

        network = load_raft(self.checkpoint)
        try:
            self._network = network.to(self.device)
        except (RuntimeError, AssertionError) as error:  # torch raises either for a device that is not there
            raise ModelError(f"RAFT cannot use device={self.device!r}: {str(error).splitlines()[0]}") from error

    def flow(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        self.load()
        import torch
        from torch.nn import functional

        small = _small(before, after, 1)
        height, width = small[0].shape[:2]
        # The border is repeated outwards, evenly on both sides, up to sizes that RAFT takes.
        spare = [max(-(-n // _MULTIPLE) * _MULTIPLE, _SMALLEST) - n for n in (width, height)]
        left, top = spare[0] // 2, spare[1] // 2
        with torch.inference_mode():
            pair = torch.from_numpy(np.stack(small)).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
            pair = functional.pad(pair, (left, spare[0] - left, top, spare[1] - top), mode="replicate")
            found = self._network(pair[:1], pair[1:], self.updates)[0].permute(1, 2, 0).cpu().numpy()
        found = found[top : top + height, left : left + width]
        return np.asarray(found * _per_axis(before, small[0]), np.float32)


def open_flow(name: str, device: str = "cpu") -> OpticalFlow:
    """`dis`, or RAFT from the checkpoint file or folder of that name; nothing is loaded yet."""
    return DisFlow() if name == DisFlow.name else RaftFlow(name, device=device)


def _small(before: np.ndarray, after: np.ndarray, least: int) -> list[np.ndarray]:
    height, width = before.shape[:2]
    scale = min(1.0, WIDTH / width)
    size = max(round(width * scale), least), max(round(height * scale), least)
    return [shrink(p, *size) for p in (before, after)]


def _per_axis(full: np.ndarray, small: np.ndarray) -> np.ndarray:
    """Pixels of the full size in one of the small one, x and y."""
    return np.array([full.shape[1] / small.shape[1], full.shape[0] / small.shape[0]], dtype=np.float32)
