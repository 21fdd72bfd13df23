"""The network of ST-LPIPS with the AlexNet trunk, as plain torch.

ST-LPIPS (Ghildyal and Liu, "Shift-tolerant perceptual similarity metric", ECCV 2022) is LPIPS (Zhang et al., CVPR 2018)
over a trunk that a small shift hardly changes: the first convolution has stride 1, and every subsampling is a 3x3
binomial blur over reflected borders (Zhang, "Making convolutional networks shift-invariant again", ICML 2019), the
first one before its rectifier. The parameter names are those of the checkpoint in the package stlpips-pytorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["CHANNELS", "StLpipsNetwork", "load_stlpips"]

CHANNELS = (64, 192, 384, 256, 256)
_EPS = 1e-10


class _Blur(nn.Module):
    """Binomial 3x3 filter and subsampling by two; the border is reflected by two pixels."""

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        taps = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("filt", torch.outer(taps, taps).expand(channels, 1, 3, 3).clone())

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(functional.pad(x, (2, 2, 2, 2), "reflect"), self.filt, stride=2, groups=x.shape[1])


class _Scaling(nn.Module):
    """Channel means and deviations of ImageNet, for pixels in [-1, 1]."""

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(1, 3, 1, 1))
        self.register_buffer("scale", torch.ones(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.shift) / self.scale


class _Head(nn.Module):
    """Non-negative weight of every channel; index 0 of `model` was dropout."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.ModuleDict({"1": nn.Conv2d(channels, 1, 1, bias=False)})

    def forward(self, x: Tensor) -> Tensor:
        return self.model["1"](x)


def _slice(first: int, layers: Sequence[nn.Module]) -> nn.Sequential:
    """Layers under the numbers that they have in the checkpoint."""
    stage = nn.Sequential()
    for number, layer in enumerate(layers, first):
        stage.add_module(str(number), layer)
    return stage


class StLpipsNetwork(nn.Module):
    """Five stages of features; `distance` compares those of two pictures."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d, e = CHANNELS
        pool = lambda: nn.MaxPool2d(3, stride=1)  # noqa: E731
        self.scaling_layer = _Scaling()
        self.net = nn.Module()
        self.net.slice1 = _slice(0, (nn.Conv2d(3, a, 11, padding=2), _Blur(a), nn.ReLU()))
        self.net.slice2 = _slice(3, (pool(), _Blur(a), nn.Conv2d(a, b, 5, padding=2), nn.ReLU()))
        self.net.slice3 = _slice(7, (pool(), _Blur(b), nn.Conv2d(b, c, 3, padding=1), nn.ReLU()))
        self.net.slice4 = _slice(11, (nn.Conv2d(c, d, 3, padding=1), nn.ReLU()))
        self.net.slice5 = _slice(13, (nn.Conv2d(d, e, 3, padding=1), nn.ReLU()))
        for number, channels in enumerate(CHANNELS):
            self.add_module(f"lin{number}", _Head(channels))

    def features(self, x: Tensor) -> list[Tensor]:
        """Unit-length features of the five stages: float32 [batch, 3, height, width] in [-1, 1] -> five tensors."""
        x = self.scaling_layer(x)
        found = []
        for number in range(1, len(CHANNELS) + 1):
            x = self.net.get_submodule(f"slice{number}")(x)
            found.append(x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + _EPS))
        return found

    def distance(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """ST-LPIPS of every pair of a batch, [batch]: weighted squared differences, spatial means, summed."""
        heads = (self.get_submodule(f"lin{number}") for number in range(len(CHANNELS)))
        scores = [head((a - b).square()).mean((1, 2, 3)) for head, a, b in zip(heads, first, second, strict=True)]
        return torch.stack(scores).sum(0)


def load_stlpips(state: Mapping[str, Tensor]) -> StLpipsNetwork:
    """The network with the given parameters, for evaluation.

    Raises:
        RuntimeError: a parameter is missing, unknown or of another shape.
    """
    network = StLpipsNetwork()
    network.load_state_dict(dict(state))
    network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
